#include "gateway/rpc/bearer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/errors.h"
#include "gateway/rpc/call.h"
#include "gateway/rpc/request_peers.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::IsEmpty;

class FakeStream final : public ServerStream {
 public:
  void Start(Callbacks) override {}
  void Read() override {}
  void Send(grpc::ByteBuffer, SendHint, Written) override {}
  void Close(const absl::Status& status) override { closed = status; }
  void Cancel(const absl::Status& why) override { cancelled = why; }
  std::string PeerAddress() const override { return ""; }
  const Call& call() const override { return call_; }

  std::optional<absl::Status> closed;
  std::optional<absl::Status> cancelled;

 private:
  const Call call_{};
};

class BearerStreamsTest : public testing::Test {
 protected:
  BearerPtr Token(absl::Status* state) {
    auto bearer = std::make_shared<Bearer>();
    bearer->check = [state] { return *state; };
    return bearer;
  }
  test::FakeClock clock_;
  test::FakeTimerQueue timers_{clock_};
  std::shared_ptr<BearerStreams> streams_ =
      BearerStreams::Create(clock_, timers_, [](const Bearer& bearer) { return bearer.check(); });
  absl::Status good_;
  absl::Status ends_;
  const absl::Status expired_ = base::MakeError(Reason::kIdentityTokenExpired, "it has expired");
};

TEST_F(BearerStreamsTest, AStreamEndsWithItsTokenAndNoOther) {
  const auto stays = std::make_shared<FakeStream>();
  const auto ends = std::make_shared<FakeStream>();
  streams_->Add(stays, Token(&good_));
  streams_->Add(ends, Token(&ends_));
  timers_.Advance(absl::Seconds(10));
  EXPECT_FALSE(ends->closed);
  ends_ = expired_;
  timers_.Advance(absl::Seconds(1));
  EXPECT_EQ(ends->closed, expired_);
  EXPECT_FALSE(ends->cancelled);  // it is told why first
  timers_.Advance(absl::Seconds(1));
  EXPECT_EQ(ends->cancelled, expired_);
  EXPECT_FALSE(stays->closed);
  EXPECT_FALSE(stays->cancelled);
}

TEST_F(BearerStreamsTest, NothingIsKeptOfStreamsThatAreOver) {
  auto stream = std::make_shared<FakeStream>();
  streams_->Add(stream, Token(&good_));
  EXPECT_EQ(timers_.pending(), 1U);
  streams_->Remove(stream.get());
  EXPECT_EQ(streams_->size(), 0U);
  timers_.Advance(absl::Seconds(1));
  EXPECT_EQ(timers_.pending(), 0U);  // nor does it tick for nothing
  streams_->Add(stream, Token(&ends_));
  ends_ = expired_;
  timers_.Advance(absl::Seconds(1));
  EXPECT_TRUE(stream->closed);
}

TEST_F(BearerStreamsTest, TicksThatComeAfterItAreHarmless) {
  streams_->Add(std::make_shared<FakeStream>(), Token(&good_));
  streams_.reset();
  timers_.Advance(absl::Seconds(5));
  EXPECT_EQ(timers_.pending(), 0U);
}

TEST(BearerTokenTest, IsWhatFollowsTheScheme) {
  EXPECT_EQ(BearerTokenOf("Bearer abc").value(), "abc");
  EXPECT_EQ(BearerTokenOf("bEARER  abc ").value(), "abc");
  for (const char* const bad : {"", "Bearer", "Basic abc", "abc", "Bearerabc"}) {
    EXPECT_THAT(BearerTokenOf(bad), test::HasReason(Reason::kUnauthenticatedCall)) << bad;
  }
}

TEST(RequestPeersTest, FindsThePeerWhereRequestsNameIt) {
  using namespace admin::v1;  // request names, here only
  FreezePeerRequest freeze;
  EXPECT_THAT(PeersOf(freeze), IsEmpty());
  freeze.set_domain("beta.example");
  EXPECT_THAT(PeersOf(freeze), ElementsAre("beta.example"));
  PlanPolicyRequest plan;
  EXPECT_THAT(PeersOf(plan), IsEmpty());
  plan.set_peer("beta.example");
  plan.mutable_policy()->set_peer("gamma.example");
  EXPECT_THAT(PeersOf(plan), ElementsAre("beta.example", "gamma.example"));
  ApprovePeerRequest approve;
  approve.set_reply_code("cdgate-reply…");
  EXPECT_THAT(PeersOf(approve), IsEmpty());
  EXPECT_TRUE(NamesPeer(*ApprovePeerRequest::descriptor()));
  EXPECT_TRUE(NamesPeer(*CheckPolicyRequest::descriptor()));
  EXPECT_FALSE(NamesPeer(*ApplyGrantRequest::descriptor()));
  EXPECT_FALSE(NamesPeer(*ListPeersRequest::descriptor()));
}

TEST(RequestPeersTest, EveryPeerThatIsNamedHasToBeInScope) {
  Call call;
  call.row = authz::FindMethod("/cdgate.admin.v1.AdminService/PlanPolicy");
  admin::v1::PlanPolicyRequest request;
  CDGATE_EXPECT_OK(CheckScope(call, request));  // whose grants are for all peers
  call.peers = authz::PeerScope::Of({authz::Pattern("beta.example")});
  EXPECT_THAT(CheckScope(call, request), test::HasReason(Reason::kScopeNotGranted));
  request.set_peer("beta.example");
  CDGATE_EXPECT_OK(CheckScope(call, request));
  request.mutable_policy()->set_peer("gamma.example");
  EXPECT_THAT(CheckScope(call, request), test::HasReason(Reason::kScopeNotGranted));
}

}  // namespace
}  // namespace cdgate::rpc
