#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/auth/credentials/mutual_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

using base::Reason;

// Neither domain trusts the other yet.
class EnrolmentCredentialsTest : public testing::Test {
 protected:
  std::shared_ptr<grpc::ChannelCredentials> Dial(const std::string& domain) {
    return EnrolmentChannelCredentials(accepter_.store(), domain, captured_, accepter_.observer);
  }
  Domain inviter_{"alpha.example"};
  Domain accepter_{"beta.example"};
  const std::shared_ptr<CapturedServer> captured_ = std::make_shared<CapturedServer>();
};

TEST_F(EnrolmentCredentialsTest, ConnectsFirstAndVerifiesAfterwards) {
  Server server(inviter_.Serve(ServerSide::kEnrolment));
  const grpc::Status status = Call(server, Dial("alpha.example"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  // The inviter's side: its handler gets a bundle, and checks who handed it over.
  const auto caller = server.last_caller();
  CDGATE_ASSERT_OK(caller);
  const auto store = trust::MakeTrustStore("beta.example", accepter_.ca.bundle_pem(), {}).value();
  CDGATE_EXPECT_OK(trust::VerifyAgainst(*store, "beta.example", caller->leaf_pem, caller->chain_pem,
                                        crypto::Purpose::kClient, absl::Now()));
  // The accepter's side.
  CDGATE_EXPECT_OK(
      captured_->VerifyAgainst("alpha.example", inviter_.ca.bundle_pem(), absl::Now()));
}

TEST_F(EnrolmentCredentialsTest, AManInTheMiddleIsFoundOut) {
  Domain impostor("alpha.example");  // the right name, from a CA of its own
  Server server(impostor.Serve(ServerSide::kEnrolment));
  ASSERT_TRUE(Call(server, Dial("alpha.example")).ok());
  EXPECT_THAT(captured_->VerifyAgainst("alpha.example", inviter_.ca.bundle_pem(), absl::Now()),
              test::HasReason(Reason::kCertificateUntrusted));
}

TEST_F(EnrolmentCredentialsTest, RefusesAServerOfAnotherDomain) {
  Server server(inviter_.Serve(ServerSide::kEnrolment));
  EXPECT_FALSE(Call(server, Dial("gamma.example")).ok());
  EXPECT_EQ(accepter_.observer->Take().reason, Reason::kWrongPeer);
}

TEST_F(EnrolmentCredentialsTest, RefusesASecondServer) {
  Domain impostor("alpha.example");
  Server first(inviter_.Serve(ServerSide::kEnrolment));
  Server second(impostor.Serve(ServerSide::kEnrolment));
  ASSERT_TRUE(Call(first, Dial("alpha.example")).ok());
  EXPECT_FALSE(Call(second, Dial("alpha.example")).ok());
  EXPECT_EQ(accepter_.observer->Take().reason, Reason::kWrongPeer);
}

TEST_F(EnrolmentCredentialsTest, NothingIsVerifiedWithoutAConnection) {
  EXPECT_THAT(captured_->VerifyAgainst("alpha.example", inviter_.ca.bundle_pem(), absl::Now()),
              test::HasReason(Reason::kPeerClosedHandshake));
}

TEST_F(EnrolmentCredentialsTest, ListenerTakesGatewaysOnly) {
  Server server(inviter_.Serve(ServerSide::kEnrolment));
  Domain service("gamma.example", [](const test::TestCa& ca) { return ca.Service("jenkins"); });
  EXPECT_FALSE(Call(server, EnrolmentChannelCredentials(service.store(), "alpha.example", captured_,
                                                        service.observer))
                   .ok());
  EXPECT_EQ(inviter_.observer->Take().reason, Reason::kWrongPeer);
}

TEST_F(EnrolmentCredentialsTest, ListenerRequiresACertificate) {
  Server server(inviter_.Serve(ServerSide::kEnrolment));
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = inviter_.ca.bundle_pem();
  EXPECT_FALSE(Call(server, grpc::SslCredentials(options)).ok());
  EXPECT_FALSE(server.last_caller().ok());
}

}  // namespace
}  // namespace cdgate::credentials
