// Public keys on their own, as producers hand them out: PEM.
//
//   CDGATE_ASSIGN_OR_RETURN(const crypto::PublicKey key, crypto::PublicKey::FromPem(pem));
//   if (!key.SignatureFits(bytes, signature)) return Refuse();
//
// The kind of the key decides how it signs, as in signature.h.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/private_key.h"

struct evp_pkey_st;

namespace cdgate::crypto {

// Immutable; copies share the key. Thread-safe.
class PublicKey {
 public:
  // The first block in `pem`: SubjectPublicKeyInfo ("PUBLIC KEY"), of P-256 or Ed25519.
  // CREDENTIALS_INVALID otherwise, also for a private key.
  static absl::StatusOr<PublicKey> FromPem(absl::string_view pem);

  // That of `key`; CREDENTIALS_INVALID where it is of another kind.
  static absl::StatusOr<PublicKey> Of(const PrivateKey& key);

  [[nodiscard]] bool SignatureFits(absl::string_view bytes, absl::string_view signature) const;

 private:
  static absl::StatusOr<PublicKey> FromHandle(std::shared_ptr<evp_pkey_st> key);
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace cdgate::crypto
