// Streams of subscribers over a store, a feed and an executor that the test drives.
#pragma once

#include "gateway/delivery/subscribe_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "tests/gateway/delivery/fake_server_stream.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/manual_executor.h"

namespace cdgate::delivery {

inline constexpr char kName[] = "deployer";

class SubscribeStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    feed_ = std::make_unique<eventlog::Feed>(*world_.log, pool_, world_.metrics);
    matcher_ = std::make_unique<LiveMatcher>(*feed_);
    rounds_ = std::make_unique<RoundGroups>(*feed_, pool_, world_.clock, timers_);
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
    const auto stream = test::StreamOf("deployer");
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
  std::unique_ptr<RoundGroups> rounds_;
  DeliveredCache delivered_;
  FrameRoom frame_room_;
  std::unique_ptr<SharedSubscriptions> shared_;
  int events_ = 0;
  int turns_ = 0;
};

}  // namespace cdgate::delivery
