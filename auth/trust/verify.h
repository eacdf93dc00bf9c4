// Who is at the other end, from the certificates shown.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/verify.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"

namespace cdgate::trust {

// An identity that was verified, and what it takes to verify it again: when trust
// changes, whoever holds live connections passes leaf_pem and chain_pem to Verify() once
// more and ends those that fail.
struct VerifiedPeer {
  SpiffeId id;
  absl::Time not_after;   // the identity ends with it, also on a live connection: of the leaf,
                          // or of the CA certificate above it that ends first
  std::string serial;     // lower-case hex
  std::string leaf_pem;   // the leaf alone
  std::string chain_pem;  // what came with it, the leaf possibly repeated; may be empty
};

// The one SPIFFE ID of a leaf that is well-formed as an X.509-SVID: exactly one URI name, a
// SPIFFE ID with a path; not a CA; keyUsage with digitalSignature and without signing of
// certificates or lists. Nothing is verified. CERTIFICATE_MALFORMED otherwise.
absl::StatusOr<SpiffeId> ClaimedId(const crypto::Certificate& leaf);

// Whether `id` may have a certificate for this use: who signs statements never connects, and who
// connects never signs them. CERTIFICATE_WRONG_USE otherwise.
absl::Status CheckUse(const SpiffeId& id, crypto::Purpose purpose);

// Verifies `leaf_pem` with the intermediates in `chain_pem` against the bundle of the
// domain that the leaf claims, and no other, and against the deny list. Reasons:
// CERTIFICATE_MALFORMED, UNKNOWN_TRUST_DOMAIN, CERTIFICATE_DENIED, and those of CheckUse and
// crypto::VerifyChain; metadata "id" holds the claimed SPIFFE ID where there is one.
absl::StatusOr<VerifiedPeer> Verify(const TrustSnapshot& snapshot, absl::string_view leaf_pem,
                                    absl::string_view chain_pem, crypto::Purpose purpose,
                                    absl::Time now);

// The same for who is connected: roots that were retired since still count.
absl::StatusOr<VerifiedPeer> VerifyEstablished(const TrustSnapshot& snapshot,
                                               absl::string_view leaf_pem,
                                               absl::string_view chain_pem, crypto::Purpose purpose,
                                               absl::Time now);

// Against one bundle that is not (yet) in a registry, and no deny list: enrolment. `domain`
// must be the one that the leaf claims, else WRONG_PEER.
absl::StatusOr<VerifiedPeer> VerifyAgainst(const crypto::TrustStore& store,
                                           absl::string_view domain, absl::string_view leaf_pem,
                                           absl::string_view chain_pem, crypto::Purpose purpose,
                                           absl::Time now);

// Who signs statements, from the certificates that came with them.
struct VerifiedAttestor {
  SpiffeId id;
  std::string serial;  // lower-case hex
  // Statements that were signed before or after count for nothing.
  absl::Time not_before;
  absl::Time not_after;
};

// Verifies `chain`, leaf first, against the current bundle of the domain that the leaf claims
// and the deny list, as Verify() does for crypto::Purpose::kStatements: `now` is for revocation
// lists, and the chain may have ended by then. Reasons as there.
absl::StatusOr<VerifiedAttestor> VerifyAttestor(const TrustSnapshot& snapshot,
                                                const std::vector<crypto::Certificate>& chain,
                                                absl::Time now);

}  // namespace cdgate::trust
