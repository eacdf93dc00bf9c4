#include "federation/policy/rate_limit.h"

#include <gtest/gtest.h>

namespace cdgate::policy {
namespace {

admin::v1::Limits LimitsOf(uint32_t events_per_second, uint32_t burst) {
  admin::v1::Limits limits;
  limits.set_events_per_second(events_per_second);
  limits.set_burst(burst);
  return limits;
}

TEST(RateLimitTest, WithoutARateEverythingMayCross) {
  RateLimit limit(LimitsOf(0, 5));
  EXPECT_TRUE(limit.unlimited());
  EXPECT_EQ(limit.Take(1000000, absl::Seconds(1)), 1000000u);
  EXPECT_TRUE(RateLimit().unlimited());
}

TEST(RateLimitTest, BeginsWithTheBurstAndThenFollowsTheRate) {
  RateLimit limit(LimitsOf(10, 25));
  const absl::Duration start = absl::Hours(5);
  EXPECT_EQ(limit.Take(100, start), 25u);
  EXPECT_EQ(limit.Take(1, start), 0u);
  EXPECT_EQ(limit.Take(1, start + absl::Milliseconds(99)), 0u);
  EXPECT_EQ(limit.Take(1, start + absl::Milliseconds(100)), 1u);
  EXPECT_EQ(limit.Take(100, start + absl::Milliseconds(1100)), 10u);
  EXPECT_EQ(limit.Take(100, start + absl::Hours(1)), 25u);
}

TEST(RateLimitTest, TheBurstIsOneSecondUnlessItIsSet) {
  RateLimit limit(LimitsOf(10, 0));
  EXPECT_EQ(limit.Take(100, absl::ZeroDuration()), 10u);
}

TEST(RateLimitTest, SaysWhenToTryAgain) {
  RateLimit limit(LimitsOf(10, 20));
  const absl::Duration start = absl::Seconds(7);
  EXPECT_EQ(limit.Take(20, start), 20u);
  EXPECT_EQ(limit.NextAt(1), start + absl::Milliseconds(100));
  EXPECT_EQ(limit.NextAt(5), start + absl::Milliseconds(500));
  EXPECT_EQ(limit.NextAt(1000), start + absl::Seconds(2));
  // Waiting as long as it says is enough, whatever the rate.
  for (uint32_t rate : {1u, 3u, 7u, 333u, 999983u}) {
    RateLimit other(LimitsOf(rate, 5));
    EXPECT_EQ(other.Take(5, start), 5u);
    EXPECT_EQ(other.Take(3, other.NextAt(3)), 3u) << rate;
  }
}

TEST(RateLimitTest, GivesBackWhatDidNotCross) {
  RateLimit limit(LimitsOf(10, 20));
  EXPECT_EQ(limit.Take(20, absl::ZeroDuration()), 20u);
  limit.Return(3);
  EXPECT_EQ(limit.Take(20, absl::ZeroDuration()), 3u);
  limit.Return(1000);
  EXPECT_EQ(limit.Take(1000, absl::ZeroDuration()), 20u);
}

TEST(RateLimitTest, ATimeThatGoesBackGivesNothing) {
  RateLimit limit(LimitsOf(10, 10));
  EXPECT_EQ(limit.Take(10, absl::Seconds(10)), 10u);
  EXPECT_EQ(limit.Take(10, absl::Seconds(1)), 0u);
  EXPECT_EQ(limit.Take(10, absl::Seconds(10)), 0u);
}

TEST(RateLimitTest, ANewLimitHoldsAtOnce) {
  RateLimit limit(LimitsOf(10, 100));
  EXPECT_EQ(limit.Take(1, absl::ZeroDuration()), 1u);
  limit.SetLimits(LimitsOf(1, 5));
  EXPECT_EQ(limit.Take(100, absl::ZeroDuration()), 5u);
  limit.SetLimits(LimitsOf(0, 0));
  EXPECT_EQ(limit.Take(100, absl::ZeroDuration()), 100u);
}

TEST(RateLimitTest, NeverExceedsTheRateOverALongTime) {
  RateLimit limit(LimitsOf(7, 3));
  uint64_t taken = 0;
  for (int step = 0; step <= 100000; ++step) taken += limit.Take(2, absl::Milliseconds(step));
  EXPECT_LE(taken, 700u + 3u);
  EXPECT_GE(taken, 699u);
}

}  // namespace
}  // namespace cdgate::policy
