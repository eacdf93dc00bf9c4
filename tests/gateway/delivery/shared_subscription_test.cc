#include "gateway/delivery/shared_subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/delivery/subscribe_stream.h"
#include "gateway/delivery/subscription_settings.h"
#include "tests/gateway/delivery/fake_server_stream.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/manual_executor.h"

namespace cdgate::delivery {
namespace {

using base::Reason;
using test::HasReason;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr char kName[] = "workers";

// One event as a worker gets it: sequence and attempt.
using Delivery = std::pair<uint64_t, uint32_t>;

class SharedSubscriptionTest : public testing::Test {
 protected:
  using Streams = std::vector<std::shared_ptr<test::FakeServerStream>>;
  // What a killed process had; nothing is heard of it any more.
  struct Process {
    std::unique_ptr<eventlog::Feed> feed;
    std::unique_ptr<SubscriptionHolders> holders;
    std::unique_ptr<SharedSubscriptions> shared;
    Streams streams;
  };

  void SetUp() override {
    world_.Open();
    Start();
    admin::v1::Grant grant;
    grant.set_name("readers");
    grant.set_principal("spiffe://alpha.example/service/%");
    grant.set_role(admin::v1::ROLE_SUBSCRIBER);
    grants_.Replace(*authz::Grants::Compile({&grant, 1}));
    subscription_.set_name(kName);
    subscription_.set_owner("spiffe://alpha.example/service/worker");
    subscription_.set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
    subscription_.mutable_shared()->set_max_attempts(2);
    Store();
  }
  void TearDown() override {
    Restart();
    for (const Process& process : ended_) {
      for (const auto& stream : process.streams) stream->Over();
    }
    pool_.RunAll();
    for (const Process& process : ended_) process.feed->Shutdown();
    feed_->Shutdown();
    world_.store->Shutdown();  // nothing is told of what was proposed after this
    pool_.RunAll();
  }

  void Start() {
    feed_ = std::make_unique<eventlog::Feed>(*world_.log, pool_, world_.metrics);
    matcher_ = std::make_unique<LiveMatcher>(*feed_);
    rounds_ = std::make_unique<RoundGroups>(*feed_, pool_, world_.clock, timers_);
    holders_ = std::make_unique<SubscriptionHolders>();
    shared_ = std::make_unique<SharedSubscriptions>(SharedDeps{.store = *world_.store,
                                                               .feed = *feed_,
                                                               .grants = grants_,
                                                               .pool = pool_,
                                                               .clock = world_.clock,
                                                               .timers = timers_,
                                                               .metrics = world_.metrics});
  }
  // The subscription as it is now, from the beginning of the log.
  void Store() {
    state::Proposal proposal;
    proposal.resources.push_back(
        test::Resource(state::kSubscriptionKind, kName, subscription_.SerializeAsString()));
    state::CursorEdit cursor;
    cursor.move =
        MakeCursor(kName, world_.store->head().epoch, base::Sequence(0), base::Sequence(0));
    proposal.cursors.push_back(std::move(cursor));
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  // Until nothing is left to do but wait for time.
  void Settle() {
    for (int i = 0; i < 6; ++i) {
      pool_.RunAll();
      CDGATE_ASSERT_OK(world_.Apply(test::Resource("group", absl::StrCat("t", ++turns_), "x")));
      pool_.RunAll();
      for (auto& stream : streams_) {
        if (stream->writing()) stream->EndWrite(true);
      }
      pool_.RunAll();
    }
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) world_.Publish(absl::StrCat("event-", ++events_));
    pool_.RunAll();
  }
  std::shared_ptr<test::FakeServerStream> Subscribe(uint32_t max_events = 0) {
    events::v1::SubscribeStart start;
    start.set_subscription(kName);
    start.set_max_outstanding_events(max_events);
    return Subscribe(start);
  }
  std::shared_ptr<test::FakeServerStream> Subscribe(const events::v1::SubscribeStart& start,
                                                    const std::string& who = "worker") {
    const auto stream = test::StreamOf(who);
    SubscribeStream::Subscribe(stream, {.store = *world_.store,
                                        .feed = *feed_,
                                        .matcher = *matcher_,
                                        .rounds = *rounds_,
                                        .delivered = delivered_,
                                        .frame_room = frame_room_,
                                        .grants = grants_,
                                        .holders = *holders_,
                                        .shared = *shared_,
                                        .pool = pool_,
                                        .clock = world_.clock,
                                        .timers = timers_});
    streams_.push_back(stream);
    events::v1::SubscribeRequest request;
    *request.mutable_start() = start;
    stream->Receive(request);
    Settle();
    return stream;
  }
  // All that it was sent since it was asked last.
  std::vector<Delivery> Take(const std::shared_ptr<test::FakeServerStream>& stream) {
    std::vector<Delivery> out;
    for (const grpc::ByteBuffer& bytes : std::exchange(stream->sent, {})) {
      events::v1::SubscribeResponse response;
      EXPECT_TRUE(rpc::Parse(bytes, &response).ok());
      for (const auto& event : response.events().events()) {
        out.emplace_back(event.sequence(), event.attempt());
      }
      confirmed_.insert(confirmed_.end(), response.ack_confirmed().sequences().begin(),
                        response.ack_confirmed().sequences().end());
    }
    return out;
  }
  void Ack(const std::shared_ptr<test::FakeServerStream>& stream,
           const std::vector<uint64_t>& sequences, bool confirm = false) {
    events::v1::SubscribeRequest request;
    request.mutable_ack()->mutable_sequences()->Add(sequences.begin(), sequences.end());
    request.mutable_ack()->set_confirm(confirm);
    stream->Receive(request);
    Settle();
  }
  void Nack(const std::shared_ptr<test::FakeServerStream>& stream, uint64_t sequence,
            std::optional<int64_t> retry_after = 0) {
    events::v1::SubscribeRequest request;
    request.mutable_nack()->add_sequences(sequence);
    if (retry_after) request.mutable_nack()->mutable_retry_after()->set_seconds(*retry_after);
    stream->Receive(request);
    Settle();
  }
  // The stream breaks.
  void Break(const std::shared_ptr<test::FakeServerStream>& stream) {
    stream->Over();
    streams_.erase(std::find(streams_.begin(), streams_.end(), stream));
    Settle();
  }
  void Pass(absl::Duration time) {
    timers_.Advance(time);
    Settle();
  }
  // The process ends, whatever is in memory, and another begins.
  void Restart() {
    ended_.push_back(
        {std::move(feed_), std::move(holders_), std::move(shared_), std::exchange(streams_, {})});
    Start();
  }
  storage::v1::CursorMove Cursor() { return world_.store->Cursor(ReaderOf(kName)).value(); }
  size_t DeadLetters() {
    return world_.store->DeadLetters(ReaderOf(kName), nullptr, 100).value().size();
  }

  test::StoreWorld world_;
  test::FakeTimerQueue timers_{world_.clock};
  test::ManualExecutor pool_;
  authz::GrantRegistry grants_;
  admin::v1::Subscription subscription_;
  std::unique_ptr<eventlog::Feed> feed_;
  std::unique_ptr<LiveMatcher> matcher_;
  std::unique_ptr<RoundGroups> rounds_;
  DeliveredCache delivered_;
  FrameRoom frame_room_;
  std::unique_ptr<SubscriptionHolders> holders_;
  std::unique_ptr<SharedSubscriptions> shared_;
  Streams streams_;
  std::vector<Process> ended_;
  std::vector<uint64_t> confirmed_;
  int events_ = 0;
  int turns_ = 0;
};

TEST_F(SharedSubscriptionTest, EachEventGoesToOneOfItsStreams) {
  const auto first = Subscribe(2);
  const auto second = Subscribe(2);
  Publish(5);
  Settle();
  auto got = Take(first);
  const auto others = Take(second);
  got.insert(got.end(), others.begin(), others.end());
  EXPECT_THAT(got, testing::UnorderedElementsAre(Pair(1, 1), Pair(2, 1), Pair(3, 1), Pair(4, 1)));
  EXPECT_EQ(shared_->StreamsOf(kName), 2U);
  Ack(first, {got[0].first});
  EXPECT_THAT(Take(first), ElementsAre(Pair(5, 1)));
}

TEST_F(SharedSubscriptionTest, WhatIsDoneIsOnDiskWhenItIsConfirmed) {
  Publish(3);
  const auto stream = Subscribe();
  EXPECT_EQ(Take(stream).size(), 3U);
  Ack(stream, {1, 3}, true);
  Take(stream);
  EXPECT_THAT(confirmed_, ElementsAre(1, 3));
  EXPECT_EQ(Cursor().position(), 1U);
  EXPECT_EQ(Cursor().shared().pending_size(), 1);
  Ack(stream, {2});
  EXPECT_EQ(Cursor().position(), 3U);
}

TEST_F(SharedSubscriptionTest, AnotherStreamGetsWhatABrokenOneHad) {
  Publish(2);
  const auto first = Subscribe();
  EXPECT_EQ(Take(first).size(), 2U);
  Ack(first, {1});
  const auto second = Subscribe();
  EXPECT_THAT(Take(second), IsEmpty());
  Break(first);
  EXPECT_THAT(Take(second), ElementsAre(Pair(2, 2)));
}

TEST_F(SharedSubscriptionTest, ADeadlineThatPassesDeliversAgain) {
  Publish(1);
  const auto stream = Subscribe();
  EXPECT_THAT(Take(stream), ElementsAre(Pair(1, 1)));
  Pass(absl::Seconds(30));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(stream), ElementsAre(Pair(1, 2)));
  Ack(stream, {1});
  EXPECT_EQ(Cursor().position(), 1U);
}

TEST_F(SharedSubscriptionTest, NoStreamReadsByOneThatIsPushed) {
  subscription_.mutable_push()->set_url("https://hooks.example/");
  Store();
  const auto stream = Subscribe();
  ASSERT_EQ(stream->closed.size(), 1u);
  EXPECT_THAT(stream->closed[0],
              test::HasReasonAndMessage(Reason::kInvalidArgument,
                                        testing::HasSubstr("pushed to a webhook")));
}

TEST_F(SharedSubscriptionTest, WhatFailsAsOftenAsItMayIsADeadLetter) {
  Publish(2);
  const auto stream = Subscribe();
  Take(stream);
  Nack(stream, 1);
  EXPECT_THAT(Take(stream), ElementsAre(Pair(1, 2)));
  EXPECT_EQ(DeadLetters(), 0U);
  Nack(stream, 1);
  EXPECT_THAT(Take(stream), IsEmpty());
  ASSERT_EQ(DeadLetters(), 1U);
  const auto row = world_.store->DeadLetters(ReaderOf(kName), nullptr, 1).value().at(0);
  EXPECT_EQ(row.letter().sequence(), 1U);
  EXPECT_EQ(row.letter().reason(), "delivery_failed");
  EXPECT_EQ(Cursor().position(), 1U);
}

TEST_F(SharedSubscriptionTest, AfterAKillWhatWasNotDoneComesAgainAndSaysSo) {
  Publish(3);
  const auto stream = Subscribe();
  Take(stream);
  Ack(stream, {2}, true);
  Restart();
  Publish(1);
  EXPECT_THAT(Take(Subscribe()), ElementsAre(Pair(1, 2), Pair(3, 2), Pair(4, 2)))
      << "4 may have been delivered, as far as the disk knows";
}

TEST_F(SharedSubscriptionTest, AfterItsLastStreamWhatIsOnDiskIsExact) {
  Publish(2);
  const auto stream = Subscribe();
  Take(stream);
  Ack(stream, {1, 2});
  Break(stream);
  EXPECT_EQ(shared_->StreamsOf(kName), 0U);
  EXPECT_EQ(Cursor().shared().reserved(), 2U);
  Publish(1);
  EXPECT_THAT(Take(Subscribe()), ElementsAre(Pair(3, 1)));
}

TEST_F(SharedSubscriptionTest, AFilterPassesOverWhatDoesNotMatch) {
  subscription_.set_filter("id = 'event-2'");
  Store();
  Publish(3);
  const auto stream = Subscribe();
  EXPECT_THAT(Take(stream), ElementsAre(Pair(2, 1)));
  Ack(stream, {2});
  EXPECT_EQ(Cursor().position(), 3U);
}

TEST_F(SharedSubscriptionTest, WhatAStreamSaysWronglyEndsItAlone) {
  Publish(2);
  const auto good = Subscribe(1);
  const auto bad = Subscribe(1);
  const auto had = Take(bad);
  ASSERT_EQ(had.size(), 1U);
  Take(good);
  Ack(bad, {99});
  ASSERT_EQ(bad->closed.size(), 1U);
  EXPECT_THAT(bad->closed[0], HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(good->closed, IsEmpty());
  Ack(good, {had[0].first == 1 ? 2U : 1U});
  EXPECT_THAT(Take(good), ElementsAre(Pair(had[0].first, 2)));
}

TEST_F(SharedSubscriptionTest, MessagesThatAreNotOfItAreRefused) {
  const auto refused = [this](const events::v1::SubscribeRequest& request) {
    const auto stream = Subscribe();
    stream->Receive(request);
    Settle();
    ASSERT_EQ(stream->closed.size(), 1U) << request.DebugString();
    EXPECT_THAT(stream->closed[0], HasReason(Reason::kInvalidArgument)) << request.DebugString();
  };
  events::v1::SubscribeRequest request;
  request.mutable_ack()->set_sequence(1);
  refused(request);
  request.mutable_ack()->clear_sequence();
  refused(request);  // of nothing
  request.mutable_extend()->add_sequences(1);
  refused(request);  // by nothing
  request.mutable_extend()->mutable_by()->set_seconds(3601);
  refused(request);
  request.mutable_nack()->add_sequences(1);
  request.mutable_nack()->mutable_retry_after()->set_seconds(-1);
  refused(request);
}

TEST_F(SharedSubscriptionTest, AStreamThatAskedForSoManyGetsNoMore) {
  Publish(5);
  events::v1::SubscribeStart start;
  start.set_subscription(kName);
  start.set_max_events(2);
  const auto stream = Subscribe(start);
  EXPECT_THAT(Take(stream), ElementsAre(Pair(1, 1), Pair(2, 1)));
  Ack(stream, {1});
  EXPECT_THAT(stream->closed, IsEmpty());
  EXPECT_THAT(Take(stream), IsEmpty()) << "room, but no more for it";
  Ack(stream, {2}, true);
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_THAT(confirmed_, ElementsAre(2));
  EXPECT_THAT(stream->closed, ElementsAre(absl::OkStatus()));
  EXPECT_EQ(Cursor().position(), 2u) << "on disk before it ends";
  Break(stream);
  EXPECT_THAT(Take(Subscribe()), ElementsAre(Pair(3, 1), Pair(4, 1), Pair(5, 1)))
      << "the rest is another's, for the first time";
}

TEST_F(SharedSubscriptionTest, WhatAStreamThatAskedForSoManyGivesBackCounts) {
  Publish(3);
  events::v1::SubscribeStart start;
  start.set_subscription(kName);
  start.set_max_events(1);
  const auto stream = Subscribe(start);
  EXPECT_THAT(Take(stream), ElementsAre(Pair(1, 1)));
  Nack(stream, 1);
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_THAT(stream->closed, ElementsAre(absl::OkStatus()));
  Break(stream);
  EXPECT_THAT(Take(Subscribe()), ElementsAre(Pair(1, 2), Pair(2, 1), Pair(3, 1)));
}

TEST_F(SharedSubscriptionTest, StartsThatAreNotOfItAreRefused) {
  events::v1::SubscribeStart start;
  start.set_subscription(kName);
  start.set_auto_ack(true);
  EXPECT_THAT(Subscribe(start)->closed, ElementsAre(HasReason(Reason::kInvalidArgument)));
  start.set_auto_ack(false);
  start.set_wait(true);
  EXPECT_THAT(Subscribe(start)->closed, ElementsAre(HasReason(Reason::kInvalidArgument)));
  start.set_wait(false);
  EXPECT_THAT(Subscribe(start, "other")->closed, ElementsAre(HasReason(Reason::kNotGranted)));
}

TEST_F(SharedSubscriptionTest, AChangeEndsItsStreamsAndKeepsOthersOut) {
  Publish(1);
  const auto stream = Subscribe();
  Take(stream);
  int stopped = 0;
  const auto why = base::MakeError(Reason::kSubscriptionChanged, "changed");
  EXPECT_TRUE(shared_->BeginChange(kName, why, [&stopped] { ++stopped; }));
  EXPECT_FALSE(shared_->BeginChange(kName, why, [&stopped] { ++stopped; }));
  Settle();
  EXPECT_EQ(stopped, 1);
  EXPECT_THAT(stream->closed, ElementsAre(HasReason(Reason::kSubscriptionChanged)));
  EXPECT_THAT(Subscribe()->closed, ElementsAre(HasReason(Reason::kSubscriptionChanged)));
  shared_->EndChange(kName);
  EXPECT_THAT(Take(Subscribe()), ElementsAre(Pair(1, 2)));
}

TEST_F(SharedSubscriptionTest, AGrantThatEndsEndsItsStreams) {
  const auto stream = Subscribe();
  grants_.Replace(*authz::Grants::Compile({}));
  Publish(1);
  Settle();
  EXPECT_THAT(Take(stream), IsEmpty());
  EXPECT_THAT(stream->closed, ElementsAre(HasReason(Reason::kNotGranted)));
}

TEST_F(SharedSubscriptionTest, DrainingIsNoFailureOfWhatWasDelivered) {
  Publish(1);
  for (int i = 0; i < 4; ++i) {
    const auto stream = Subscribe();
    EXPECT_THAT(Take(stream), ElementsAre(Pair(1, i + 1)));
    const auto why = base::MakeError(Reason::kSubscriptionChanged, "changed");
    EXPECT_TRUE(shared_->BeginChange(kName, why, [] {}));
    Settle();
    shared_->EndChange(kName);
    Break(stream);
  }
  EXPECT_EQ(DeadLetters(), 0U);
}

}  // namespace
}  // namespace cdgate::delivery
