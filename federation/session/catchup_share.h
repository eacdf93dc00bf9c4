// How catching up yields to newer events. While any of those were on their way a moment ago,
// backlogs and replays of all links go on by few events at a time, and pause behind them for as
// long as their share says. Else they go on at once.
//
//   CatchupShare share(0.5);
//   share.NoteLive(clock.Monotonic());             // something new is published or relayed
//   if (share.IsBacklog(commit_time, clock.Now())) {
//     const absl::Duration turn = share.NextTurn(now);
//     if (turn > now) timers.At(turn, ...);        // not yet; then NoteTurn(turn, now)
//     Decide(share.Yields(now) ? CatchupShare::kEventsAtOnce : many);
//     share.NoteWork(now, clock.Monotonic());
//   }
//
// What is counted is the time that the session's own work takes, and for each of it as much as
// gRPC, the kernel and the log take besides, which belong to no link and cannot be told apart. Time
// and not processor time: on a machine that is busy the work takes longer, and catching up yields
// more.
//
// The share is what there is on a machine that has processors to spare. Where a turn comes later
// than it was due there are none, and what is new waits for them as well: the share is halved, down
// to a twentieth, and grows again by 0.001 of the whole with each turn that comes in time. So where
// one turn in a hundred is late, a fifth of it is left, and where one in twenty is, the least.
//
// Thread-safe; takes no lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "gateway/base/metrics.h"

namespace cdgate::session {

class CatchupShare {
 public:
  // How long after a new event others may follow.
  static constexpr absl::Duration kLiveFor = absl::Milliseconds(250);
  // What is older is backlog, wherever it comes from.
  static constexpr absl::Duration kBacklogAge = absl::Seconds(10);
  // Of a backlog beside newer events: what is new waits for one or two milliseconds of it.
  static constexpr size_t kEventsAtOnce = 64;
  // Of what an event of a backlog costs a gateway the session's own work is about a third.
  static constexpr int kWhole = 3;
  // However long the work took, whoever does not get to run catches up.
  static constexpr absl::Duration kLongestPause = absl::Milliseconds(200);
  // A turn that comes later than this waited for a processor.
  static constexpr absl::Duration kInTime = absl::Microseconds(500);
  // What is left of the share where every turn is late, and what a turn in time adds to it.
  static constexpr double kLeast = 0.05;
  static constexpr double kGrowth = 0.001;

  // `share`: of the time of one processor, above 0; 1: catching up never waits. `shown`, unless
  // null, shows what it is now, and outlives this.
  explicit CatchupShare(double share, base::Gauge* shown = nullptr) : share_(share), shown_(shown) {
    if (shown_ != nullptr) shown_->Set(share_);
  }

  void NoteLive(absl::Duration now) {
    live_nanos_.store(absl::ToInt64Nanoseconds(now), std::memory_order_relaxed);
  }
  static bool IsBacklog(absl::Time event, absl::Time now) { return event + kBacklogAge < now; }

  // Whether anything new was on its way a moment ago, and there is a share for it.
  bool Yields(absl::Duration now) const {
    const auto live = absl::Nanoseconds(live_nanos_.load(std::memory_order_relaxed));
    return share_ < 1 && now - live <= kLiveFor;
  }

  // When the backlog may go on: `now`, or the end of the pause. Monotonic times.
  absl::Duration NextTurn(absl::Duration now) const {
    if (!Yields(now)) return now;
    return std::max(now, absl::Nanoseconds(next_nanos_.load(std::memory_order_relaxed)));
  }

  // A turn that was due then came at `now`.
  void NoteTurn(absl::Duration due, absl::Duration now) {
    const double was = left_.load(std::memory_order_relaxed);
    const double left =
        now - due > kInTime ? std::max(kLeast, was / 2) : std::min(1.0, was + kGrowth);
    left_.store(left, std::memory_order_relaxed);
    if (shown_ != nullptr) shown_->Set(share_ * left);
  }

  // The share as it is now.
  double current() const { return share_ * left_.load(std::memory_order_relaxed); }

  // Work on a backlog beside newer events took from `begun` till `now`. Pauses of several links
  // come one behind the other.
  void NoteWork(absl::Duration begun, absl::Duration now) {
    const absl::Duration pause = kWhole * (now - begun) / current();
    int64_t next = next_nanos_.load(std::memory_order_relaxed);
    int64_t later = 0;
    do {
      const absl::Duration from = std::max(absl::Nanoseconds(next), begun);
      later = absl::ToInt64Nanoseconds(std::min(from + pause, now + kLongestPause));
    } while (!next_nanos_.compare_exchange_weak(next, later, std::memory_order_relaxed));
  }

 private:
  const double share_;
  base::Gauge* const shown_;
  std::atomic<double> left_{1};  // of the share; two links at once may lose a step of it
  std::atomic<int64_t> live_nanos_{INT64_MIN / 2};  // nobody was there
  std::atomic<int64_t> next_nanos_{INT64_MIN / 2};  // when the pause ends
};

}  // namespace cdgate::session
