#include "gateway/base/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace cdgate::base {
namespace {

TEST(BackoffTest, GrowsToTheCapAndStaysThere) {
  Backoff backoff({.first = absl::Milliseconds(100), .cap = absl::Milliseconds(350)});
  std::vector<absl::Duration> longest;
  for (int i = 0; i < 5; ++i) longest.push_back(backoff.Next(1.0));
  EXPECT_EQ(longest, (std::vector<absl::Duration>{absl::Milliseconds(100), absl::Milliseconds(200),
                                                  absl::Milliseconds(350), absl::Milliseconds(350),
                                                  absl::Milliseconds(350)}));
}

TEST(BackoffTest, JitterIsWithinTheUpperHalf) {
  Backoff backoff({.first = absl::Seconds(8), .cap = absl::Seconds(8)});
  EXPECT_EQ(backoff.Next(0.0), absl::Seconds(4));
  EXPECT_EQ(backoff.Next(0.5), absl::Seconds(6));
}

TEST(BackoffTest, ResetStartsOver) {
  Backoff backoff({.first = absl::Milliseconds(100), .cap = absl::Seconds(30)});
  backoff.Next(1.0);
  backoff.Next(1.0);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(1.0), absl::Milliseconds(100));
}

TEST(BackoffTest, NeverOverflowsHoweverOftenItIsAsked) {
  Backoff backoff({.first = absl::Milliseconds(1), .cap = absl::Seconds(30)});
  for (int i = 0; i < 10000; ++i) EXPECT_LE(backoff.Next(0.999), absl::Seconds(30));
}

}  // namespace
}  // namespace cdgate::base
