// A clock that stands still until a test moves it, and timers that fire as it moves.
//
//   test::FakeClock clock;
//   test::FakeTimerQueue timers(clock);
//   timers.At(clock.Monotonic() + absl::Seconds(5), f);
//   timers.Advance(absl::Seconds(6));    // runs f, in this thread
#pragma once

#include <map>
#include <utility>

#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::test {

// Thread-safe. Starts at 2026-01-01T00:00:00Z.
class FakeClock final : public base::Clock {
 public:
  absl::Time Now() const override;
  absl::Duration Monotonic() const override;
  void Advance(absl::Duration by);

 private:
  mutable base::Mutex mu_;
  absl::Duration elapsed_ CDGATE_GUARDED_BY(mu_);
};

// Fires due timers in order of time, in the thread that calls Advance.
class FakeTimerQueue final : public base::TimerQueue {
 public:
  explicit FakeTimerQueue(FakeClock& clock) : clock_(clock) {}
  Id At(absl::Duration due, Callback callback) override;
  bool Cancel(Id id) override;
  // Moves the clock, stopping at each due timer to run it.
  void Advance(absl::Duration by);
  size_t pending() const;

 private:
  FakeClock& clock_;
  mutable base::Mutex mu_;
  std::map<std::pair<absl::Duration, Id>, Callback> pending_ CDGATE_GUARDED_BY(mu_);
  Id next_id_ CDGATE_GUARDED_BY(mu_) = 1;
};

}  // namespace cdgate::test
