// Whether a certificate chain verifies against the roots of one domain.
//
//   CDGATE_ASSIGN_OR_RETURN(auto store, crypto::TrustStore::Create(roots, crls));
//   CDGATE_RETURN_IF_ERROR(crypto::VerifyChain(leaf, intermediates, *store,
//                                              crypto::Purpose::kClient, clock.Now()));
//
// A store holds the roots of exactly one trust domain; bundles of two domains in one
// store would let each speak for the other, so nothing here can merge two.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/revocation_list.h"
#include "gateway/base/errors.h"

struct x509_store_st;

namespace cdgate::crypto {

// What the leaf is for: its holder is one of the two ends of a handshake, or signs statements.
// What signs statements must be of no use in TLS: the leaf has an extended key usage, without
// serverAuth, clientAuth and anyExtendedKeyUsage.
enum class Purpose { kClient, kServer, kStatements };

// Immutable; thread-safe.
class TrustStore {
 public:
  // `roots`: self-signed CA certificates that may sign certificates; anything else is
  // CERTIFICATE_MALFORMED. With any list in `crls`, every certificate of a chain must be
  // covered by a list of its issuer: a missing one refuses, and one that is past its
  // validity by more than `crl_grace` (fails closed). Without lists revocation is not
  // checked.
  static absl::StatusOr<std::shared_ptr<const TrustStore>> Create(
      std::vector<Certificate> roots, std::vector<RevocationList> crls,
      absl::Duration crl_grace = absl::ZeroDuration());

  const std::vector<Certificate>& roots() const { return roots_; }
  const std::vector<RevocationList>& crls() const { return crls_; }
  absl::Duration crl_grace() const { return crl_grace_; }

  // For the .cc files of this library.
  x509_store_st* handle() const { return store_.get(); }

 private:
  TrustStore(std::vector<Certificate> roots, std::vector<RevocationList> crls,
             absl::Duration crl_grace, std::shared_ptr<x509_store_st> store);

  std::vector<Certificate> roots_;
  std::vector<RevocationList> crls_;
  absl::Duration crl_grace_;
  std::shared_ptr<x509_store_st> store_;
};

// OK where `leaf` chains through `intermediates` (in any order, extra ones ignored) to a
// root of `store`, everything valid at `now`, nothing revoked, strict X.509 rules kept,
// and the leaf fit for `purpose`. Keys and signatures need at least 112 bits of security.
// Otherwise CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, CERTIFICATE_REVOKED,
// REVOCATION_LIST_STALE, CERTIFICATE_WRONG_USE, CERTIFICATE_MALFORMED or, for every other
// fault, CERTIFICATE_UNTRUSTED. The message names the certificate at fault. About half a
// millisecond.
//
// With kStatements `now` is for revocation lists alone: a statement is judged by when it was
// signed, which is the caller's affair, by the times in ChainFacts.
absl::Status VerifyChain(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                         const TrustStore& store, Purpose purpose, absl::Time now);

// A chain that verified.
struct ChainFacts {
  absl::Time not_before;  // when the last of its certificates begins
  absl::Time not_after;   // when the first of its certificates ends, the root's included
  // FingerprintSha256() of each certificate above the leaf.
  std::vector<std::string> authorities;
};

// The same, saying what the chain was.
absl::StatusOr<ChainFacts> VerifiedChain(const Certificate& leaf,
                                         const std::vector<Certificate>& intermediates,
                                         const TrustStore& store, Purpose purpose, absl::Time now);

// What VerifyChain() makes of an X509_V_ERR_* code. For tests.
base::Reason ReasonOfVerifyError(int error);

}  // namespace cdgate::crypto
