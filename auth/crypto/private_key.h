// Private keys, in PKCS#8 PEM.
//
//   CDGATE_ASSIGN_OR_RETURN(auto key, crypto::PrivateKey::Generate(crypto::KeyType::kP256));
//   base::WriteFileAtomically("tls.key", key.ToPem(passphrase), 0600);
//   ...
//   CDGATE_ASSIGN_OR_RETURN(auto read, crypto::PrivateKey::FromPem(pem, passphrase));
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/passphrase.h"

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
  // PKI, too). An encrypted one needs its passphrase; one that is not encrypted is taken
  // with or without. CREDENTIALS_INVALID otherwise, which says whether the passphrase is
  // missing, or does not open the key; the message never quotes either. Encrypted ones take a
  // fifth of a second.
  static absl::StatusOr<PrivateKey> FromPem(absl::string_view pem,
                                            const Passphrase& passphrase = {});

  // Whether the first private key in `pem` is encrypted. Nothing is decrypted.
  static bool IsEncrypted(absl::string_view pem);

  // PKCS#8: write it with mode 0600. Encrypted (PBES2: AES-256-CBC under a key by scrypt,
  // N 16384, r 8, p 5) where there is a passphrase, which takes a fifth of a second.
  std::string ToPem(const Passphrase& passphrase = {}) const;

  // "P-256", "Ed25519", "RSA 2048": for people.
  std::string description() const;

  // For the .cc files of this library.
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace cdgate::crypto
