#include "gateway/delivery/subscribe_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/gateway/delivery/subscribe_stream_fixture.h"

namespace cdgate::delivery {
namespace {

TEST_F(SubscribeStreamTest, OneFrameIsMadeAtATime) {
  PublishLarge(3);
  const auto stream = Subscribe(Everything());
  EXPECT_EQ(stream->sent.size(), 1u);  // that it has started
  for (size_t frames = 2; frames <= 4; ++frames) {
    EndWrite(*stream, true);
    EXPECT_EQ(stream->sent.size(), frames);
  }
  EndWrite(*stream, true);
  EXPECT_FALSE(stream->writing());
  stream->Over();
  pool_.RunAll();
}

// Of a stream that is at the head the end of a write is no news: nothing runs for it.
TEST_F(SubscribeStreamTest, AWriteAtTheHeadEndsWithoutATask) {
  const auto stream = Subscribe(Everything());
  stream->EndWrite(true);
  EXPECT_EQ(pool_.queued(), 0u);
  for (size_t frames = 2; frames <= 4; ++frames) {
    PublishLarge(1);
    pool_.RunAll();
    EXPECT_EQ(stream->sent.size(), frames);
    stream->EndWrite(true);
    EXPECT_EQ(pool_.queued(), 0u);
  }
  stream->Over();
  pool_.RunAll();
}

// One that could not use an answer has what came meanwhile as soon as its write ends.
TEST_F(SubscribeStreamTest, WhatIsInMemoryFollowsAWriteInTheSameTask) {
  const auto stream = Subscribe(Everything());
  EndWrite(*stream, true);
  PublishLarge(2);
  pool_.RunAll();
  EXPECT_EQ(stream->sent.size(), 2u);
  for (size_t frames = 3; frames <= 4; ++frames) {
    PublishLarge(1);
    pool_.RunAll();
    stream->EndWrite(true);
    EXPECT_EQ(pool_.queued(), 1u);
    ASSERT_TRUE(pool_.RunOne());
    EXPECT_EQ(stream->sent.size(), frames);
  }
  stream->Over();
  pool_.RunAll();
}

TEST_F(SubscribeStreamTest, WhatComesDuringAWriteFollowsIt) {
  const auto stream = Subscribe(Everything());
  PublishLarge(2);
  pool_.RunAll();
  EXPECT_EQ(stream->sent.size(), 1u);  // that it has started is not written yet
  EndWrite(*stream, true);
  EXPECT_EQ(stream->sent.size(), 2u);
  PublishLarge(1);
  pool_.RunAll();
  EndWrite(*stream, true);
  EXPECT_EQ(stream->sent.size(), 3u);
  EndWrite(*stream, true);
  EXPECT_EQ(stream->sent.size(), 4u);
  EndWrite(*stream, true);
  EXPECT_FALSE(stream->writing());
  stream->Over();
  pool_.RunAll();
}

TEST_F(SubscribeStreamTest, AStreamThatBrokeIsGivenNothingMore) {
  PublishLarge(20);
  const auto stream = Subscribe(Everything());
  EndWrite(*stream, true);
  stream->EndWrite(false);
  int tasks = 0;
  while (pool_.RunOne()) ASSERT_LT(++tasks, 10) << "frames are made for nobody";
  EXPECT_EQ(stream->sent.size(), 2u);
  stream->Over();
  pool_.RunAll();
}

TEST_F(SubscribeStreamTest, WhatWasNotWrittenIsNotAcknowledged) {
  PublishLarge(3);
  events::v1::SubscribeStart start = Everything();
  start.set_subscription(kName);
  const auto stream = Subscribe(start);
  CommitAll();
  EndWrite(*stream, true);  // started; the first event is on its way
  CommitAll();
  EXPECT_EQ(Acknowledged(), 0u);
  EndWrite(*stream, true);  // and was written; the second is on its way
  CommitAll();
  CommitAll();
  EXPECT_EQ(Acknowledged(), 1u);
  EndWrite(*stream, false);
  CommitAll();
  CommitAll();
  EXPECT_EQ(Acknowledged(), 1u);
  stream->Over();
  pool_.RunAll();
}

// How far a stream came is on disk with acks alone.
TEST_F(SubscribeStreamTest, WhatMayHaveBeenDeliveredBeforeARestartSaysSo) {
  PublishLarge(1);
  events::v1::SubscribeStart start = Everything();
  start.set_subscription(kName);
  start.set_auto_ack(false);
  const auto first = Subscribe(start);
  CommitAll();
  EndWrite(*first, true);
  EXPECT_EQ(Attempts(*first), std::vector<uint32_t>{1});
  EndWrite(*first, false);
  first->Over();
  pool_.RunAll();

  Restart();
  const auto second = Subscribe(start);
  PublishLarge(1);
  pool_.RunAll();
  EndWrite(*second, true);
  EXPECT_EQ(Attempts(*second), std::vector<uint32_t>{2});
  EndWrite(*second, true);
  EXPECT_EQ(Attempts(*second), std::vector<uint32_t>{1});
  second->Over();
  pool_.RunAll();
}

// Streams that read by one name in turns.
class TurnsTest : public SubscribeStreamTest {
 protected:
  using StreamPtr = std::shared_ptr<test::FakeServerStream>;

  StreamPtr Named(bool wait) {
    events::v1::SubscribeStart start = Everything();
    start.set_subscription(kName);
    start.set_auto_ack(false);
    start.set_wait(wait);
    StreamPtr stream = Subscribe(start);
    CommitAll();
    return stream;
  }
  static events::v1::SubscribeResponse Last(const test::FakeServerStream& stream) {
    events::v1::SubscribeResponse response;
    EXPECT_TRUE(rpc::Parse(stream.sent.back(), &response).ok());
    return response;
  }
  // The client takes what there is.
  void Drain(test::FakeServerStream& stream) {
    while (stream.writing()) EndWrite(stream, true);
  }
  void Acknowledge(test::FakeServerStream& stream, uint64_t sequence) {
    events::v1::SubscribeRequest request;
    request.mutable_ack()->set_sequence(sequence);
    stream.Receive(request);
    pool_.RunAll();
  }
  void End(test::FakeServerStream& stream) {
    stream.Over();
    pool_.RunAll();
    CommitAll();
  }
};

TEST_F(TurnsTest, OneThatWaitsReadsWhenTheOtherHasLeft) {
  PublishLarge(2);
  const StreamPtr first = Named(true);
  Drain(*first);
  EXPECT_EQ(Attempts(*first), std::vector<uint32_t>{1}) << "nobody was there";
  const StreamPtr second = Named(true);
  EXPECT_EQ(Last(*second).waiting().ahead(), 1u);
  EndWrite(*second, true);
  EXPECT_FALSE(second->writing());
  EXPECT_TRUE(first->closed.empty());
  EXPECT_EQ(holders_->WaitingFor(kName), 1u);

  Acknowledge(*first, 1);  // and is gone before that is on disk
  End(*first);
  EXPECT_TRUE(Last(*second).has_started());
  EXPECT_EQ(Last(*second).started().position().sequence(), 1u) << "behind what was acknowledged";
  EndWrite(*second, true);
  EXPECT_EQ(Attempts(*second), std::vector<uint32_t>{2});
  EXPECT_EQ(holders_->WaitingFor(kName), 0u);
  End(*second);
  EXPECT_FALSE(holders_->IsHeld(kName));
}

TEST_F(TurnsTest, ManyWaitInOrder) {
  const StreamPtr first = Named(false);
  std::vector<StreamPtr> waiting;
  for (uint32_t i = 1; i <= 3; ++i) {
    waiting.push_back(Named(true));
    EXPECT_EQ(Last(*waiting.back()).waiting().ahead(), i);
    Drain(*waiting.back());
  }
  End(*waiting[1]);  // one that waits may leave
  EXPECT_EQ(Last(*waiting[0]).waiting().ahead(), 1u);
  EXPECT_EQ(Last(*waiting[2]).waiting().ahead(), 2u);
  Drain(*waiting[2]);
  End(*first);
  EXPECT_TRUE(Last(*waiting[0]).has_started());
  EXPECT_EQ(Last(*waiting[2]).waiting().ahead(), 1u);
  Drain(*waiting[2]);
  End(*waiting[0]);
  EXPECT_TRUE(Last(*waiting[2]).has_started());
  End(*waiting[2]);
}

TEST_F(TurnsTest, OneThatTakesOverComesBeforeThoseThatWait) {
  const StreamPtr first = Named(false);
  const StreamPtr waits = Named(true);
  Drain(*waits);
  Drain(*first);
  const StreamPtr third = Named(false);
  EXPECT_EQ(Last(*first).go_away().reason(), "TAKEN_OVER");
  EXPECT_TRUE(Last(*third).has_started());
  End(*first);
  EXPECT_TRUE(Last(*waits).has_waiting()) << "the one that left did not hold it any more";
  End(*third);
  EXPECT_TRUE(Last(*waits).has_started());
  End(*waits);
}

TEST_F(TurnsTest, OneThatWaitsIsToldThatItsStreamLives) {
  const StreamPtr first = Named(false);
  const StreamPtr waits = Named(true);
  EndWrite(*waits, true);
  for (int i = 0; i < 3; ++i) {  // the first interval had the word that it waits
    timers_.Advance(kHeartbeatInterval);
    pool_.RunAll();
    Drain(*waits);
  }
  EXPECT_TRUE(Last(*waits).has_heartbeat());
  EXPECT_FALSE(Last(*waits).heartbeat().has_position());
  EXPECT_EQ(waits->sent.size(), 3u);
  End(*first);
  End(*waits);
}

TEST_F(TurnsTest, AsManyWaitAsMay) {
  const StreamPtr first = Named(false);
  std::vector<StreamPtr> waiting;
  for (size_t i = 0; i < SubscriptionHolders::kMostWaiting; ++i) waiting.push_back(Named(true));
  const StreamPtr refused = Named(true);
  ASSERT_EQ(refused->closed.size(), 1u);
  EXPECT_THAT(refused->closed[0], test::HasReason(base::Reason::kQuota));
  End(*refused);
  End(*first);
  EXPECT_EQ(holders_->WaitingFor(kName), SubscriptionHolders::kMostWaiting - 1);
  for (const StreamPtr& stream : waiting) End(*stream);
}

TEST_F(TurnsTest, AChangeEndsThoseThatWait) {
  const StreamPtr first = Named(false);
  const StreamPtr waits = Named(true);
  Drain(*first);
  Drain(*waits);
  bool done = false;
  const absl::Status why = base::MakeError(base::Reason::kSubscriptionChanged, "changed");
  ASSERT_TRUE(holders_->BeginChange(kName, why, [&] { done = true; }));
  pool_.RunAll();
  EXPECT_TRUE(done);
  for (const StreamPtr& stream : {first, waits}) {
    EXPECT_EQ(Last(*stream).go_away().reason(), "SUBSCRIPTION_CHANGED");
  }
  const StreamPtr late = Named(true);
  EXPECT_THAT(late->closed.at(0), test::HasReason(base::Reason::kSubscriptionChanged));
  holders_->EndChange(kName);
  for (const StreamPtr& stream : {first, waits, late}) End(*stream);
}

TEST_F(TurnsTest, AGrantThatEndsEndsOneThatWaits) {
  const StreamPtr first = Named(false);
  const StreamPtr waits = Named(true);
  Drain(*waits);
  grants_.Replace(*authz::Grants::Compile({}));
  timers_.Advance(kHeartbeatInterval);
  pool_.RunAll();
  EXPECT_EQ(Last(*waits).go_away().reason(), "NOT_GRANTED");
  End(*first);
  End(*waits);
}

TEST_F(TurnsTest, WithoutANameThereIsNothingToWaitFor) {
  events::v1::SubscribeStart start = Everything();
  start.set_wait(true);
  const StreamPtr stream = Subscribe(start);
  EXPECT_THAT(stream->closed.at(0), test::HasReason(base::Reason::kInvalidArgument));
  End(*stream);
}

TEST_F(TurnsTest, AnAckBeforeItsTurnIsRefused) {
  const StreamPtr first = Named(false);
  const StreamPtr waits = Named(true);
  Drain(*waits);
  Acknowledge(*waits, 1);
  EXPECT_THAT(waits->closed.at(0), test::HasReason(base::Reason::kInvalidArgument));
  End(*waits);
  End(*first);
}

// Streams with filters wait with the matcher once they are at the head.
class FilteredStreamTest : public SubscribeStreamTest {
 protected:
  std::shared_ptr<test::FakeServerStream> Filtered(const std::string& id) {
    events::v1::SubscribeStart start = Everything();
    start.set_filter(absl::StrCat("id = '", id, "'"));
    const auto stream = Subscribe(start);
    EndWrite(*stream, true);  // started
    return stream;
  }
  void Publish(const std::string& id) {
    world_.Publish(id, "{}");
    pool_.RunAll();
  }
  static std::vector<std::string> Ids(const test::FakeServerStream& stream) {
    std::vector<std::string> ids;
    for (const grpc::ByteBuffer& message : stream.sent) {
      events::v1::SubscribeResponse response;
      EXPECT_TRUE(rpc::Parse(message, &response).ok());
      for (const auto& one : response.events().events()) ids.push_back(one.event().id());
    }
    return ids;
  }
  void End(const std::shared_ptr<test::FakeServerStream>& stream) {
    stream->Over();
    pool_.RunAll();
  }
};

TEST_F(FilteredStreamTest, IsWokenByWhatItsFilterIsTrueFor) {
  const auto stream = Filtered("wanted");
  EXPECT_EQ(matcher_->waiting(), 1u);
  Publish("other");
  EXPECT_EQ(stream->sent.size(), 1u);
  Publish("wanted");
  EXPECT_EQ(Ids(*stream), std::vector<std::string>{"wanted"});
  EndWrite(*stream, true);
  EXPECT_EQ(matcher_->waiting(), 1u);
  End(stream);
  EXPECT_EQ(matcher_->waiting(), 0u);
}

TEST_F(FilteredStreamTest, NothingIsMissedWhileItWrites) {
  const auto stream = Filtered("wanted");
  Publish("wanted");
  Publish("other");
  const auto late = Filtered("late");
  Publish("late");
  EndWrite(*stream, true);
  EXPECT_EQ(Ids(*stream), std::vector<std::string>{"wanted"});
  EXPECT_EQ(Ids(*late), std::vector<std::string>{"late"});
  EXPECT_EQ(matcher_->waiting(), 2u) << "also the one that still writes";
  End(stream);
  End(late);
}

// A client goes on from the position of a heartbeat: everything through there was delivered or is
// not for it.
TEST_F(FilteredStreamTest, AHeartbeatSaysHowFarItsFilterWasLookedAt) {
  const auto stream = Filtered("wanted");
  for (int i = 0; i < 5; ++i) Publish(absl::StrCat("other-", i));
  timers_.Advance(kHeartbeatInterval);
  pool_.RunAll();
  timers_.Advance(kHeartbeatInterval);
  pool_.RunAll();
  events::v1::SubscribeResponse response;
  ASSERT_TRUE(rpc::Parse(stream->sent.back(), &response).ok());
  EXPECT_EQ(response.heartbeat().position().sequence(), 5u);
  EXPECT_EQ(response.heartbeat().head(), 5u);
  EndWrite(*stream, true);
  Publish("wanted");
  EXPECT_EQ(Ids(*stream), std::vector<std::string>{"wanted"});
  End(stream);
}

TEST_F(FilteredStreamTest, EndsWithTheFeed) {
  const auto stream = Filtered("wanted");
  feed_->Shutdown();
  pool_.RunAll();
  events::v1::SubscribeResponse response;
  ASSERT_TRUE(rpc::Parse(stream->sent.back(), &response).ok());
  EXPECT_TRUE(response.has_go_away());
  EndWrite(*stream, true);
  End(stream);
}

}  // namespace
}  // namespace cdgate::delivery
