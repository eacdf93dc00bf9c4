// Private keys, in PKCS#8 PEM.
//
//   CDGATE_ASSIGN_OR_RETURN(auto key, crypto::PrivateKey::Generate(crypto::KeyType::kP256));
//   base::WriteFileAtomically("tls.key", key.ToPem(), 0600);
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;

namespace cdgate::crypto {

enum class KeyType {
  kP256,     // ECDSA over P-256: what every TLS stack takes; the default
  kEd25519,  // smaller and faster to sign; some outside tools refuse it in TLS
};

// Immutable; copies share the key. Thread-safe.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> Generate(KeyType type);

  // The first private key in `pem`, of any type OpenSSL reads (RSA keys of an outside
  // PKI, too). Encrypted keys are refused. CREDENTIALS_INVALID otherwise; the message
  // never quotes the key.
  static absl::StatusOr<PrivateKey> FromPem(absl::string_view pem);

  // PKCS#8, unencrypted: write it with mode 0600.
  std::string ToPem() const;

  // For the .cc files of this library.
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace cdgate::crypto
