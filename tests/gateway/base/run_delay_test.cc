#include "gateway/base/run_delay.h"

#include <gtest/gtest.h>

#include <ctime>
#include <thread>
#include <vector>

#include "gateway/base/file.h"

namespace cdgate::test {
namespace {

absl::Duration ThreadTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

// Until it has had 20 ms of a processor; what it waited for them.
absl::Duration Burn() {
  const absl::Duration begin = ThreadTime();
  const absl::Duration before = base::ThreadRunDelay();
  while (ThreadTime() - begin < absl::Milliseconds(20)) {
  }
  return base::ThreadRunDelay() - before;
}

// Twice as many threads as processors: one of them waits at least as long as it runs.
TEST(ThreadRunDelayTest, GrowsWhereOtherThreadsRun) {
  if (!base::ReadFile("/proc/thread-self/schedstat").ok()) {
    GTEST_SKIP() << "this system does not say";
  }
  std::vector<absl::Duration> waited(2 * std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (absl::Duration& one : waited) threads.emplace_back([&one] { one = Burn(); });
  for (std::thread& thread : threads) thread.join();
  absl::Duration most;
  for (const absl::Duration one : waited) {
    EXPECT_GE(one, absl::ZeroDuration());
    most = std::max(most, one);
  }
  EXPECT_GT(most, absl::Milliseconds(1));
}

}  // namespace
}  // namespace cdgate::test
