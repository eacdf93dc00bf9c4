// Events of ours that a peer was sent and our log has lost, as the peer's place shows after a
// restore; and what was fetched back of them. One resource for each peer, of kind "lost-range".
//
//   RecordLost(store, clock.Now(), "beta.example", ahead);          // as the peer names its place
//   CDGATE_ASSIGN_OR_RETURN(auto lost, LostRangesOf(*store.Resources(), "beta.example"));
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/storage/v1/backup.pb.h"
#include "federation/link/messages.h"
#include "gateway/state/store.h"

namespace cdgate::session {

inline constexpr char kLostRangeKind[] = "lost-range";
// Lives of the log that are remembered for each peer, at most.
inline constexpr int kMaxLostRanges = 16;

// Notes what the peer has; of one life of the log the furthest place stands. Where it cannot be
// committed it is not kept, and the log says so. Thread-safe.
void RecordLost(state::Store& store, absl::Time now, absl::string_view peer,
                const link::PeerIsAhead& ahead);

// Notes what came of fetching them back. As RecordLost.
void RecordFetched(state::Store& store, absl::string_view peer,
                   const storage::v1::FetchedEvents& fetched);

// What is noted; nothing: empty. LOG_CORRUPT.
absl::StatusOr<storage::v1::LostRanges> LostRangesOf(const state::ResourceSnapshot& resources,
                                                     absl::string_view peer);

}  // namespace cdgate::session
