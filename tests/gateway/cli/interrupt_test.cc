#include "gateway/cli/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>

namespace cdgate::cli {
namespace {

class InterruptTest : public testing::TestWithParam<int> {};

// That this process is still there afterwards is half of it.
TEST_P(InterruptTest, EndsARunInGoodOrder) {
  const BlockedInterrupts blocked;
  std::promise<void> told;
  {
    const InterruptWatch watch([&told] { told.set_value(); });
    ASSERT_EQ(kill(getpid(), GetParam()), 0);
    told.get_future().wait();
  }
}

TEST_P(InterruptTest, OneThatCameBeforeTheWatchIsTold) {
  const BlockedInterrupts blocked;
  ASSERT_EQ(kill(getpid(), GetParam()), 0);
  std::promise<void> told;
  const InterruptWatch watch([&told] { told.set_value(); });
  told.get_future().wait();
}

TEST_P(InterruptTest, WithoutOneNobodyIsTold) {
  const BlockedInterrupts blocked;
  bool told = false;
  {
    const InterruptWatch watch([&told] { told = true; });
  }
  EXPECT_FALSE(told);
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptTest, testing::Values(SIGINT, SIGTERM));

}  // namespace
}  // namespace cdgate::cli
