// How a domain tells its peers to trust it from now on: a bundle in which a new root is added or
// an old one left out, and revocation lists.
//
//   CDGATE_ASSIGN_OR_RETURN(TrustUpdate sent, MakeTrustUpdate(*identity.CurrentMaterial(), now));
//   ...at a peer, of what it holds:
//   CDGATE_ASSIGN_OR_RETURN(TrustDocument taken, VerifyTrustUpdate(received, {...}));
//
// Whoever signs is a gateway whose chain verifies under the bundle that the peer holds *and*
// under the new one: so a new root is vouched for by an old one, a root is left out only by who
// can do without it, and nobody cuts himself off. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_files.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/state.pb.h"

namespace cdgate::manager {

// Our own, as it is in use. Lists that do not fit into link::kMaxTrustBytes with the others are
// left out, the largest first; `*left_out` says how many. Errors of SignDocument.
absl::StatusOr<federation::v1::TrustUpdate> MakeTrustUpdate(const credentials::Material& own,
                                                            absl::Time now, int* left_out);

// What an update is judged by.
struct TrustUpdateContext {
  absl::string_view peer;              // at the other end of the link
  const trust::TrustSnapshot& trust;   // as held
  const storage::v1::PeerTrust& held;  // of the update before; empty: there was none
  absl::Duration crl_grace;
  absl::Time now;
};

// The document, where it is of `peer`, signed as above, not older than what is held nor from
// the future, and no revocation list has a lower number than the one held of the same issuer.
// BUNDLE_INVALID saying which of these it is not.
absl::StatusOr<federation::v1::TrustDocument> VerifyTrustUpdate(
    const federation::v1::TrustUpdate& received, const TrustUpdateContext& context);

}  // namespace cdgate::manager
