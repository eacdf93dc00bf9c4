// Revocation lists, read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"

struct X509_crl_st;

namespace cdgate::crypto {

// Why a certificate was revoked (RFC 5280, 5.3.1), by the numbers of the lists.
enum class RevocationReason {
  kUnspecified = 0,
  kKeyCompromise = 1,
  kCaCompromise = 2,
  kAffiliationChanged = 3,
  kSuperseded = 4,
  kCessationOfOperation = 5,
  kPrivilegeWithdrawn = 9,
};

// Parsed, not verified: VerifyChain() checks its signature and times. Immutable; copies
// share it. Thread-safe.
class RevocationList {
 public:
  struct Entry {
    std::string serial;  // as Certificate::serial()
    absl::Time revoked;
    RevocationReason reason = RevocationReason::kUnspecified;
  };

  // All lists in `pem`, in order; none is an error, as is a block that does not parse.
  // Reason CREDENTIALS_INVALID.
  static absl::StatusOr<std::vector<RevocationList>> ParsePem(absl::string_view pem);

  std::string ToPem() const;
  std::string issuer() const;
  // Of the issuer's key, lower-case hex; empty where the list does not say.
  std::string issuer_key_id() const;
  absl::Time this_update() const;
  // Infinite future where the list does not say.
  absl::Time next_update() const;
  // The cRLNumber; 0 where there is none or it does not fit.
  uint64_t number() const;
  std::vector<Entry> entries() const;

  // `issuer` names and signed it.
  bool IsIssuedBy(const Certificate& issuer) const;

  // For the .cc files of this library.
  X509_crl_st* handle() const { return crl_.get(); }

 private:
  explicit RevocationList(std::shared_ptr<X509_crl_st> crl) : crl_(std::move(crl)) {}
  std::shared_ptr<X509_crl_st> crl_;
};

}  // namespace cdgate::crypto
