#include "gateway/http/log_limiter.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace cdgate::http {
namespace {

TEST(LogLimiterTest, OneLineASecondOfEachAddressAndACount) {
  test::FakeClock clock;
  LogLimiter limiter(clock);
  EXPECT_EQ(limiter.Next("a"), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.Next("a"), std::nullopt);
  EXPECT_EQ(limiter.Next("b"), 0u);
  clock.Advance(absl::Milliseconds(999));
  EXPECT_EQ(limiter.Next("a"), std::nullopt);
  clock.Advance(absl::Milliseconds(1));
  EXPECT_EQ(limiter.Next("a"), 6u);
  EXPECT_EQ(limiter.Next("b"), 0u);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(limiter.Next("a"), 0u);
}

TEST(LogLimiterTest, ManyAddressesHaveNoMoreLinesAndAreCounted) {
  test::FakeClock clock;
  LogLimiter limiter(clock);
  size_t lines = 0;
  for (int i = 0; i < 5000; ++i) lines += limiter.Next(std::to_string(i)).has_value() ? 1 : 0;
  EXPECT_EQ(lines, 1000u);
  EXPECT_EQ(limiter.Next("7"), std::nullopt);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(limiter.Next("new"), 4001u);
}

}  // namespace
}  // namespace cdgate::http
