#include "gateway/delivery/subscribe_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "tests/gateway/delivery/fake_server_stream.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/manual_executor.h"

namespace cdgate::delivery {
namespace {

constexpr char kName[] = "deployer";

class SubscribeStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    feed_ = std::make_unique<eventlog::Feed>(*world_.log, pool_, world_.metrics);
    matcher_ = std::make_unique<LiveMatcher>(*feed_);
    shared_ = std::make_unique<SharedSubscriptions>(SharedDeps{.store = *world_.store,
                                                               .feed = *feed_,
                                                               .grants = grants_,
                                                               .pool = pool_,
                                                               .clock = world_.clock,
                                                               .timers = timers_,
                                                               .metrics = world_.metrics});
    admin::v1::Grant grant;
    grant.set_name("readers");
    grant.set_principal("spiffe://alpha.example/service/%");
    grant.set_role(admin::v1::ROLE_SUBSCRIBER);
    grants_.Replace(*authz::Grants::Compile({&grant, 1}));
  }
  void TearDown() override {
    feed_->Shutdown();
    pool_.RunAll();
  }

  std::shared_ptr<test::FakeServerStream> Subscribe(const events::v1::SubscribeStart& start) {
    rpc::Call call;
    call.method = "/cdgate.events.v1.EventsService/Subscribe";
    call.listener = authz::Listener::kApi;
    call.principal =
        authz::Principal::Spiffe(*trust::SpiffeId::Service("alpha.example", "deployer"));
    auto stream = std::make_shared<test::FakeServerStream>(std::move(call));
    SubscribeStream::Subscribe(stream, {.store = *world_.store,
                                        .feed = *feed_,
                                        .matcher = *matcher_,
                                        .delivered = delivered_,
                                        .grants = grants_,
                                        .holders = *holders_,
                                        .shared = *shared_,
                                        .pool = pool_,
                                        .clock = world_.clock,
                                        .timers = timers_});
    events::v1::SubscribeRequest request;
    *request.mutable_start() = start;
    stream->Receive(request);
    pool_.RunAll();
    return stream;
  }
  // From the beginning; what was delivered counts as acknowledged.
  static events::v1::SubscribeStart Everything() {
    events::v1::SubscribeStart start;
    start.mutable_from()->set_earliest(true);
    start.set_auto_ack(true);
    return start;
  }
  // A named subscription is on disk before it begins; the store commits on a thread of its own.
  void CommitAll() {
    CDGATE_ASSERT_OK(world_.Apply(test::Resource("group", absl::StrCat("turn-", ++turns_), "x")));
    pool_.RunAll();
  }
  void EndWrite(test::FakeServerStream& stream, bool ok) {
    stream.EndWrite(ok);
    pool_.RunAll();
  }
  uint64_t Acknowledged() {
    const auto cursor = world_.store->Cursor(ReaderOf(kName));
    return cursor ? cursor->position() : 0;
  }
  // What is only in memory is gone.
  void Restart() { holders_ = std::make_unique<SubscriptionHolders>(); }
  // Of the events in the last frame.
  static std::vector<uint32_t> Attempts(const test::FakeServerStream& stream) {
    events::v1::SubscribeResponse response;
    EXPECT_TRUE(rpc::Parse(stream.sent.back(), &response).ok());
    std::vector<uint32_t> attempts;
    for (const auto& one : response.events().events()) attempts.push_back(one.attempt());
    return attempts;
  }
  // Events larger than what a frame holds, so that each has one of its own.
  void PublishLarge(int count) {
    const std::string json = absl::StrCat("{\"x\":\"", std::string(kFrameBytes, 'y'), "\"}");
    for (int i = 0; i < count; ++i) world_.Publish(absl::StrCat("event-", ++events_), json);
  }

  test::StoreWorld world_;
  test::FakeTimerQueue timers_{world_.clock};
  test::ManualExecutor pool_;
  authz::GrantRegistry grants_;
  std::unique_ptr<SubscriptionHolders> holders_ = std::make_unique<SubscriptionHolders>();
  std::unique_ptr<eventlog::Feed> feed_;
  std::unique_ptr<LiveMatcher> matcher_;
  DeliveredCache delivered_;
  std::unique_ptr<SharedSubscriptions> shared_;
  int events_ = 0;
  int turns_ = 0;
};

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
