#include "federation/session/catchup_share.h"

#include <gtest/gtest.h>

namespace cdgate::session {
namespace {

constexpr absl::Duration kNoon = absl::Hours(12);  // a beginning of a period

TEST(CatchupShareTest, NothingWaitsWhereNothingNewIsThere) {
  const CatchupShare share(0.05);
  for (int i = 0; i < 20; ++i) {
    const absl::Duration now = kNoon + i * absl::Milliseconds(1);
    EXPECT_EQ(share.NextTurn(now), now) << i;
  }
  EXPECT_EQ(share.NextTurn(absl::ZeroDuration()), absl::ZeroDuration());
}

TEST(CatchupShareTest, HasItsShareOfEachPeriodBesideWhatIsNew) {
  CatchupShare share(0.3);
  for (int i = 0; i < 40; ++i) {
    const absl::Duration now = kNoon + i * absl::Milliseconds(1);
    share.NoteLive(now);
    const bool turn = i % 10 < 3;
    const absl::Duration next = kNoon + (i / 10 + 1) * CatchupShare::kPeriod;
    EXPECT_EQ(share.NextTurn(now), turn ? now : next) << i;
  }
}

TEST(CatchupShareTest, GoesOnWhenNothingNewHasComeForAWhile) {
  CatchupShare share(0.5);
  share.NoteLive(kNoon);
  const absl::Duration late = kNoon + absl::Milliseconds(9);
  EXPECT_GT(share.NextTurn(late), late);
  const absl::Duration later = kNoon + CatchupShare::kLiveFor + absl::Milliseconds(9);
  EXPECT_EQ(share.NextTurn(later), later);
}

TEST(CatchupShareTest, AShareOfOneNeverWaits) {
  CatchupShare share(1);
  share.NoteLive(kNoon);
  for (int i = 0; i < 20; ++i) {
    const absl::Duration now = kNoon + i * absl::Microseconds(999);
    EXPECT_EQ(share.NextTurn(now), now) << i;
  }
  EXPECT_FALSE(share.Yields(kNoon));
}

TEST(CatchupShareTest, TurnThatBeginsLatePutsOffTheNext) {
  CatchupShare share(0.5);
  share.NoteLive(kNoon);
  share.NoteBegun(kNoon, kNoon + CatchupShare::kOnTime);
  EXPECT_EQ(share.NextTurn(kNoon + absl::Milliseconds(1)), kNoon + absl::Milliseconds(1));
  const absl::Duration late = kNoon + absl::Milliseconds(4);
  share.NoteBegun(kNoon, late);  // until 36 ms, which belong to what is new
  EXPECT_EQ(share.NextTurn(late), kNoon + absl::Milliseconds(40));
  share.NoteBegun(kNoon, kNoon + absl::Milliseconds(5));
  EXPECT_EQ(share.NextTurn(late), kNoon + absl::Milliseconds(50));
  share.NoteBegun(kNoon - absl::Hours(1), late);
  EXPECT_EQ(share.NextTurn(late), late + CatchupShare::kLongestPutOff);
}

TEST(CatchupShareTest, NothingIsPutOffWhereNothingNewIsThere) {
  CatchupShare share(0.5);
  share.NoteBegun(kNoon, kNoon + absl::Seconds(1));
  EXPECT_EQ(share.NextTurn(kNoon + absl::Seconds(1)), kNoon + absl::Seconds(1));
}

TEST(CatchupShareTest, WhatIsOldIsBacklog) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_FALSE(CatchupShare::IsBacklog(now, now));
  EXPECT_FALSE(CatchupShare::IsBacklog(now - CatchupShare::kBacklogAge, now));
  EXPECT_TRUE(CatchupShare::IsBacklog(now - absl::Seconds(11), now));
  EXPECT_FALSE(CatchupShare::IsBacklog(now + absl::Hours(1), now));
}

}  // namespace
}  // namespace cdgate::session
