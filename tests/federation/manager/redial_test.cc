#include "federation/manager/redial.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace cdgate::manager {
namespace {

constexpr base::BackoffOptions kLater = {
    .first = absl::Seconds(1), .cap = absl::Seconds(30), .factor = 2.0};
// The greatest jitter, so that delays are the ceilings.
constexpr double kMost = 1.0;

// A link that was last seen up at zero and is down from `now_` on.
class RedialTest : public testing::Test {
 protected:
  absl::Duration Down(absl::Duration asked = {}, double unit = kMost) {
    return redial_.OnDown(now_, {.asked = asked}, unit);
  }
  absl::Duration DownWith(double others) {
    return redial_.OnDown(now_, {.asked = {}, .others = others}, kMost);
  }
  // Dials in vain until the quick tries are over; how many there were.
  int PassQuickPhase() {
    int tries = 0;
    for (const absl::Duration begin = now_; now_ - begin < kQuickPhase; ++tries) now_ += Down();
    return tries;
  }

  Redial redial_{kLater};
  absl::Duration now_ = absl::Hours(1);
};

TEST_F(RedialTest, TriesOftenRightAfterAnOutage) {
  EXPECT_EQ(Down(), absl::Milliseconds(100));
  EXPECT_EQ(Down(), absl::Milliseconds(200));
  EXPECT_EQ(Down(), absl::Milliseconds(250));
  EXPECT_EQ(Down(), absl::Milliseconds(250));
}

TEST_F(RedialTest, TriesLessAndLessWhatStaysAwayUpToTheCap) {
  EXPECT_GT(PassQuickPhase(), 50);
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(Down(), absl::Seconds(seconds));
    now_ += absl::Seconds(seconds);
  }
}

TEST_F(RedialTest, JittersEveryDelay) {
  EXPECT_EQ(Down({}, 0), absl::Milliseconds(50));
  EXPECT_EQ(Down({}, 0.5), absl::Milliseconds(150));
  PassQuickPhase();
  EXPECT_EQ(Down({}, 0), absl::Milliseconds(500));
}

TEST_F(RedialTest, ASteadyLinkThatEndsIsANewOutage) {
  PassQuickPhase();
  Down();
  redial_.OnUp(now_);
  now_ += kSteady;
  EXPECT_EQ(Down(), absl::Milliseconds(100));
}

TEST_F(RedialTest, ALinkThatFallsAtOnceIsTheSameOutage) {
  PassQuickPhase();
  EXPECT_EQ(Down(), absl::Seconds(1));
  redial_.OnUp(now_);
  now_ += kSteady - absl::Milliseconds(1);
  EXPECT_EQ(Down(), absl::Seconds(2));
  // What was up before does not count for the next try.
  now_ += kSteady;
  EXPECT_EQ(Down(), absl::Seconds(4));
}

TEST_F(RedialTest, WaitsAtLeastAsLongAsThePeerAsked) {
  EXPECT_EQ(Down(absl::Seconds(2), 0), absl::Seconds(2));
  EXPECT_EQ(Down(absl::Milliseconds(10), 0), absl::Milliseconds(100));
}

TEST_F(RedialTest, ThoseWhoWereAskedTheSameDoNotAllComeThen) {
  Redial other(kLater);
  EXPECT_LT(Down(absl::Seconds(2), 0.1), other.OnDown(now_, {.asked = absl::Seconds(2)}, 0.9));
  EXPECT_LE(Down(absl::Seconds(2)), absl::Seconds(2.5));
}

TEST_F(RedialTest, ManyThatAreDownShareTheTries) {
  EXPECT_EQ(redial_.tries(), 0);
  EXPECT_EQ(DownWith(70), absl::Milliseconds(100));  // 80 a second, with its own
  EXPECT_EQ(redial_.tries(), 10);
  EXPECT_EQ(DownWith(155), absl::Milliseconds(400));
  EXPECT_EQ(redial_.tries(), 5);
  // As a thousand that are all tried every quarter of a second would have it.
  EXPECT_EQ(DownWith(3'996), absl::Seconds(12.5));
}

// They are tried once in half a minute, and need not be waited for.
TEST_F(RedialTest, ThoseThatHaveLongBeenAwayLeaveRoom) {
  EXPECT_EQ(DownWith(200.0 / 30), absl::Milliseconds(100));
}

TEST_F(RedialTest, WhatHasLongBeenAwayIsTriedLessAsWell) {
  PassQuickPhase();
  EXPECT_EQ(DownWith(159), absl::Seconds(2));  // instead of one
  EXPECT_EQ(redial_.tries(), 1);
}

TEST_F(RedialTest, WhoAttackedIsLeftAloneForLongerEachTime) {
  for (const int seconds : {15, 30, 60, 120, 240, 480, 600, 600}) {
    EXPECT_EQ(redial_.OnAbuse(now_, kMost), absl::Seconds(seconds));
    now_ += absl::Seconds(seconds);
    redial_.OnUp(now_);
    now_ += kSteady;
  }
  EXPECT_EQ(redial_.OnAbuse(now_, 0), absl::Minutes(5));
}

TEST_F(RedialTest, AnAttackIsForgottenAfterALinkThatWasUpAsLongAsThePause) {
  redial_.OnAbuse(now_, kMost);
  redial_.OnAbuse(now_, kMost);
  redial_.OnUp(now_);
  now_ += absl::Seconds(30);
  EXPECT_EQ(redial_.OnAbuse(now_, kMost), absl::Seconds(15));
  redial_.OnUp(now_);
  now_ += absl::Seconds(15);
  EXPECT_EQ(Down(), absl::Milliseconds(100));
}

TEST_F(RedialTest, ResetForgetsTheOutage) {
  PassQuickPhase();
  Down();
  redial_.Reset();
  EXPECT_EQ(Down(), absl::Milliseconds(100));
}

}  // namespace
}  // namespace cdgate::manager
