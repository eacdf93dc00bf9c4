// The keys that verify statements. Who holds certificates, bundles and denials implements this;
// tests have a fake.
//
//   CDGATE_ASSIGN_OR_RETURN(AttestorKey key, keys.Find("alpha.example", key_id, sign_time));
//   if (!key.Fits(text, signature)) return Refuse();
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/verifying_key.h"

namespace cdgate::attestation {

// The key of an attestor whose certificate was verified. Immutable; copies share it; thread-safe.
class AttestorKey {
 public:
  explicit AttestorKey(std::shared_ptr<const crypto::VerifyingKey> key) : key_(std::move(key)) {}
  // Of a few signatures.
  explicit AttestorKey(const crypto::Certificate& certificate)
      : AttestorKey(std::make_shared<const crypto::VerifyingKey>(certificate)) {}

  [[nodiscard]] bool Fits(absl::string_view text, absl::string_view signature) const {
    return key_->Fits(text, signature);
  }
  const crypto::Certificate& certificate() const { return key_->certificate(); }

 private:
  std::shared_ptr<const crypto::VerifyingKey> key_;
};

class AttestorKeys {
 public:
  virtual ~AttestorKeys() = default;

  // The key of `domain` that `key_id` names (SHA-256 of its certificate), where the certificate
  // verifies under the bundle of the domain, is that of an attestor, and `sign_time` is within its
  // validity. Asked for every statement, so that what is no longer trusted counts no more: an
  // implementation answers from memory. ATTESTATION_UNPROVEN where no such certificate is held or
  // its trust ended, ATTESTATION_INVALID where the certificate is not one that may say this.
  virtual absl::StatusOr<AttestorKey> Find(absl::string_view domain, absl::string_view key_id,
                                           absl::Time sign_time) = 0;
};

}  // namespace cdgate::attestation
