#include <gtest/gtest.h>

#include <utility>

#include "gateway/base/mutex.h"
#include "gateway/rpc/callback_threads.h"
#include "tests/support/fake_clock.h"

namespace cdgate::rpc {
namespace {

// Timers that can be waited for: a beat is armed again on a thread of gRPC.
class Timers final : public base::TimerQueue {
 public:
  explicit Timers(test::FakeClock& clock) : fake_(clock) {}

  Id At(absl::Duration due, Callback callback) override {
    const Id id = fake_.At(due, std::move(callback));
    base::MutexLock lock(mu_);
    ++armed_;
    changed_.SignalAll();
    return id;
  }
  bool Cancel(Id id) override { return fake_.Cancel(id); }
  void Advance(absl::Duration by) { fake_.Advance(by); }
  size_t pending() const { return fake_.pending(); }

  // False where it does not come to that.
  bool WaitUntilArmed(int times) {
    base::MutexLock lock(mu_);
    while (armed_ < times) {
      if (!changed_.WaitFor(mu_, absl::Seconds(30))) return false;
    }
    return true;
  }

 private:
  test::FakeTimerQueue fake_;
  base::Mutex mu_;
  base::CondVar changed_;
  int armed_ CDGATE_GUARDED_BY(mu_) = 0;
};

TEST(CallbackBeatTest, EachBeatIsFollowedByTheNext) {
  test::FakeClock clock;
  Timers timers(clock);
  const CallbackBeat beat(clock, timers);
  for (int beats = 1; beats <= 3; ++beats) {
    ASSERT_TRUE(timers.WaitUntilArmed(beats));
    timers.Advance(CallbackBeat::kInterval);
  }
  EXPECT_TRUE(timers.WaitUntilArmed(4));
}

TEST(CallbackBeatTest, EndsWithItsOwner) {
  test::FakeClock clock;
  Timers timers(clock);
  { const CallbackBeat beat(clock, timers); }
  EXPECT_EQ(timers.pending(), 0u);
}

}  // namespace
}  // namespace cdgate::rpc
