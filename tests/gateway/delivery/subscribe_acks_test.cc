#include "gateway/delivery/ack_box.h"

#include <gtest/gtest.h>

#include "gateway/base/errors.h"
#include "tests/gateway/delivery/subscribe_stream_fixture.h"

namespace cdgate::delivery {
namespace {

using base::Sequence;
using Kept = AckBox::Kept;

TEST(AckBoxTest, KeepsWhatIsForDeliveredEvents) {
  AckBox acks;
  EXPECT_EQ(acks.Put(Sequence(0)), Kept::kNo);  // none is allowed yet
  acks.Allow(Sequence(5));
  EXPECT_EQ(acks.Put(Sequence(6)), Kept::kNo);
  EXPECT_EQ(acks.Take(), std::nullopt);
  EXPECT_EQ(acks.Put(Sequence(3)), Kept::kLater);
  EXPECT_EQ(acks.Put(Sequence(5)), Kept::kLater);
  EXPECT_EQ(acks.Put(Sequence(4)), Kept::kLater);
  EXPECT_EQ(acks.Take(), Sequence(5));
  EXPECT_EQ(acks.Take(), std::nullopt);
}

TEST(AckBoxTest, TellsOnceWhereItIsWaitedFor) {
  AckBox acks;
  acks.Allow(Sequence(5));
  EXPECT_EQ(acks.Put(Sequence(1)), Kept::kLater);
  EXPECT_FALSE(acks.Await());  // it is here
  EXPECT_EQ(acks.Take(), Sequence(1));
  EXPECT_TRUE(acks.Await());
  EXPECT_EQ(acks.Put(Sequence(2)), Kept::kNow);
  EXPECT_EQ(acks.Put(Sequence(3)), Kept::kLater);
  EXPECT_EQ(acks.Take(), Sequence(3));
}

events::v1::SubscribeRequest AckOf(uint64_t sequence, bool confirm = false) {
  events::v1::SubscribeRequest request;
  request.mutable_ack()->set_sequence(sequence);
  request.mutable_ack()->set_confirm(confirm);
  return request;
}

TEST_F(SubscribeStreamTest, AnAckThatNobodyWaitsForIsNoTask) {
  events::v1::SubscribeStart start = Everything();
  start.set_auto_ack(false);
  start.set_max_outstanding_events(2);
  const auto stream = Subscribe(start);
  EndWrite(*stream, true);
  PublishLarge(1);
  pool_.RunAll();
  EndWrite(*stream, true);
  const int reads = stream->reads;
  stream->Receive(AckOf(1));
  EXPECT_EQ(pool_.queued(), 0u);
  EXPECT_EQ(stream->reads, reads + 1);
  // It made room for one more, all the same.
  for (size_t frames = 3; frames <= 4; ++frames) {
    PublishLarge(1);
    pool_.RunAll();
    EXPECT_EQ(stream->sent.size(), frames);
    EndWrite(*stream, true);
  }
  stream->Over();
  pool_.RunAll();
}

TEST_F(SubscribeStreamTest, AnAckThatIsWaitedForIsTakenAtOnce) {
  events::v1::SubscribeStart start = Everything();
  start.set_auto_ack(false);
  start.set_max_outstanding_events(2);
  PublishLarge(5);
  const auto stream = Subscribe(start);
  for (int i = 0; i < 3; ++i) EndWrite(*stream, true);
  EXPECT_EQ(stream->sent.size(), 3u);  // that it has started, and two events
  EXPECT_FALSE(stream->writing());
  stream->Receive(AckOf(1));
  EXPECT_GT(pool_.queued(), 0u);
  pool_.RunAll();
  EXPECT_EQ(stream->sent.size(), 4u);
  // While it writes as well.
  stream->Receive(AckOf(3));
  pool_.RunAll();
  EndWrite(*stream, true);
  EndWrite(*stream, true);
  EXPECT_EQ(stream->sent.size(), 6u);
  stream->Over();
  pool_.RunAll();
}

TEST_F(SubscribeStreamTest, AnAckOfWhatWasNotDeliveredEndsTheStream) {
  events::v1::SubscribeStart start = Everything();
  start.set_auto_ack(false);
  PublishLarge(1);
  const auto stream = Subscribe(start);
  EndWrite(*stream, true);
  EndWrite(*stream, true);
  stream->Receive(AckOf(1));
  stream->Receive(AckOf(1, /*confirm=*/true));
  pool_.RunAll();
  EXPECT_TRUE(stream->closed.empty());
  stream->Receive(AckOf(2));
  pool_.RunAll();
  ASSERT_EQ(stream->closed.size(), 1u);
  EXPECT_EQ(base::ReasonOf(stream->closed[0]), base::Reason::kInvalidArgument);
  stream->Over();
  pool_.RunAll();
}

}  // namespace
}  // namespace cdgate::delivery
