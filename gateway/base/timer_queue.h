// One heap of timers for the whole gateway.
//
//   auto id = timers.At(clock.Monotonic() + absl::Seconds(5), [] { ... });
//   timers.Cancel(id);
//
// Callbacks run on the queue's own thread and must be short: they post to an
// executor. Thread-safe. Times are base::Clock::Monotonic() values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::base {

class TimerQueue {
 public:
  using Id = uint64_t;  // 0 is never given out
  using Callback = std::function<void()>;

  virtual ~TimerQueue() = default;

  // Runs `callback` once, at `due` or as soon after as can be.
  virtual Id At(absl::Duration due, Callback callback) = 0;

  // True when the callback was pending and will not run; false when it ran, runs
  // right now, or never existed. Does not wait for a running callback.
  virtual bool Cancel(Id id) = 0;
};

// On the system's monotonic clock, with a thread of its own. The destructor drops
// what is pending and joins.
class ThreadTimerQueue final : public TimerQueue {
 public:
  explicit ThreadTimerQueue(Clock& clock);
  ~ThreadTimerQueue() override;

  Id At(absl::Duration due, Callback callback) override;
  bool Cancel(Id id) override;

 private:
  using Key = std::pair<absl::Duration, Id>;
  void Run();

  Clock& clock_;
  Mutex mu_;
  CondVar wake_;
  std::map<Key, Callback> pending_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_map<Id, absl::Duration> due_of_ CDGATE_GUARDED_BY(mu_);
  Id next_id_ CDGATE_GUARDED_BY(mu_) = 1;
  bool stopping_ CDGATE_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace cdgate::base
