// How catching up yields to newer events. While any of those were on their way a moment ago,
// backlogs and replays of all links go on in turns: the first part of each period is theirs, as
// long as their share says, and the rest belongs to what is new. Else they go on at once.
//
//   CatchupShare share(0.5);
//   share.NoteLive(clock.Monotonic());             // something new is published or relayed
//   if (share.IsBacklog(commit_time, clock.Now())) {
//     const absl::Duration turn = share.NextTurn(now);
//     if (turn > now) timers.At(turn, ...);        // not yet
//   }
//
// Turns are of time and not of processor time, because most of what an event costs is spent
// in threads of gRPC and of the kernel, and at the other side. Thread-safe; takes no lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace cdgate::session {

class CatchupShare {
 public:
  // Short, so that a new event that comes within a turn waits for little.
  static constexpr absl::Duration kPeriod = absl::Milliseconds(10);
  // How long after a new event others may follow.
  static constexpr absl::Duration kLiveFor = absl::Milliseconds(250);
  // What is older is backlog, wherever it comes from.
  static constexpr absl::Duration kBacklogAge = absl::Seconds(10);

  // `share`: of each period, above 0; 1: catching up never waits.
  explicit CatchupShare(double share) : turn_(kPeriod * share) {}

  void NoteLive(absl::Duration now) {
    live_nanos_.store(absl::ToInt64Nanoseconds(now), std::memory_order_relaxed);
  }
  static bool IsBacklog(absl::Time event, absl::Time now) { return event + kBacklogAge < now; }

  // When the backlog may go on: `now`, or the beginning of the next turn. Monotonic times.
  absl::Duration NextTurn(absl::Duration now) const {
    const auto live = absl::Nanoseconds(live_nanos_.load(std::memory_order_relaxed));
    if (now - live > kLiveFor) return now;
    absl::Duration into;
    const int64_t period = absl::IDivDuration(now, kPeriod, &into);
    return into < turn_ ? now : (period + 1) * kPeriod;
  }

 private:
  const absl::Duration turn_;
  std::atomic<int64_t> live_nanos_{INT64_MIN / 2};  // nobody was there
};

}  // namespace cdgate::session
