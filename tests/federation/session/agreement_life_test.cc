// Two gateways in one process over the life of their agreement: it ends, is renewed, removed;
// exports are stopped; a gateway starts frozen. Nothing is lost or repeated by any of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "federation/session/export_stop.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

using admin::v1::LINK_STATE_DOWN;
using admin::v1::LINK_STATE_STOPPED;
using admin::v1::LINK_STATE_UP;
using test::Eventually;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kBuild[] = "dev.cdevents.build.finished.0.2.0";
constexpr char kAlpha[] = "alpha.example";
constexpr char kBeta[] = "beta.example";

// A stream on which nothing ever comes, and whose thread, once it has told that it is over, holds
// the callbacks until it is let go. It is started before it is closed.
class LateStream final : public rpc::FrameStream {
 public:
  ~LateStream() override { ending_.join(); }
  void Start(Callbacks callbacks) override { callbacks_ = std::move(callbacks); }
  void Read() override {}
  void Send(grpc::ByteBuffer, rpc::SendHint, Written written) override { written(true); }
  void Close(const absl::Status& status) override { End(status); }
  void Cancel(const absl::Status& why) override { End(why); }
  std::string PeerAddress() const override { return "late"; }

  void WaitUntilOver() { over_.get_future().wait(); }
  void LetGo() { let_go_.set_value(); }

 private:
  void End(const absl::Status& status) {
    if (ending_.joinable()) return;
    ending_ = std::thread([this, status, callbacks = std::exchange(callbacks_, {})] {
      callbacks.on_closed(status);
      over_.set_value();
      let_go_.get_future().wait();
    });
  }

  Callbacks callbacks_;
  std::thread ending_;
  std::promise<void> over_, let_go_;
};

class AgreementLifeTest : public testing::Test {
 protected:
  AgreementLifeTest() : alpha_(network_.Add(kAlpha)), beta_(network_.Add(kBeta)) {
    // So that a heartbeat is not waited for.
    for (test::TestNode* node : {&alpha_, &beta_}) {
      node->Stop();
      node->set_heartbeat(absl::Seconds(1));
      node->Start();
    }
  }

  // alpha dials beta; both let everything through.
  void Connect() {
    alpha_.ApplyPolicy(kBeta, test::kAllowAll);
    beta_.ApplyPolicy(kAlpha, test::kAllowAll);
    network_.Peer(kAlpha, kBeta);
    ASSERT_TRUE(BothUp());
  }
  bool BothUp() {
    return Eventually([this] { return alpha_.IsUp(kBeta) && beta_.IsUp(kAlpha); });
  }
  bool BetaHas(const std::vector<std::string>& ids) {
    return Eventually([&] { return beta_.Received() == ids; });
  }
  static void EndAt(test::TestNode& node, const std::string& peer, absl::Time end) {
    node.EditPeer(peer, [end](admin::v1::Peer* p) {
      p->mutable_expire_time()->set_seconds(absl::ToUnixSeconds(end));
    });
  }
  static void StopExports(test::TestNode& node, bool stopped) {
    admin::v1::ExportSwitch exports;
    exports.set_stopped(stopped);
    node.Apply(session::kExportsKind, session::kAllExports, exports);
  }

  test::TestNetwork network_;
  test::TestNode& alpha_;
  test::TestNode& beta_;
};

TEST_F(AgreementLifeTest, TheLinkEndsWithTheAgreementAndGoesOnWhereItEnded) {
  Connect();
  const absl::Time end = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()) + 2);
  EndAt(alpha_, kBeta, end);
  ASSERT_TRUE(BothUp());  // no other act than the clock's ends it
  alpha_.Publish("before", kBuild);
  ASSERT_TRUE(BetaHas({"before"}));
  ASSERT_TRUE(Eventually([&] { return beta_.LinkTo(kAlpha).reason() == "agreement_expired"; }));
  EXPECT_GE(absl::Now(), end);
  EXPECT_LT(absl::Now(), end + absl::Seconds(5));
  // Each side knows, and whose end it was.
  ASSERT_TRUE(Eventually([&] { return alpha_.LinkTo(kBeta).state() == LINK_STATE_STOPPED; }));
  EXPECT_EQ(alpha_.LinkTo(kBeta).reason(), "agreement_expired");
  EXPECT_EQ(beta_.LinkTo(kAlpha).state(), LINK_STATE_DOWN);
  EXPECT_THAT(beta_.LinkTo(kAlpha).message(), HasSubstr("on the side of alpha.example"));

  alpha_.Publish("after the end", kBuild);
  beta_.Publish("of beta", kBuild);
  EndAt(alpha_, kBeta, end + absl::Hours(24));
  ASSERT_TRUE(BetaHas({"before", "after the end"}));
  ASSERT_TRUE(Eventually([&] { return alpha_.Received().size() == 1; }));
  EXPECT_EQ(alpha_.LinkTo(kBeta).state(), LINK_STATE_UP);
}

TEST_F(AgreementLifeTest, TheEndOfTheSideThatIsDialledCountsAsWell) {
  Connect();
  EndAt(beta_, kAlpha, absl::Now() - absl::Seconds(1));
  ASSERT_TRUE(Eventually([&] { return alpha_.LinkTo(kBeta).reason() == "agreement_expired"; }));
  EXPECT_EQ(alpha_.LinkTo(kBeta).state(), LINK_STATE_DOWN);
  EXPECT_THAT(alpha_.LinkTo(kBeta).message(), HasSubstr("on the side of beta.example"));
  alpha_.Publish("held back", kBuild);
  // Whoever dials asks again by itself.
  EndAt(beta_, kAlpha, absl::Now() + absl::Hours(24));
  ASSERT_TRUE(BetaHas({"held back"}));
}

TEST_F(AgreementLifeTest, AnotherEndpointIsDialledAtOnce) {
  Connect();
  const size_t dials = network_.dials();
  alpha_.EditPeer(kBeta, [](admin::v1::Peer* peer) { peer->set_purpose("the same, in words"); });
  alpha_.Publish("before", kBuild);
  ASSERT_TRUE(BetaHas({"before"}));
  EXPECT_EQ(network_.dials(), dials);
  alpha_.EditPeer(kBeta, [](admin::v1::Peer* peer) { peer->set_endpoint("memory:2"); });
  ASSERT_TRUE(Eventually([&] { return network_.dials() > dials; }));
  ASSERT_TRUE(BothUp());
  alpha_.Publish("after", kBuild);
  ASSERT_TRUE(BetaHas({"before", "after"}));
}

// The link had credit for thousands, and has as much again each time that it is made.
TEST_F(AgreementLifeTest, ARateThatComesLaterHoldsAtOnceAndOverAllLinks) {
  Connect();
  const absl::Duration began = base::SystemClock().Monotonic();
  beta_.ApplyPolicy(kAlpha, R"(import { rules { name: "all" when: "TRUE" action: ACTION_ALLOW }
                                        limits { events_per_second: 5 burst: 5 } })");
  ASSERT_TRUE(BothUp());
  alpha_.PublishMany("e", 200, kBuild);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Eventually([&] { return beta_.Received().size() > static_cast<size_t>(5 * i); }));
    network_.last_wire()->Cut();
    ASSERT_TRUE(BothUp());
  }
  const double seconds = absl::ToDoubleSeconds(base::SystemClock().Monotonic() - began);
  EXPECT_LE(static_cast<double>(beta_.Received().size()), 11 + 5 * seconds);
}

TEST_F(AgreementLifeTest, StoppedExportsStopOneDirectionAndSayWhy) {
  Connect();
  alpha_.Publish("before", kBuild);
  ASSERT_TRUE(BetaHas({"before"}));
  const absl::Time stopped = absl::Now();
  StopExports(alpha_, true);
  ASSERT_TRUE(Eventually([&] { return beta_.LinkTo(kAlpha).reason() == "exports_stopped"; }));
  EXPECT_LT(absl::Now() - stopped, absl::Seconds(1));
  EXPECT_EQ(beta_.LinkTo(kAlpha).state(), LINK_STATE_UP);
  EXPECT_EQ(beta_.LinkTo(kAlpha).message(),
            "all exports are stopped by the operator of alpha.example");
  EXPECT_EQ(alpha_.LinkTo(kBeta).reason(), "exports_stopped");
  const uint64_t sent = alpha_.LinkTo(kBeta).sent_position();
  alpha_.PublishMany("held", 300, kBuild);
  beta_.PublishMany("in", 100, kBuild);  // imports go on
  ASSERT_TRUE(Eventually([&] { return alpha_.Received().size() == 100; }));
  EXPECT_EQ(alpha_.LinkTo(kBeta).sent_position(), sent);
  EXPECT_THAT(beta_.Received(), ElementsAre("before"));
  StopExports(alpha_, false);
  ASSERT_TRUE(Eventually([&] { return beta_.Received().size() == 301; }));
  EXPECT_EQ(beta_.Received().back(), "held299");
  EXPECT_TRUE(Eventually([&] { return beta_.LinkTo(kAlpha).reason().empty(); }));
}

TEST_F(AgreementLifeTest, StoppedExportsStayStoppedAcrossARestart) {
  Connect();
  StopExports(alpha_, true);
  alpha_.Stop();
  alpha_.Start();
  ASSERT_TRUE(BothUp());
  ASSERT_TRUE(Eventually([&] { return beta_.LinkTo(kAlpha).reason() == "exports_stopped"; }));
  alpha_.Publish("held", kBuild);
  beta_.Publish("in", kBuild);
  ASSERT_TRUE(Eventually([&] { return alpha_.Received().size() == 1; }));
  EXPECT_THAT(beta_.Received(), ElementsAre());
  StopExports(alpha_, false);
  ASSERT_TRUE(BetaHas({"held"}));
}

TEST_F(AgreementLifeTest, AFrozenStartMakesNoLinkUntilItIsEnded) {
  Connect();
  for (test::TestNode* frozen : {&alpha_, &beta_}) {
    frozen->Stop();
    frozen->set_frozen(true);
    frozen->Start();
    test::TestNode& other = frozen == &alpha_ ? beta_ : alpha_;
    const std::string peer = frozen == &alpha_ ? kBeta : kAlpha;
    ASSERT_TRUE(Eventually([&] { return frozen->LinkTo(peer).state() == LINK_STATE_STOPPED; }));
    EXPECT_EQ(frozen->LinkTo(peer).reason(), "frozen");
    EXPECT_THAT(frozen->LinkTo(peer).message(), HasSubstr("cdgate export resume --all"));
    ASSERT_FALSE(other.IsUp(frozen->domain()));
    const size_t before = beta_.Received().size();
    alpha_.Publish(absl::StrCat("while ", frozen->domain()), kBuild);
    EXPECT_EQ(beta_.Received().size(), before);
    frozen->links().Unfreeze();
    ASSERT_TRUE(BothUp());
    ASSERT_TRUE(Eventually([&] { return beta_.Received().size() == before + 1; }));
    frozen->set_frozen(false);
  }
}

TEST_F(AgreementLifeTest, TheOtherSideRemembersWhoEndedTheAgreement) {
  Connect();
  beta_.Remove(state::kPeerKind, kAlpha);
  ASSERT_TRUE(Eventually([&] { return alpha_.LinkTo(kBeta).reason() == "no_agreement"; }));
  EXPECT_THAT(alpha_.LinkTo(kBeta).message(), StartsWith("beta.example ended the agreement at 2"));
  // What dialling gives afterwards does not hide it.
  network_.SetDown(true);
  const size_t dials = network_.dials();
  ASSERT_TRUE(Eventually([&] { return network_.dials() > dials + 1; }));
  EXPECT_EQ(alpha_.LinkTo(kBeta).reason(), "no_agreement");
  EXPECT_THAT(alpha_.LinkTo(kBeta).message(), StartsWith("beta.example ended the agreement at 2"));
}

// Its destructor still uses what the gateway is about to take down.
TEST_F(AgreementLifeTest, AGatewayStopsWhenNoThreadHasALinkAnyMore) {
  network_.SetDown(true);
  network_.Peer(kAlpha, kBeta);
  ASSERT_TRUE(Eventually([&] { return beta_.LinkTo(kAlpha).state() == LINK_STATE_DOWN; }));
  const auto stream = std::make_shared<LateStream>();
  network_.Accept(kAlpha, kBeta, stream);
  std::future<void> stopped = std::async(std::launch::async, [this] { beta_.Stop(); });
  stream->WaitUntilOver();
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  stream->LetGo();
  stopped.get();
}

}  // namespace
}  // namespace cdgate
