#include "federation/session/catchup_share.h"

#include <gtest/gtest.h>

namespace cdgate::session {
namespace {

constexpr absl::Duration kNoon = absl::Hours(12);

TEST(CatchupShareTest, NothingWaitsWhereNothingNewIsThere) {
  const CatchupShare share(0.05);
  for (int i = 0; i < 20; ++i) {
    const absl::Duration now = kNoon + i * absl::Milliseconds(1);
    EXPECT_EQ(share.NextTurn(now), now) << i;
  }
  EXPECT_EQ(share.NextTurn(absl::ZeroDuration()), absl::ZeroDuration());
}

// 2 ms of its own are 6 ms of all that it costs, which are half of 12.
TEST(CatchupShareTest, PausesBesideWhatIsNewForAsLongAsItsShareSays) {
  CatchupShare share(0.5);
  share.NoteLive(kNoon);
  EXPECT_EQ(share.NextTurn(kNoon), kNoon);
  const absl::Duration done = kNoon + absl::Milliseconds(2);
  share.NoteWork(kNoon, done);
  EXPECT_EQ(share.NextTurn(done), kNoon + absl::Milliseconds(12));
  const absl::Duration later = kNoon + absl::Milliseconds(20);
  EXPECT_EQ(share.NextTurn(later), later);
}

TEST(CatchupShareTest, LinksShareOneShare) {
  CatchupShare share(0.25);
  share.NoteLive(kNoon);
  for (int link = 0; link < 3; ++link) share.NoteWork(kNoon, kNoon + absl::Milliseconds(1));
  EXPECT_EQ(share.NextTurn(kNoon), kNoon + 3 * absl::Milliseconds(12));
}

TEST(CatchupShareTest, GoesOnWhenNothingNewHasComeForAWhile) {
  CatchupShare share(0.5);
  share.NoteLive(kNoon);
  share.NoteWork(kNoon + absl::Milliseconds(220), kNoon + absl::Milliseconds(240));
  const absl::Duration late = kNoon + CatchupShare::kLiveFor;
  EXPECT_GT(share.NextTurn(late), late);
  EXPECT_TRUE(share.Yields(late));
  const absl::Duration later = late + absl::Milliseconds(1);
  EXPECT_EQ(share.NextTurn(later), later);
  EXPECT_FALSE(share.Yields(later));
}

TEST(CatchupShareTest, NoPauseIsLong) {
  CatchupShare share(0.05);
  share.NoteLive(kNoon);
  share.NoteWork(kNoon - absl::Seconds(1), kNoon);
  EXPECT_LE(share.NextTurn(kNoon), kNoon + CatchupShare::kLongestPause);
  for (int i = 0; i < 1000; ++i) share.NoteWork(kNoon, kNoon + absl::Milliseconds(100));
  EXPECT_LE(share.NextTurn(kNoon), kNoon + absl::Milliseconds(100) + CatchupShare::kLongestPause);
}

TEST(CatchupShareTest, HalvesWhereATurnComesLateAndGrowsWhereTheyComeInTime) {
  CatchupShare share(0.5);
  const absl::Duration in_time = kNoon + CatchupShare::kInTime;
  const absl::Duration late = in_time + absl::Microseconds(1);
  share.NoteTurn(kNoon, in_time);
  EXPECT_DOUBLE_EQ(share.current(), 0.5);
  share.NoteTurn(kNoon, late);
  EXPECT_DOUBLE_EQ(share.current(), 0.25);
  for (int i = 0; i < 10; ++i) share.NoteTurn(kNoon, late);
  EXPECT_DOUBLE_EQ(share.current(), 0.5 * CatchupShare::kLeast);
  share.NoteTurn(kNoon, in_time);
  EXPECT_DOUBLE_EQ(share.current(), 0.5 * (CatchupShare::kLeast + CatchupShare::kGrowth));
  for (int i = 0; i < 1000; ++i) share.NoteTurn(kNoon, in_time);
  EXPECT_DOUBLE_EQ(share.current(), 0.5);
}

TEST(CatchupShareTest, ShowsWhatItIs) {
  base::Metrics metrics;
  base::Gauge& shown = metrics.AddGauge("share", "");
  CatchupShare share(0.5, &shown);
  EXPECT_DOUBLE_EQ(shown.Value(), 0.5);
  share.NoteTurn(kNoon, kNoon + absl::Seconds(1));
  EXPECT_DOUBLE_EQ(shown.Value(), 0.25);
}

TEST(CatchupShareTest, ALateTurnMakesPausesLonger) {
  CatchupShare share(0.5);
  share.NoteLive(kNoon);
  share.NoteTurn(kNoon - absl::Milliseconds(5), kNoon);
  share.NoteWork(kNoon, kNoon + absl::Milliseconds(2));
  EXPECT_EQ(share.NextTurn(kNoon), kNoon + absl::Milliseconds(24));
}

TEST(CatchupShareTest, AShareOfOneNeverWaits) {
  CatchupShare share(1);
  share.NoteLive(kNoon);
  share.NoteWork(kNoon, kNoon + absl::Milliseconds(100));
  EXPECT_EQ(share.NextTurn(kNoon), kNoon);
  EXPECT_FALSE(share.Yields(kNoon));
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
