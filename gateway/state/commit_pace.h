// Whether a commit waits for more events: while they crowd and the processors are busy.
//
// A commit costs the same whether it has one event or twenty: two requests to the disk, an answer,
// a statement and a frame for each peer, and at the peer the same again. The faster the disk, the
// fewer events come while one is on its way, and at some thousand a second the processors are busy
// with commits of three. Then each step of an event's way waits for a processor. A commit that
// waits a little has more events, less work is done, and all of them arrive earlier.
//
//   CommitPace pace;                                   // one per committer
//   absl::Duration wait = pace.Wait(moment, crowded, events);
//   ...                                                // then
//   pace.Begin(moment);
//
// An event that is alone never waits, nor does any where processors are free: how far commits are
// apart follows from how long this thread was kept from running during the last ones.
// A value, without a clock; not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/time/time.h"

namespace cdgate::state {

class CommitPace {
 public:
  // As of now, both monotonic: the time, and how long the committer's thread has waited for a
  // processor.
  struct Moment {
    absl::Duration now;
    absl::Duration run_delay;
  };

  // Commits begin so far apart at most.
  static constexpr absl::Duration kMostApart = absl::Milliseconds(1);
  // With so many events nothing is gained by more.
  static constexpr size_t kEnoughEvents = 32;

  // How long to wait before the next commit; zero: not at all. `crowded`: events came while the
  // last one was on its way. `events`: that wait for the log.
  absl::Duration Wait(const Moment& at, bool crowded, size_t events) const {
    if (!last_ || !crowded || events >= kEnoughEvents) return absl::ZeroDuration();
    const absl::Duration apart = std::min(kMostApart, kTimes * delay_);
    return std::max(absl::ZeroDuration(), last_->now + apart - at.now);
  }

  // A commit begins.
  void Begin(const Moment& at) {
    if (last_) delay_ += (at.run_delay - last_->run_delay - delay_) / kSmoothing;
    last_ = at;
  }

 private:
  // By measurement: docs/adr/0039.
  static constexpr int kTimes = 8;
  static constexpr int kSmoothing = 8;

  std::optional<Moment> last_;  // when the last one began
  absl::Duration delay_;        // of one commit, smoothed
};

}  // namespace cdgate::state
