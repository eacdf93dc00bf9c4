// What a peer showed of its import rules, kept for when it is asked why an event was not
// sent: with the link down, after a restart, after the peer showed something else.
//
//   RecordInterest(store, clock.Now(), "beta.example", shown);      // as it arrives
//   CDGATE_ASSIGN_OR_RETURN(auto interest, InterestOf(store, "beta.example", version));
//   if (interest == nullptr) ...                                    // no longer kept
//
// One resource for each peer, of kind "interest". It is the peer that makes it grow, so it
// is bounded: the last kInterestsKept, kInterestBytesKept in all. A peer that changes its
// mind so often that one would have to go before kInterestAge gets no more kept.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/session/session_types.h"
#include "gateway/state/store.h"

namespace cdgate::session {

inline constexpr int kInterestsKept = 256;
inline constexpr size_t kInterestBytesKept = 256 << 10;
inline constexpr absl::Duration kInterestAge = absl::Minutes(3);

// Commits `shown`, where it is another than the last one, before whatever is proposed
// afterwards. Where it cannot be proposed it is not kept, and the log says so.
void RecordInterest(state::Store& store, absl::Time now, absl::string_view peer,
                    const federation::v1::Interest& shown);

// What had `version` last, compiled; version 0 takes everything. Null: it is not kept.
// LOG_CORRUPT.
absl::StatusOr<InterestPtr> InterestOf(const state::Store& store, absl::string_view peer,
                                       uint64_t version);

// What the peer showed last, compiled. Null: nothing. LOG_CORRUPT.
absl::StatusOr<InterestPtr> NewestInterest(const state::Store& store, absl::string_view peer);

}  // namespace cdgate::session
