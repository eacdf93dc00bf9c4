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
  void NoteLive() { share_.NoteLive(clock_.Monotonic()); }

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
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Begin(absl::Hours(1)));
    EXPECT_EQ(turn_.AtOnce(kMany), kMany);
    clock_.Advance(absl::Milliseconds(5));
    turn_.End();
  }
}

TEST_F(CatchupTurnTest, BacklogBesideWhatIsNewGoesByFewAndPauses) {
  NoteLive();
  EXPECT_TRUE(Begin(absl::Hours(1)));
  EXPECT_EQ(turn_.AtOnce(kMany), CatchupShare::kEventsAtOnce);
  EXPECT_EQ(turn_.AtOnce(3), 3u);
  clock_.Advance(absl::Milliseconds(2));
  turn_.End();
  EXPECT_FALSE(Begin(absl::Hours(1)));
  EXPECT_TRUE(turn_.waiting());
  timers_.Advance(absl::Milliseconds(9));
  EXPECT_EQ(steps_, 0);
  timers_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(steps_, 1);
  EXPECT_TRUE(Begin(absl::Hours(1)));
}

TEST_F(CatchupTurnTest, AfterATurnThatCameLateItPausesLonger) {
  NoteLive();
  EXPECT_TRUE(Begin(absl::Hours(1)));
  clock_.Advance(absl::Milliseconds(2));
  turn_.End();
  EXPECT_FALSE(Begin(absl::Hours(1)));
  clock_.Advance(absl::Milliseconds(13));  // nobody looks at timers meanwhile
  timers_.Advance(absl::ZeroDuration());
  EXPECT_EQ(steps_, 1);
  EXPECT_DOUBLE_EQ(share_.current(), 0.25);
}

TEST_F(CatchupTurnTest, WhatIsNewDoesNotPauseBehindABacklog) {
  NoteLive();
  EXPECT_TRUE(Begin(absl::Hours(1)));
  clock_.Advance(absl::Milliseconds(2));
  turn_.End();
  EXPECT_TRUE(Begin(absl::ZeroDuration()));
  EXPECT_EQ(turn_.AtOnce(kMany), kMany);
}

TEST_F(CatchupTurnTest, CancelledTurnNeverComes) {
  NoteLive();
  EXPECT_TRUE(turn_.BeginBacklog([] {}));
  clock_.Advance(absl::Milliseconds(2));
  turn_.End();
  EXPECT_FALSE(turn_.BeginBacklog([this] { ++steps_; }));
  turn_.Cancel();
  timers_.Advance(absl::Seconds(1));
  EXPECT_EQ(steps_, 0);
}

TEST(CatchupTurnWithoutShareTest, NothingWaits) {
  test::FakeClock clock;
  test::FakeTimerQueue timers(clock);
  CatchupTurn turn(nullptr, clock, timers, [](base::Task task) { task(); });
  EXPECT_TRUE(turn.BeginBacklog([] { FAIL(); }));
  EXPECT_EQ(turn.AtOnce(kMany), kMany);
  turn.End();
}

}  // namespace
}  // namespace cdgate::session
