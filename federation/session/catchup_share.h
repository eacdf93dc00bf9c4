// How catching up yields to newer events. While any of those were on their way a moment ago,
// backlogs and replays of all links go on in turns: the first part of each period is theirs, as
// long as their share says, and the rest belongs to what is new. Else they go on at once.
// Where turns begin late, what is new waits for a processor, too: then the next turn is put off
// for a multiple of that.
//
//   CatchupShare share(0.5);
//   share.NoteLive(clock.Monotonic());             // something new is published or relayed
//   if (share.IsBacklog(commit_time, clock.Now())) {
//     const absl::Duration turn = share.NextTurn(now);
//     if (turn > now) timers.At(turn, ...);        // not yet
//     Decide(share.Yields(now) ? CatchupShare::kEventsAtOnce : many);
//   }
//
//   share.NoteBegun(turn, now);                    // a turn that was waited for begins
//
// Turns are of time and not of processor time, because most of what an event costs is spent
// in threads of gRPC and of the kernel, and at the other side. Thread-safe; takes no lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
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
  // Of a backlog within a turn, before it is asked whether that is over: a batch of them takes
  // each side one or two milliseconds.
  static constexpr size_t kEventsAtOnce = 64;

  // `share`: of each period, above 0; 1: catching up never waits.
  explicit CatchupShare(double share) : turn_(kPeriod * share) {}

  void NoteLive(absl::Duration now) {
    live_nanos_.store(absl::ToInt64Nanoseconds(now), std::memory_order_relaxed);
  }
  static bool IsBacklog(absl::Time event, absl::Time now) { return event + kBacklogAge < now; }

  // What is not late: timers and threads take so long.
  static constexpr absl::Duration kOnTime = absl::Milliseconds(1);
  // Times the lateness of a turn that the next is put off: so much of the time of a busy machine
  // is not ours.
  static constexpr int kPutOff = 8;
  static constexpr absl::Duration kLongestPutOff = absl::Milliseconds(200);

  // Whether anything new was on its way a moment ago, and there is a share for it.
  bool Yields(absl::Duration now) const {
    const auto live = absl::Nanoseconds(live_nanos_.load(std::memory_order_relaxed));
    return turn_ < kPeriod && now - live <= kLiveFor;
  }

  // When the backlog may go on: `now`, or the beginning of the next turn. Monotonic times.
  absl::Duration NextTurn(absl::Duration now) const {
    if (!Yields(now)) return now;
    const absl::Duration put_off = absl::Nanoseconds(not_before_.load(std::memory_order_relaxed));
    const absl::Duration begin = std::max(now, put_off);
    absl::Duration into;
    const int64_t period = absl::IDivDuration(begin, kPeriod, &into);
    return into < turn_ ? begin : (period + 1) * kPeriod;
  }

  // A turn that was to begin at `due` does so now.
  void NoteBegun(absl::Duration due, absl::Duration now) {
    if (now - due <= kOnTime) return;
    const absl::Duration put_off = std::min(kPutOff * (now - due), kLongestPutOff);
    not_before_.store(absl::ToInt64Nanoseconds(now + put_off), std::memory_order_relaxed);
  }

 private:
  const absl::Duration turn_;
  std::atomic<int64_t> live_nanos_{INT64_MIN / 2};  // nobody was there
  std::atomic<int64_t> not_before_{INT64_MIN / 2};  // nanoseconds: the next turn
};

}  // namespace cdgate::session
