// What gRPC does with a published identity while servers and channels live. gRPC looks once
// a second: the tests dial again until the change shows, for at most a quarter of a minute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/auth/credentials/mutual_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(15);

class RotationTest : public testing::Test {
 protected:
  RotationTest() {
    alpha_.Trust(beta_);
    beta_.Trust(alpha_);
    beta_listens_.emplace(beta_.Serve(ServerSide::kPeers));
  }
  // Dials until `done` or patience ends; false then.
  template <typename Done>
  bool DialUntil(const Server& server, Done done) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      if (done(Call(server, beta_.DialPeer("alpha.example")))) return true;
    }
    return false;
  }
  Domain alpha_{"alpha.example"};
  Domain beta_{"beta.example"};
  // As every gateway does. gRPC 1.51 may learn in the wrong order that the last user of a provider
  // went and the next one came, and gives out nothing then until the files change: a listener is
  // always one.
  std::optional<Server> beta_listens_;
};

TEST_F(RotationTest, NewHandshakesShowTheNewIdentityAndNoneFails) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  ASSERT_TRUE(Call(server, beta_.DialPeer("alpha.example")).ok());
  beta_.Install(beta_.ca.Gateway("gw1"));
  CDGATE_ASSERT_OK(beta_.store().Reload());
  EXPECT_TRUE(DialUntil(server, [&](const grpc::Status& status) {
    EXPECT_TRUE(status.ok()) << status.error_message();
    return server.last_caller()->serial == beta_.store().Current()->serial;
  }));
}

TEST_F(RotationTest, TheServersIdentityRotatesToo) {
  Server server(alpha_.Serve(ServerSide::kEnrolment));
  // What the server shows now, as somebody sees it who dials for the first time.
  const auto serial = [&] {
    const auto captured = std::make_shared<CapturedServer>();
    EXPECT_TRUE(Call(server, EnrolmentChannelCredentials(beta_.store(), "alpha.example", captured,
                                                         beta_.observer))
                    .ok());
    return captured->VerifyAgainst("alpha.example", alpha_.ca.bundle_pem(), absl::Now())->serial;
  };
  ASSERT_EQ(serial(), alpha_.store().Current()->serial);
  alpha_.Install(alpha_.ca.Gateway("gw1"));
  CDGATE_ASSERT_OK(alpha_.store().Reload());
  const absl::Time deadline = absl::Now() + kPatience;
  bool rotated = false;
  while (!rotated && absl::Now() < deadline) rotated = serial() == alpha_.store().Current()->serial;
  EXPECT_TRUE(rotated);
}

TEST_F(RotationTest, ABadPairIsRefusedAndTheLastGoodServes) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  auto bad = alpha_.ca.Gateway("gw1");
  bad.key_pem = alpha_.ca.Gateway("gw1").key_pem;
  alpha_.Install(bad);
  EXPECT_THAT(alpha_.store().Reload(), test::HasReason(base::Reason::kCredentialsInvalid));
  const absl::Time deadline = absl::Now() + absl::Milliseconds(1500);  // one look of gRPC's
  while (absl::Now() < deadline) {
    const grpc::Status status = Call(server, beta_.DialPeer("alpha.example"));
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_F(RotationTest, ANewPeerGetsInWithoutARestart) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  Domain gamma("gamma.example");
  gamma.Trust(alpha_);
  ASSERT_FALSE(Call(server, gamma.DialPeer("alpha.example")).ok());
  alpha_.Trust(gamma);
  const absl::Time deadline = absl::Now() + kPatience;
  bool in = false;
  while (!in && absl::Now() < deadline) in = Call(server, gamma.DialPeer("alpha.example")).ok();
  EXPECT_TRUE(in);
}

// As at the start of a gateway, which learns whom it trusts from its log.
TEST_F(RotationTest, WhoIsTrustedBeforeTheFirstCredentialsIsTrustedAtOnce) {
  Domain gamma("gamma.example");
  (void)alpha_.store();
  (void)gamma.store();
  alpha_.Trust(gamma);
  gamma.Trust(alpha_);
  Server server(alpha_.Serve(ServerSide::kPeers));
  const grpc::Status status = Call(server, gamma.DialPeer("alpha.example"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(RotationTest, CredentialsOutliveTheirStore) {
  auto gamma = std::make_unique<Domain>("gamma.example");
  gamma->Trust(alpha_);
  alpha_.Trust(*gamma);
  const auto dial = gamma->DialPeer("alpha.example");
  Server server(alpha_.Serve(ServerSide::kPeers));
  gamma->ForgetStore();
  const grpc::Status status = Call(server, dial);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace cdgate::credentials
