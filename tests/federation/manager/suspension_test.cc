#include "federation/manager/suspension.h"

#include <gtest/gtest.h>

#include <vector>

namespace cdgate::manager {
namespace {

constexpr absl::Duration kStart = absl::Hours(1);

// The pauses after each of `count` links that offend as soon as they may.
std::vector<absl::Duration> Pauses(Suspension* suspension, int count, absl::Duration up_for) {
  std::vector<absl::Duration> pauses;
  absl::Duration now = kStart;
  for (int i = 0; i < count; ++i) {
    suspension->OnUp(now);
    now += up_for;
    suspension->OnOffence(now, "");
    pauses.push_back(suspension->left(now));
    now += pauses.back();
  }
  return pauses;
}

TEST(SuspensionTest, IsLongerAfterEachOffenceUpToABound) {
  Suspension suspension;
  EXPECT_EQ(Pauses(&suspension, 8, absl::Milliseconds(10)),
            (std::vector<absl::Duration>{
                absl::ZeroDuration(), absl::ZeroDuration(), absl::Seconds(4), absl::Seconds(16),
                absl::Seconds(64), absl::Seconds(256), absl::Minutes(10), absl::Minutes(10)}));
}

TEST(SuspensionTest, EndsWithItsTime) {
  Suspension suspension;
  Pauses(&suspension, 3, absl::ZeroDuration());
  EXPECT_EQ(suspension.left(kStart + absl::Seconds(1)), absl::Seconds(3));
  EXPECT_EQ(suspension.left(kStart + absl::Seconds(5)), absl::ZeroDuration());
}

TEST(SuspensionTest, ALinkThatWasSteadyBeginsItAnew) {
  Suspension suspension;
  EXPECT_EQ(Pauses(&suspension, 6, Suspension::kSteadyFor),
            std::vector<absl::Duration>(6, absl::ZeroDuration()));
  Suspension ended;
  Pauses(&ended, 4, absl::ZeroDuration());
  ended.OnUp(kStart);
  ended.OnEnd(kStart + absl::Hours(1));
  EXPECT_EQ(ended.AfterNext(kStart + absl::Hours(1)), absl::ZeroDuration());
}

TEST(SuspensionTest, AShortLinkThatEndsWithoutFaultForgivesNothing) {
  Suspension suspension;
  Pauses(&suspension, 3, absl::ZeroDuration());
  const absl::Duration later = kStart + absl::Minutes(5);
  suspension.OnUp(later);
  suspension.OnEnd(later + absl::Seconds(1));
  EXPECT_EQ(suspension.AfterNext(later + absl::Seconds(1)), absl::Seconds(16));
}

TEST(SuspensionTest, SaysWhatANextOffenceWouldCost) {
  Suspension suspension;
  for (int i = 0; i < 6; ++i) {
    const absl::Duration next = suspension.AfterNext(kStart);
    suspension.OnOffence(kStart, "");
    EXPECT_EQ(suspension.left(kStart), next) << i;
  }
}

TEST(SuspensionTest, OffencesAreWhatThePeerDid) {
  const auto offends = [](base::Reason reason, bool by_peer) {
    return IsOffence({.reason = reason, .message = "", .by_peer = by_peer});
  };
  EXPECT_TRUE(offends(base::Reason::kProtocolError, false));
  EXPECT_TRUE(offends(base::Reason::kCreditExceeded, false));
  EXPECT_TRUE(offends(base::Reason::kAttestationInvalid, false));
  EXPECT_FALSE(offends(base::Reason::kProtocolError, true));  // it says so of us
  EXPECT_FALSE(offends(base::Reason::kHeartbeatLost, false));
  EXPECT_FALSE(offends(base::Reason::kDraining, false));
  EXPECT_FALSE(offends(base::Reason::kInternal, false));
}

}  // namespace
}  // namespace cdgate::manager
