#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/auth/credentials/mutual_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

using base::Reason;
using testing::HasSubstr;

// A folder as the command line has it, for a principal of alpha.example.
class ClientIdentityTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ClientIdentity>> LoadAs(const crypto::IssuedCertificate& leaf) {
    if (!alpha_.ca.WriteIdentity(folder_.path(), leaf).ok()) std::abort();
    return ClientIdentity::Load(folder_.path(), base::SystemClock());
  }
  Domain alpha_{"alpha.example"};
  test::TempDir folder_;
  const std::shared_ptr<RecordingObserver> observer_ = std::make_shared<RecordingObserver>();
};

TEST_F(ClientIdentityTest, ReachesTheGatewayOfItsDomain) {
  Server server(alpha_.Serve(ServerSide::kApi));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto identity, LoadAs(alpha_.ca.Service("jenkins")));
  EXPECT_EQ(identity->Current()->id, "spiffe://alpha.example/service/jenkins");
  const grpc::Status status = Call(server, identity->ChannelCredentials(observer_));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(server.last_caller()->id.text(), "spiffe://alpha.example/service/jenkins");
}

TEST_F(ClientIdentityTest, RefusesAServiceThatPosesAsTheGateway) {
  const auto service = alpha_.ca.Service("other");
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{service.key_pem, service.certificate_pem}};
  Server server(grpc::SslServerCredentials(options));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto identity, LoadAs(alpha_.ca.Service("jenkins")));
  EXPECT_FALSE(Call(server, identity->ChannelCredentials(observer_)).ok());
  EXPECT_EQ(observer_->Take().reason, Reason::kWrongPeer);
}

TEST_F(ClientIdentityTest, SaysWhichFileIsWrong) {
  auto leaf = alpha_.ca.Service("jenkins");
  leaf.key_pem = alpha_.ca.Service("other").key_pem;
  EXPECT_THAT(LoadAs(leaf),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("tls.key")));
  EXPECT_THAT(ClientIdentity::Load(folder_.File("nowhere"), base::SystemClock()),
              test::HasReason(Reason::kFileUnreadable));
}

}  // namespace
}  // namespace cdgate::credentials
