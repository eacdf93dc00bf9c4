// Forgets invites that have long been over, so that the store does not keep every one ever
// made. The composition root calls it now and then:
//
//   const absl::Status status = manager::RemoveOldInvites(store, clock.Now());
//
// What an invite led to stays: the peer with its agreement, the commits that made, used and
// removed the invite in the log, under their authors, and a line in our own log that says who
// made it and which domain used it.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// How long after its expiry an invite is kept, used or not: as long as the longest-lived
// works. Until then whoever comes with it is told apart in our log from one who guesses.
inline constexpr absl::Duration kInviteKept = absl::Hours(24 * 30);
// Who removed them, as the store has it.
inline constexpr char kInviteUpkeepAuthor[] = "expiry";

// Proposes to delete every invite that expired kInviteKept or longer before `now`, at most 256
// at once; the next call finds what is left, or what another change came before. Returns when
// that is queued: errors of Store::Propose. Does not block; thread-safe.
absl::Status RemoveOldInvites(state::Store& store, absl::Time now);

}  // namespace cdgate::manager
