#include "gateway/delivery/shared_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <vector>

#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using base::Reason;
using base::Sequence;
using test::HasReason;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr SharedSettings kSettings{.ack_deadline = absl::Seconds(10),
                                   .min_backoff = absl::Seconds(1),
                                   .max_backoff = absl::Seconds(8),
                                   .max_attempts = 3};

// A queue with two consumers, at a time that the test moves.
class SharedQueueTest : public testing::Test {
 protected:
  SharedQueueTest() { Make(kSettings, {}); }

  void Make(SharedSettings settings, const SharedProgress& progress, uint64_t maybe = 0) {
    queue_.emplace(settings, progress, Sequence(maybe));
    queue_->Join(1, {});
    queue_->Join(2, {});
  }
  // The attempt at which a new event goes out; 0: it waits.
  uint32_t Offer(uint64_t consumer, uint64_t sequence, uint64_t key = 0, size_t bytes = 100) {
    const auto lease =
        queue_->Offer(consumer, {.sequence = Sequence(sequence), .bytes = bytes, .key = key}, now_);
    queue_->Scanned(Sequence(sequence));
    return lease ? lease->attempt : 0;
  }
  // What is due, by sequence and attempt.
  std::vector<std::pair<uint64_t, uint32_t>> TakeAll(uint64_t consumer) {
    std::vector<std::pair<uint64_t, uint32_t>> out;
    while (const auto lease = queue_->TakeDue(consumer, now_)) {
      out.emplace_back(lease->sequence.value(), lease->attempt);
    }
    return out;
  }
  void Reject(uint64_t consumer, uint64_t sequence,
              std::optional<absl::Duration> delay = std::nullopt) {
    CDGATE_EXPECT_OK(queue_->Reject(consumer, Sequence(sequence), delay, now_));
  }
  void Ack(uint64_t sequence) { CDGATE_EXPECT_OK(queue_->Acknowledge(Sequence(sequence))); }
  void Pass(absl::Duration time) {
    now_ += time;
    queue_->Expire(now_);
  }

  std::optional<SharedQueue> queue_;
  absl::Duration now_ = absl::Seconds(100);
};

TEST_F(SharedQueueTest, WhatIsAcknowledgedIsDoneInAnyOrder) {
  EXPECT_EQ(Offer(1, 3), 1U);
  EXPECT_EQ(Offer(2, 5), 1U);
  EXPECT_EQ(queue_->floor(), Sequence(2));
  Ack(5);
  EXPECT_EQ(queue_->floor(), Sequence(2));
  Ack(3);
  EXPECT_EQ(queue_->floor(), Sequence(5));
  EXPECT_EQ(queue_->pending(), 0U);
  Ack(3);  // twice is no fault
  EXPECT_EQ(queue_->NextWake(now_), absl::InfiniteDuration());
}

TEST_F(SharedQueueTest, ADeadlineThatPassesDeliversAgainAfterTheBackoff) {
  Offer(1, 1);
  EXPECT_EQ(queue_->NextWake(now_), now_ + absl::Seconds(10));
  Pass(absl::Seconds(10));
  EXPECT_THAT(TakeAll(2), IsEmpty());
  const absl::Duration backoff = queue_->NextWake(now_) - now_;
  EXPECT_GE(backoff, absl::Milliseconds(500));
  EXPECT_LE(backoff, absl::Seconds(1));
  Pass(backoff);
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(1, 2)));
}

TEST_F(SharedQueueTest, ALateAckCountsThoughAnotherHasTheEvent) {
  Offer(1, 1);
  Pass(absl::Seconds(10));
  Pass(absl::Seconds(1));
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(1, 2)));
  Ack(1);
  EXPECT_EQ(queue_->pending(), 0U);
  EXPECT_EQ(queue_->leased(), 0U);
  Reject(2, 1);  // nothing happens
  EXPECT_EQ(queue_->pending(), 0U);
}

TEST_F(SharedQueueTest, BackoffDoublesUpToItsBound) {
  SharedSettings settings = kSettings;
  settings.max_attempts = 100;
  Make(settings, {});
  Offer(1, 1);
  for (const int seconds : {1, 2, 4, 8, 8, 8}) {
    Reject(1, 1);
    const absl::Duration backoff = queue_->NextWake(now_) - now_;
    EXPECT_GE(backoff, absl::Seconds(seconds) / 2);
    EXPECT_LE(backoff, absl::Seconds(seconds));
    Pass(backoff);
    EXPECT_EQ(TakeAll(1).size(), 1U);
  }
}

TEST_F(SharedQueueTest, BackoffsOfSeveralEventsDiffer) {
  std::set<absl::Duration> times;
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) Offer(1, sequence);
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
    Reject(1, sequence);
    times.insert(queue_->NextWake(now_));
    Ack(sequence);
  }
  EXPECT_GT(times.size(), 15U);
}

TEST_F(SharedQueueTest, ARejectionMaySayWhen) {
  Offer(1, 1);
  Reject(1, 1, absl::ZeroDuration());
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(1, 2)));
  Reject(2, 1, absl::Seconds(60));
  EXPECT_EQ(queue_->NextWake(now_), now_ + absl::Seconds(60));
}

TEST_F(SharedQueueTest, WhatIsGivenBackHasNotFailed) {
  EXPECT_EQ(Offer(1, 1), 1u);
  for (uint32_t attempt = 2; attempt < 10; ++attempt) {  // more than it may fail
    CDGATE_EXPECT_OK(queue_->GiveBack(1, Sequence(1), absl::Seconds(3), now_));
    EXPECT_THAT(TakeAll(1), IsEmpty());
    Pass(absl::Seconds(3));
    EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, attempt)));
  }
  EXPECT_THAT(queue_->TakeLost(), IsEmpty());
  CDGATE_EXPECT_OK(queue_->GiveBack(2, Sequence(1), {}, now_));  // who does not have it
  EXPECT_THAT(TakeAll(2), IsEmpty());
  EXPECT_THAT(queue_->GiveBack(1, Sequence(7), {}, now_), HasReason(Reason::kInvalidArgument));
}

TEST_F(SharedQueueTest, WithoutADeadlineALeaseHoldsForEver) {
  SharedSettings settings = kSettings;
  settings.ack_deadline = absl::InfiniteDuration();
  Make(settings, {});
  EXPECT_EQ(Offer(1, 1), 1u);
  EXPECT_EQ(queue_->NextWake(now_), absl::InfiniteDuration());
  Pass(absl::Hours(100));
  EXPECT_THAT(TakeAll(2), IsEmpty());
  queue_->Leave(1, SharedQueue::Leaving::kSentAway, now_);
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(1, 2u)));
}

TEST_F(SharedQueueTest, AfterItsAttemptsAnEventIsLost) {
  Offer(1, 7);
  Reject(1, 7, absl::ZeroDuration());
  EXPECT_EQ(TakeAll(1).size(), 1U);
  Reject(1, 7, absl::ZeroDuration());
  EXPECT_EQ(TakeAll(1).size(), 1U);
  EXPECT_THAT(queue_->TakeLost(), IsEmpty());
  Reject(1, 7, absl::ZeroDuration());
  const auto lost = queue_->TakeLost();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].sequence, Sequence(7));
  EXPECT_EQ(lost[0].deliveries, 3U);
  EXPECT_EQ(queue_->floor(), Sequence(7));
  EXPECT_THAT(queue_->TakeLost(), IsEmpty());
  Ack(7);  // too late, and no fault
}

TEST_F(SharedQueueTest, AnotherTakesOverAtOnceFromAConsumerThatGoes) {
  Offer(1, 1);
  Offer(1, 2);
  queue_->Leave(1, SharedQueue::Leaving::kFailed, now_);
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(1, 2), std::pair(2, 2)));
  queue_->Leave(2, SharedQueue::Leaving::kFailed, now_);
  queue_->Join(3, {});
  EXPECT_THAT(TakeAll(3), IsEmpty()) << "what ends its consumers waits";
  Pass(absl::Seconds(2));
  EXPECT_EQ(TakeAll(3).size(), 2U);
}

TEST_F(SharedQueueTest, AConsumerThatIsSentAwayHasFailedNothing) {
  Offer(1, 1);
  for (int i = 0; i < 10; ++i) {
    queue_->Leave(1, SharedQueue::Leaving::kSentAway, now_);
    queue_->Join(1, {});
    EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, i + 2)));
  }
  EXPECT_THAT(queue_->TakeLost(), IsEmpty());
}

TEST_F(SharedQueueTest, AnExtendedDeadlineHolds) {
  Offer(1, 1);
  now_ += absl::Seconds(9);
  CDGATE_EXPECT_OK(queue_->Extend(1, Sequence(1), absl::Seconds(30), now_));
  Pass(absl::Seconds(29));
  EXPECT_EQ(queue_->leased(), 1U);
  Pass(absl::Seconds(1));
  EXPECT_EQ(queue_->leased(), 0U);
  CDGATE_EXPECT_OK(queue_->Extend(1, Sequence(1), absl::Seconds(30), now_));  // too late
  EXPECT_EQ(queue_->leased(), 0U);
}

TEST_F(SharedQueueTest, WhatWasNeverDeliveredCannotBeAcknowledged) {
  Offer(1, 1, 9);
  Offer(1, 2, 9);
  EXPECT_THAT(queue_->Acknowledge(Sequence(3)), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(queue_->Acknowledge(Sequence(0)), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(queue_->Reject(1, Sequence(3), std::nullopt, now_),
              HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(queue_->Extend(1, Sequence(3), absl::Seconds(1), now_),
              HasReason(Reason::kInvalidArgument));
}

TEST_F(SharedQueueTest, OnlyWhoHasAnEventMayRejectIt) {
  Offer(1, 1);
  Reject(2, 1);
  EXPECT_EQ(queue_->leased(), 1U);
}

TEST_F(SharedQueueTest, AConsumersRoomIsInEventsAndBytes) {
  queue_->Join(3, {.max_events = 2, .max_bytes = 250});
  EXPECT_TRUE(queue_->HasRoom(3, 1000)) << "a large one goes alone";
  Offer(3, 1);
  EXPECT_FALSE(queue_->HasRoom(3, 1000));
  EXPECT_TRUE(queue_->HasRoom(3, 150));
  Offer(3, 2);
  EXPECT_FALSE(queue_->HasRoom(3, 1));
  Ack(1);
  EXPECT_TRUE(queue_->HasRoom(3, 150));
  EXPECT_FALSE(queue_->HasRoom(4, 1)) << "whom nobody knows";
}

TEST_F(SharedQueueTest, WhatIsDueWaitsForAConsumerWithRoom) {
  queue_->Join(3, {.max_events = 1});
  Offer(3, 1);
  Offer(1, 2);
  Reject(1, 2, absl::ZeroDuration());
  EXPECT_TRUE(queue_->HasDue(now_));
  EXPECT_THAT(TakeAll(3), IsEmpty());
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(2, 2)));
}

// Or the leases of others would not end while it waits.
TEST_F(SharedQueueTest, WhatIsDueAndWaitsForRoomDoesNotHideWhatEndsLater) {
  Offer(1, 1);
  Offer(2, 2);
  Reject(1, 1, absl::ZeroDuration());
  EXPECT_TRUE(queue_->HasDue(now_));
  EXPECT_EQ(queue_->NextWake(now_), now_ + absl::Seconds(10));
}

TEST_F(SharedQueueTest, ItHoldsNoMoreThanItMay) {
  SharedSettings settings = kSettings;
  settings.max_pending = 2;
  Make(settings, {});
  Offer(1, 1);
  EXPECT_FALSE(queue_->full());
  Offer(1, 2);
  EXPECT_TRUE(queue_->full());
  Ack(1);
  EXPECT_FALSE(queue_->full());
}

class KeyOrderTest : public SharedQueueTest {
 protected:
  KeyOrderTest() {
    SharedSettings settings = kSettings;
    settings.keep_key_order = true;
    Make(settings, {});
  }
};

TEST_F(KeyOrderTest, OneOfAKeyIsInFlightAtATime) {
  EXPECT_EQ(Offer(1, 1, 7), 1U);
  EXPECT_EQ(Offer(1, 2, 7), 0U);
  EXPECT_EQ(Offer(1, 3, 8), 1U);
  EXPECT_EQ(Offer(1, 4, 0), 1U);
  EXPECT_EQ(Offer(1, 5, 7), 0U);
  EXPECT_THAT(TakeAll(2), IsEmpty());
  Ack(1);
  EXPECT_THAT(TakeAll(2), ElementsAre(std::pair(2, 1)));
  Reject(2, 2, absl::Seconds(1));
  EXPECT_THAT(TakeAll(1), IsEmpty()) << "5 waits for 2, which is to be delivered again";
  Pass(absl::Seconds(1));
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(2, 2)));
  Ack(2);
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(5, 1)));
}

TEST_F(KeyOrderTest, ALostEventMakesRoomForTheNextOfItsKey) {
  Offer(1, 1, 7);
  Offer(1, 2, 7);
  for (int i = 0; i < 3; ++i) {
    Reject(1, 1, absl::ZeroDuration());
    if (i < 2) {
      EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, i + 2)));
    }
  }
  EXPECT_EQ(queue_->TakeLost().size(), 1U);
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(2, 1)));
}

TEST_F(KeyOrderTest, TheOrderOutlivesARestart) {
  Offer(1, 1, 7);
  Offer(1, 2, 7);
  Offer(1, 3, 7);
  SharedSettings settings = kSettings;
  settings.keep_key_order = true;
  Make(settings, queue_->Progress(), 2);
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, 2)));
  Ack(2);  // of the process before
  Ack(1);
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(3, 1)));
}

TEST_F(SharedQueueTest, GoesOnAfterARestartWithoutWhatWasAcknowledged) {
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Offer(1, sequence);
  Ack(2);
  Ack(4);
  Reject(1, 3);
  Make(kSettings, queue_->Progress(), 7);
  EXPECT_EQ(queue_->scanned(), Sequence(5));
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, 2), std::pair(3, 2), std::pair(5, 2)));
  EXPECT_EQ(Offer(1, 6), 2U) << "it may have been delivered before";
  EXPECT_EQ(Offer(1, 8), 1U);
}

TEST_F(SharedQueueTest, FailuresAreCountedOverARestart) {
  Offer(1, 1);
  Reject(1, 1);
  Make(kSettings, queue_->Progress(), 1);
  TakeAll(1);
  Reject(1, 1, absl::ZeroDuration());
  TakeAll(1);
  Reject(1, 1);
  EXPECT_EQ(queue_->TakeLost().size(), 1U);
}

TEST_F(SharedQueueTest, ARestartIsNoFailureOfTheEvents) {
  Offer(1, 1);
  for (int i = 0; i < 10; ++i) {
    Make(kSettings, queue_->Progress(), 1);
    EXPECT_EQ(TakeAll(1).size(), 1U);
  }
  Ack(1);
  EXPECT_THAT(queue_->TakeLost(), IsEmpty());
}

TEST_F(SharedQueueTest, WhatCannotBeReadIsLost) {
  Offer(1, 1);
  Offer(1, 2);
  queue_->GiveUp(Sequence(1));
  queue_->GiveUp(Sequence(9));
  EXPECT_EQ(queue_->TakeLost().size(), 1U);
  EXPECT_EQ(queue_->leased(), 1U);
}

TEST_F(SharedQueueTest, ADeadLetterIsTriedAnewAndHoldsNoFloor) {
  Offer(1, 1);
  Ack(1);
  Offer(1, 9);
  Ack(9);
  queue_->Redrive(Sequence(1), 0, now_);
  queue_->Redrive(Sequence(1), 0, now_);
  EXPECT_EQ(queue_->floor(), Sequence(9));
  EXPECT_THAT(TakeAll(1), ElementsAre(std::pair(1, 2)));
  Make(kSettings, queue_->Progress(), 9);
  EXPECT_EQ(queue_->floor(), Sequence(9));
  EXPECT_EQ(TakeAll(1).size(), 1U);
  Ack(1);
  EXPECT_EQ(queue_->pending(), 0U);
}

TEST_F(SharedQueueTest, BytesThatWereNotKnownCountOnceTheyAre) {
  Offer(1, 1);
  Make(kSettings, queue_->Progress(), 1);
  queue_->Join(3, {.max_events = 10, .max_bytes = 250});
  EXPECT_EQ(TakeAll(3).size(), 1U);
  queue_->SetBytes(Sequence(1), 200);
  EXPECT_FALSE(queue_->HasRoom(3, 100));
  Ack(1);
  EXPECT_TRUE(queue_->HasRoom(3, 100));
}

}  // namespace
}  // namespace cdgate::delivery
