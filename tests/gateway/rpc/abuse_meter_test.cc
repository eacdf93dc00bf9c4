#include "gateway/rpc/abuse_meter.h"

#include <gtest/gtest.h>

namespace cdgate::rpc {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr absl::Duration kTick = absl::Milliseconds(50);
constexpr AbuseLimits kLimits{
    .slack_bytes = 4 * kMiB, .max_message_bytes = kMiB, .window_bytes = kMiB, .max_streams = 64};

TEST(AbuseMeterTest, BulkTrafficIsNeverInDebtForLong) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  for (int tick = 0; tick < 10000; ++tick) {
    // 64 KiB messages with what TLS, HTTP/2 and gRPC add, the last one still under way.
    sample.received += 20 * (64 * kKiB + 200);
    sample.message_bytes += (tick == 0 ? 19 : 20) * 64 * kKiB;
    sample.messages += tick == 0 ? 19 : 20;
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, TinyMessagesCoverTheirFraming) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  for (int tick = 0; tick < 10000; ++tick) {
    sample.received += 1000 * 50;  // 10 bytes, 5 of gRPC, 9 of HTTP/2, 22 of TLS, and to spare
    sample.message_bytes += 1000 * 10;
    sample.messages += 1000;
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, SubscriberThatOnlyUpdatesItsWindowIsHonest) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  for (int tick = 0; tick < 10000; ++tick) {
    sample.sent_bytes += 10 * kMiB;
    sample.received += 160 * 2 * 40;  // a pair of updates for each 64 KiB
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

// Nothing but pings and headers can come where no stream is open, though what was under way of
// the last one may, for two seconds.
TEST(AbuseMeterTest, ConnectionThatIsUsedNoLongerIsAllowedLess) {
  for (const int ticks : {20, 60}) {
    AbuseMeter meter(kLimits);
    TrafficSample sample;
    sample.open = sample.streams = 1;
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
    sample.open = 0;
    for (int tick = 0; tick < ticks; ++tick) ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
    sample.received += kMiB;
    EXPECT_EQ(meter.Tick(sample, kTick),
              ticks * kTick < absl::Seconds(2) ? Abuse::kNone : Abuse::kDebt)
        << ticks;
  }
}

TEST(AbuseMeterTest, IdleConnectionWithPingsStaysForAMonth) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  for (int tick = 0; tick < 30 * 24 * 180; ++tick) {
    sample.received += 2 * 39;  // a ping and the answer to ours, every 20 s
    sample.acknowledged += 2 * 39;
    ASSERT_EQ(meter.Tick(sample, absl::Seconds(20)), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, FloodWithoutMessagesIsCutAtTheSlack) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.paused = sample.streams = 1;
  sample.received = 5 * kMiB;  // the slack and a window
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.received += 4 * kKiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, ConnectionWithoutStreamsHasLessSlack) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.received = 512 * kKiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.received += kKiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, WhatIsUnderWayWhenAStreamEndsIsNotAbuse) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.open = 0;
  sample.received = kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
}

// gRPC refuses it at its first bytes; its client learns of that when it has sent a window.
TEST(AbuseMeterTest, MessageThatIsRefusedAsTooLargeIsNoAbuse) {
  AbuseLimits limits = kLimits;
  limits.window_bytes = 8 * kMiB;
  AbuseMeter meter(limits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  sample.received = 6 * kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.open = 0;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.received += 2 * kMiB;
  for (int tick = 0; tick < 20 * 600; ++tick) {
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, EndedStreamsExplainAWindowInTenSeconds) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  int ticks = 0;
  while (meter.Tick(sample, kTick) == Abuse::kNone && ticks < 100) {
    ++sample.streams;
    sample.received += kMiB;
    ++ticks;
  }
  EXPECT_EQ(ticks, 6);  // the slack, a window, and the one too many
}

// Where gRPC does not get to run, whole messages wait there, and their call has not begun.
TEST(AbuseMeterTest, WhatWaitsInTheKernelIsNoDebt) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.received = sample.unread = 5 * kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.unread = 0;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, GoodConductIsNotSavedUp) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.streams = 1;
  sample.received = sample.message_bytes = 1000 * kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  EXPECT_EQ(meter.Tick(sample, absl::Seconds(3)), Abuse::kNone);  // nothing of it is under way now
  sample.received += 5 * kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, MessagesUnderWayMayBePartlyHere) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = 3;
  sample.streams = 3;
  sample.received = 7 * kMiB;  // the slack and three messages
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.open = 64;  // no more than four are taken for honest
  sample.received = 8 * kMiB + 10 * kKiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, WhatWeDoNotReadIsNotTheClientsDebt) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.paused = sample.streams = 32;
  sample.received = 35 * kMiB;
  for (int tick = 0; tick < 20 * 600; ++tick) {
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

// Frames that wait in gRPC while one is worked on are still there when the next read has begun.
TEST(AbuseMeterTest, WhatPiledUpWhileWeDidNotReadIsNoDebtWhenWeDo) {
  AbuseLimits limits = kLimits;
  limits.window_bytes = 32 * kMiB;
  AbuseMeter meter(limits);
  TrafficSample sample;
  sample.open = sample.paused = sample.streams = 1;
  sample.received = 30 * kMiB;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.paused = 0;
  for (int tick = 0; tick < 20; ++tick) ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);  // they would have been taken since
}

// Windows grow with what the path holds, which is the connection's, not each stream's.
TEST(AbuseMeterTest, StreamsThatAreReadHaveOneWindowTogether) {
  AbuseLimits limits = kLimits;
  limits.window_bytes = 32 * kMiB;
  AbuseMeter meter(limits);
  TrafficSample sample;
  sample.open = sample.streams = 40;
  sample.received = 39 * kMiB;  // the slack, a window, and a message of each of three more
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.received += 100 * kKiB;  // more than 40 streams explain
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kDebt);
}

TEST(AbuseMeterTest, TrickledMessageIsCutAfterTwoMinutes) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  sample.received = 100 * kKiB;
  absl::Duration age;
  while (age < absl::Minutes(3)) {
    age += absl::Seconds(1);
    sample.received += 100;
    if (meter.Tick(sample, absl::Seconds(1)) == Abuse::kStalled) break;
  }
  EXPECT_EQ(age, absl::Minutes(2));
}

TEST(AbuseMeterTest, AnyMessageEndsAStall) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 2;
  sample.received = kMiB;
  for (int minute = 0; minute < 60; ++minute) {
    ++sample.messages;
    sample.received += 10 * kKiB;
    ASSERT_EQ(meter.Tick(sample, absl::Minutes(1)), Abuse::kNone) << minute;
  }
}

TEST(AbuseMeterTest, GrindingAtWhatNeverBecomesAMessageIsCut) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  sample.received = 1300 * kKiB;
  sample.unread = 1;
  int ticks = 0;
  Abuse abuse = Abuse::kNone;
  while (abuse == Abuse::kNone && ticks < 100) {
    sample.received += kKiB;
    abuse = meter.Tick(sample, kTick);
    ++ticks;
  }
  EXPECT_EQ(abuse, Abuse::kBacklog);
  EXPECT_EQ(ticks, 21);  // in the first the stream began
}

TEST(AbuseMeterTest, SlowMessageThatIsReadAsItComesIsNoBacklog) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1;
  sample.received = 1300 * kKiB;
  for (int tick = 0; tick < 1000; ++tick) {
    sample.unread = tick % 20 == 19 ? 0 : 4096;  // now and then all was read
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, BacklogOfAStreamThatWeDoNotReadIsOurs) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.paused = sample.streams = 1;
  sample.received = 1300 * kKiB;
  sample.unread = 100 * kKiB;
  for (int tick = 0; tick < 1000; ++tick) {
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

// A connection with one call, on which bytes come and nothing else happens.
struct Trickle {
  Trickle() { sample.open = sample.streams = 1; }
  // The verdict after `bytes` came in the second that passed.
  Abuse Second(uint64_t bytes) {
    sample.received += bytes;
    ++seconds;
    return meter.Tick(sample, absl::Seconds(1));
  }
  // How many seconds of so many bytes it takes to be cut, up to ten minutes.
  int SecondsToEnd(uint64_t bytes, Abuse expected = Abuse::kTrickled) {
    while (seconds < 600) {
      const Abuse abuse = Second(bytes);
      if (abuse == Abuse::kNone) continue;
      EXPECT_EQ(abuse, expected);
      break;
    }
    return seconds;
  }
  AbuseMeter meter{kLimits};
  TrafficSample sample;
  int seconds = 0;
};

TEST(AbuseMeterTest, FrameOfOneByteASecondIsCutInHalfAMinute) {
  Trickle trickle;
  EXPECT_EQ(trickle.Second(500), Abuse::kNone);  // the call's beginning
  EXPECT_EQ(trickle.SecondsToEnd(23), 31);       // one byte, and TLS
}

TEST(AbuseMeterTest, ByteJustBeforeEachPingIsATrickle) {
  Trickle trickle;
  Abuse abuse = Abuse::kNone;
  while (abuse == Abuse::kNone && trickle.seconds < 600) {
    abuse = trickle.Second(trickle.seconds % 19 == 0 ? 23 : 0);
  }
  EXPECT_EQ(abuse, Abuse::kTrickled);
  EXPECT_LE(trickle.seconds, 60);
}

TEST(AbuseMeterTest, BurstBuysATrickleNoMoreThanOnePeriod) {
  Trickle trickle;
  trickle.Second(0);
  EXPECT_EQ(trickle.Second(60 * kKiB), Abuse::kNone);
  EXPECT_LE(trickle.SecondsToEnd(23), 62);
}

TEST(AbuseMeterTest, SlowLinkThatKeepsAPaceIsNoTrickle) {
  Trickle trickle;
  // 64 KiB at 300 bytes a second take 218 seconds; the rule about stalls comes later.
  for (int second = 0; second < 218; ++second) {
    ASSERT_EQ(trickle.Second(300), Abuse::kNone) << second;
  }
}

TEST(AbuseMeterTest, TrickleThatKeepsAPaceStallsInTheEnd) {
  Trickle trickle;
  EXPECT_LE(trickle.SecondsToEnd(300, Abuse::kStalled), 360);
}

TEST(AbuseMeterTest, WhatIsAnsweredIsNoTrickle) {
  Trickle trickle;
  for (int second = 0; second < 3600; ++second) {
    if (second % 10 == 0) trickle.sample.acknowledged += 39;  // the answer to a ping
    ASSERT_EQ(trickle.Second(second % 10 == 0 ? 39 : 0), Abuse::kNone) << second;
  }
}

TEST(AbuseMeterTest, SmallMessagesAreNoTrickle) {
  Trickle trickle;
  for (int second = 0; second < 3600; ++second) {
    ++trickle.sample.messages;
    ASSERT_EQ(trickle.Second(40), Abuse::kNone) << second;
  }
}

TEST(AbuseMeterTest, SilenceAfterAByteIsNoTrickle) {
  Trickle trickle;
  trickle.Second(0);
  EXPECT_EQ(trickle.Second(35), Abuse::kNone);  // a window update, which nobody answers
  for (int second = 0; second < 3600; ++second) {
    ASSERT_EQ(trickle.Second(0), Abuse::kNone) << second;
  }
}

TEST(AbuseMeterTest, MessagesThatWeDoNotReadAreNoTrickle) {
  Trickle trickle;
  trickle.sample.paused = 1;
  for (int second = 0; second < 3600; ++second) {
    ASSERT_EQ(trickle.Second(second % 5 == 0 ? 40 : 0), Abuse::kNone) << second;
  }
}

TEST(AbuseMeterTest, CallsThatHaveEndedDoNotExplainATrickle) {
  Trickle trickle;
  trickle.sample.paused = trickle.sample.ended = 1;
  trickle.Second(0);
  EXPECT_EQ(trickle.SecondsToEnd(23), 31);
}

TEST(AbuseMeterTest, TimeInWhichNobodyRanIsNotCounted) {
  Trickle trickle;
  trickle.Second(0);
  for (int look = 0; look < 29; ++look) {
    trickle.sample.received += 23;
    ASSERT_EQ(trickle.meter.Tick(trickle.sample, absl::Minutes(2)), Abuse::kNone) << look;
  }
}

TEST(AbuseMeterTest, RapidResetIsCut) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  int ticks = 0;
  do {
    sample.streams += 1300;  // 26,000 a second
    sample.waste += 1300 * kWasteCancelledUnused;
    sample.received += 1300 * 60;
    ++ticks;
  } while (meter.Tick(sample, kTick) == Abuse::kNone && ticks < 100);
  EXPECT_EQ(ticks, 1);
}

TEST(AbuseMeterTest, CallersWhoGiveUpNowAndThenAreHonest) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  for (int tick = 0; tick < 10000; ++tick) {
    sample.streams += 100;  // 2,000 a second, a tenth of them past their deadline
    sample.messages += 100;
    sample.waste += 10 * kWasteCancelled;
    sample.received += 100 * 1200;
    sample.message_bytes += 100 * 1024;
    ASSERT_EQ(meter.Tick(sample, kTick), Abuse::kNone) << tick;
  }
}

TEST(AbuseMeterTest, StreamsBeyondTheLimitAreCut) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 144;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.open = sample.streams = 145;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kStreams);
}

// A client that makes a few calls after each other, of a gateway that has no time to end them.
TEST(AbuseMeterTest, CallsThatAreAnsweredAreNotHeld) {
  AbuseMeter meter(kLimits);
  TrafficSample sample;
  sample.open = sample.streams = 1000;
  sample.answered = 992;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kNone);
  sample.open = sample.streams = 3000;  // but neither are they without number
  sample.answered = 2992;
  EXPECT_EQ(meter.Tick(sample, kTick), Abuse::kStreams);
}

}  // namespace
}  // namespace cdgate::rpc
