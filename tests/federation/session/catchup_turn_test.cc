#include "federation/session/catchup_turn.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace cdgate::session {
namespace {

constexpr size_t kMany = 512;

class CatchupTurnTest : public testing::Test {
 protected:
  // An event that its origin accepted `age` ago.
  bool Begin(absl::Duration age) {
    return turn_.Begin(absl::ToUnixNanos(clock_.Now() - age), [this] { ++steps_; });
  }
  // Into the second half of a period, which belongs to what is new.
  void LeaveTurn() {
    absl::Duration into;
    absl::IDivDuration(clock_.Monotonic(), CatchupShare::kPeriod, &into);
    clock_.Advance(1.75 * CatchupShare::kPeriod - into);
  }

  test::FakeClock clock_;
  test::FakeTimerQueue timers_{clock_};
  CatchupShare share_{0.5};
  CatchupTurn turn_{&share_, clock_, timers_, [](base::Task task) { task(); }};
  int steps_ = 0;
};

TEST_F(CatchupTurnTest, WhatIsNewGoesAtOnceAndAsMuchAsThereIs) {
  EXPECT_TRUE(Begin(absl::ZeroDuration()));
  EXPECT_EQ(turn_.AtOnce(kMany), kMany);
  EXPECT_TRUE(share_.Yields(clock_.Monotonic()));
}

TEST_F(CatchupTurnTest, BacklogAloneGoesAtOnceAndAsMuchAsThereIs) {
  EXPECT_TRUE(Begin(absl::Hours(1)));
  EXPECT_EQ(turn_.AtOnce(kMany), kMany);
}

TEST_F(CatchupTurnTest, BacklogBesideWhatIsNewGoesInTurnsAndByFew) {
  LeaveTurn();
  share_.NoteLive(clock_.Monotonic());
  EXPECT_FALSE(Begin(absl::Hours(1)));
  EXPECT_TRUE(turn_.waiting());
  EXPECT_EQ(turn_.AtOnce(kMany), CatchupShare::kEventsAtOnce);
  EXPECT_EQ(turn_.AtOnce(3), 3u);
  timers_.Advance(CatchupShare::kPeriod / 2);
  EXPECT_EQ(steps_, 1);
  EXPECT_TRUE(Begin(absl::Hours(1)));
}

// One step in each turn, however late it is, or a busy machine would never catch up.
TEST_F(CatchupTurnTest, TurnThatIsLateIsUsedAndTheNextIsPutOff) {
  LeaveTurn();
  share_.NoteLive(clock_.Monotonic());
  bool first = false, second = true;
  EXPECT_FALSE(turn_.BeginBacklog([&] {
    first = turn_.BeginBacklog([] {});
    second = turn_.BeginBacklog([this] { ++steps_; });
  }));
  clock_.Advance(absl::Milliseconds(20));  // the machine had no time
  share_.NoteLive(clock_.Monotonic());
  timers_.Advance(absl::ZeroDuration());
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  timers_.Advance(absl::Milliseconds(120));
  EXPECT_EQ(steps_, 0);
  timers_.Advance(absl::Milliseconds(40));
  EXPECT_EQ(steps_, 1);
}

TEST_F(CatchupTurnTest, CancelledTurnNeverComes) {
  LeaveTurn();
  share_.NoteLive(clock_.Monotonic());
  EXPECT_FALSE(turn_.BeginBacklog([this] { ++steps_; }));
  turn_.Cancel();
  timers_.Advance(CatchupShare::kPeriod);
  EXPECT_EQ(steps_, 0);
}

TEST(CatchupTurnWithoutShareTest, NothingWaits) {
  test::FakeClock clock;
  test::FakeTimerQueue timers(clock);
  CatchupTurn turn(nullptr, clock, timers, [](base::Task task) { task(); });
  EXPECT_TRUE(turn.BeginBacklog([] { FAIL(); }));
  EXPECT_EQ(turn.AtOnce(kMany), kMany);
}

}  // namespace
}  // namespace cdgate::session
