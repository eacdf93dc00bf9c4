#include "gateway/base/timer_queue.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "tests/support/fake_clock.h"

namespace cdgate::base {
namespace {

TEST(ThreadTimerQueueTest, RunsInOrderOfTimeNotOfCall) {
  ThreadTimerQueue timers(SystemClock());
  const absl::Duration now = SystemClock().Monotonic();
  std::vector<int> order;  // touched by the timer thread alone until `done`
  std::promise<void> done;
  // All in the past by the time the thread looks, except that none may run before it is
  // its turn: the last is the only one that is not due at once.
  timers.At(now + absl::Milliseconds(30), [&done] { done.set_value(); });
  timers.At(now + absl::Milliseconds(20), [&order] { order.push_back(2); });
  timers.At(now + absl::Milliseconds(10), [&order] { order.push_back(1); });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(ThreadTimerQueueTest, NeverRunsEarly) {
  ThreadTimerQueue timers(SystemClock());
  const absl::Duration due = SystemClock().Monotonic() + absl::Milliseconds(15);
  std::promise<absl::Duration> ran;
  timers.At(due, [&ran] { ran.set_value(SystemClock().Monotonic()); });
  EXPECT_GE(ran.get_future().get(), due);
}

TEST(ThreadTimerQueueTest, ACancelledTimerDoesNotRun) {
  ThreadTimerQueue timers(SystemClock());
  const absl::Duration now = SystemClock().Monotonic();
  const auto owned = std::make_shared<int>(0);
  const TimerQueue::Id id = timers.At(now + absl::Hours(1), [owned] { FAIL(); });
  EXPECT_NE(id, 0u);
  EXPECT_TRUE(timers.Cancel(id));
  EXPECT_EQ(owned.use_count(), 1) << "the callback must be destroyed";
  EXPECT_FALSE(timers.Cancel(id));
  EXPECT_FALSE(timers.Cancel(0));
}

TEST(ThreadTimerQueueTest, CancelSaysWhenItIsTooLate) {
  ThreadTimerQueue timers(SystemClock());
  std::promise<void> ran;
  const auto id = timers.At(SystemClock().Monotonic(), [&ran] { ran.set_value(); });
  ran.get_future().wait();
  EXPECT_FALSE(timers.Cancel(id));
}

TEST(ThreadTimerQueueTest, ACallbackMaySetAndCancelTimers) {
  ThreadTimerQueue timers(SystemClock());
  const absl::Duration now = SystemClock().Monotonic();
  std::promise<bool> cancelled;
  const auto other = timers.At(now + absl::Hours(1), [] { FAIL(); });
  timers.At(now, [&] { timers.At(now, [&] { cancelled.set_value(timers.Cancel(other)); }); });
  EXPECT_TRUE(cancelled.get_future().get());
}

TEST(ThreadTimerQueueTest, TheDestructorDropsWhatIsPending) {
  const auto owned = std::make_shared<int>(0);
  {
    ThreadTimerQueue timers(SystemClock());
    timers.At(SystemClock().Monotonic() + absl::Hours(1), [owned] { FAIL(); });
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(FakeTimerQueueTest, StopsTheClockAtEachTimer) {
  test::FakeClock clock;
  test::FakeTimerQueue timers(clock);
  const absl::Duration start = clock.Monotonic();
  std::vector<absl::Duration> at;
  timers.At(start + absl::Seconds(2), [&] { at.push_back(clock.Monotonic() - start); });
  timers.At(start + absl::Seconds(1), [&] { at.push_back(clock.Monotonic() - start); });
  timers.At(start + absl::Seconds(9), [&] { at.push_back(clock.Monotonic() - start); });
  timers.Advance(absl::Seconds(3));
  EXPECT_EQ(at, (std::vector<absl::Duration>{absl::Seconds(1), absl::Seconds(2)}));
  EXPECT_EQ(clock.Monotonic() - start, absl::Seconds(3));
  EXPECT_EQ(timers.pending(), 1u);
}

}  // namespace
}  // namespace cdgate::base
