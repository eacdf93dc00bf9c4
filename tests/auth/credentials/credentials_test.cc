#include "auth/credentials/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/auth/credentials/mutual_tls.h"
#include "tests/support/status_matchers.h"

namespace cdgate::credentials {
namespace {

using base::Reason;
using grpc::StatusCode;
using testing::HasSubstr;

// alpha serves, beta dials; each trusts the other.
class PeersListenerTest : public testing::Test {
 protected:
  PeersListenerTest() {
    alpha_.Trust(beta_);
    beta_.Trust(alpha_);
  }
  Domain alpha_{"alpha.example"};
  Domain beta_{"beta.example"};
};

TEST_F(PeersListenerTest, TakesAPeersGatewayAndKnowsIt) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  const grpc::Status status = Call(server, beta_.DialPeer("alpha.example"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto caller = server.last_caller();
  CDGATE_ASSERT_OK(caller);
  EXPECT_EQ(caller->id.text(), "spiffe://beta.example/gateway/gw1");
  EXPECT_EQ(caller->serial, beta_.store().Current()->serial);
  EXPECT_EQ(caller->not_after, beta_.store().Current()->not_after);
  CDGATE_EXPECT_OK(trust::Verify(*alpha_.registry.Current(), caller->leaf_pem, caller->chain_pem,
                                 crypto::Purpose::kClient, absl::Now()));
}

TEST_F(PeersListenerTest, TakesAPeerWithAnIntermediate) {
  Domain gamma("gamma.example", [](const test::TestCa& ca) {
    const auto issuing = ca.ca().IssueIntermediate("gamma.example", {}, absl::Now()).value();
    const auto below =
        crypto::CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
    crypto::LeafRequest request;
    request.uri_names = {"spiffe://gamma.example/gateway/gw1"};
    return below.Issue(request, absl::Now()).value();
  });
  gamma.Trust(alpha_);
  alpha_.Trust(gamma);
  Server server(alpha_.Serve(ServerSide::kPeers));
  const grpc::Status status = Call(server, gamma.DialPeer("alpha.example"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto caller = server.last_caller();
  CDGATE_ASSERT_OK(caller);
  CDGATE_EXPECT_OK(trust::Verify(*alpha_.registry.Current(), caller->leaf_pem, caller->chain_pem,
                                 crypto::Purpose::kClient, absl::Now()));
  Server gammas(gamma.Serve(ServerSide::kPeers));
  EXPECT_TRUE(Call(gammas, alpha_.DialPeer("gamma.example")).ok());
}

// What beta's listed leaf is refused for. The client sees no more than a closed connection.
struct RefusedLeaf {
  std::string name;
  std::vector<std::string> uri_names;
  Reason reason;
  std::string claimed_id;
};

class RefusedLeafTest : public PeersListenerTest,
                        public testing::WithParamInterface<RefusedLeaf> {};

TEST_P(RefusedLeafTest, IsRefusedWithItsReason) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  // Straight to gRPC: our own store would not load such an identity.
  const auto leaf = beta_.ca.Leaf(GetParam().uri_names);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = alpha_.ca.bundle_pem();
  options.pem_private_key = leaf.key_pem;
  options.pem_cert_chain = leaf.certificate_pem;
  EXPECT_EQ(Call(server, grpc::SslCredentials(options)).error_code(), StatusCode::UNAVAILABLE);
  const Refusal refusal = alpha_.observer->Take();
  EXPECT_EQ(refusal.side, Side::kServer);
  EXPECT_EQ(refusal.reason, GetParam().reason) << refusal.message;
  EXPECT_EQ(refusal.claimed_id, GetParam().claimed_id);
  EXPECT_FALSE(server.last_caller().ok());
}

INSTANTIATE_TEST_SUITE_P(, RefusedLeafTest,
                         testing::Values(RefusedLeaf{"OtherDomainsName",
                                                     {"spiffe://alpha.example/gateway/gw1"},
                                                     Reason::kCertificateUntrusted,
                                                     "spiffe://alpha.example/gateway/gw1"},
                                         RefusedLeaf{"TwoUriNames",
                                                     {"spiffe://beta.example/gateway/a",
                                                      "spiffe://beta.example/gateway/b"},
                                                     Reason::kCertificateMalformed,
                                                     ""},
                                         RefusedLeaf{
                                             "NoUriName", {}, Reason::kCertificateMalformed, ""},
                                         RefusedLeaf{"NotASpiffeId",
                                                     {"https://beta.example/gateway/a"},
                                                     Reason::kCertificateMalformed,
                                                     "https://beta.example/gateway/a"},
                                         RefusedLeaf{"UnknownDomain",
                                                     {"spiffe://gamma.example/gateway/a"},
                                                     Reason::kUnknownTrustDomain,
                                                     "spiffe://gamma.example/gateway/a"},
                                         RefusedLeaf{"NotAGateway",
                                                     {"spiffe://beta.example/service/jenkins"},
                                                     Reason::kWrongPeer,
                                                     "spiffe://beta.example/service/jenkins"}),
                         [](const auto& leaf) { return leaf.param.name; });

TEST_F(PeersListenerTest, RefusesOurOwnGateways) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  EXPECT_FALSE(Call(server, alpha_.DialPeer("alpha.example")).ok());
  EXPECT_EQ(alpha_.observer->Take().reason, Reason::kWrongPeer);
}

TEST_F(PeersListenerTest, RefusesTheExpiredByOurClock) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  alpha_.clock.Shift(absl::Hours(25));
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  EXPECT_EQ(alpha_.observer->Take().reason, Reason::kCertificateExpired);
}

TEST_F(PeersListenerTest, RefusesTheNotYetValidByOurClock) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  alpha_.clock.Shift(-absl::Hours(1));
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  EXPECT_EQ(alpha_.observer->Take().reason, Reason::kCertificateNotYetValid);
}

TEST_F(PeersListenerTest, RefusesTheRevokedAtTheNextHandshake) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  ASSERT_TRUE(Call(server, beta_.DialPeer("alpha.example")).ok());
  CDGATE_ASSERT_OK(
      alpha_.registry.Replace("beta.example", beta_.ca.bundle_pem(),
                              {beta_.ca.CrlRevoking(beta_.store().Current()->leaf_pem)}));
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  EXPECT_EQ(alpha_.observer->Take().reason, Reason::kCertificateRevoked);
}

TEST_F(PeersListenerTest, RefusesARemovedPeerAtTheNextHandshake) {
  Server server(alpha_.Serve(ServerSide::kPeers));
  alpha_.registry.Remove("beta.example");
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  const Reason reason = alpha_.observer->Take().reason;
  // INTERNAL, no refusal: gRPC's own roots followed the registry already.
  EXPECT_TRUE(reason == Reason::kUnknownTrustDomain || reason == Reason::kInternal);
}

// --- the side that dials

TEST_F(PeersListenerTest, DialRefusesAnotherDomainThanExpected) {
  Domain gamma("gamma.example");
  beta_.Trust(gamma);
  gamma.Trust(beta_);
  Server server(gamma.Serve(ServerSide::kPeers));
  const grpc::Status status = Call(server, beta_.DialPeer("alpha.example"));
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("a gateway of alpha.example was expected"));
  const Refusal refusal = beta_.observer->Take();
  EXPECT_EQ(refusal.side, Side::kClient);
  EXPECT_EQ(refusal.reason, Reason::kWrongPeer);
  EXPECT_EQ(refusal.claimed_id, "spiffe://gamma.example/gateway/gw1");
}

// beta trusts gamma's CA, and gamma's CA signs a leaf in alpha's name.
TEST_F(PeersListenerTest, DialRefusesATrustedCaInAnotherDomainsName) {
  Domain gamma("gamma.example");
  beta_.Trust(gamma);
  const auto rogue = gamma.ca.Leaf({"spiffe://alpha.example/gateway/gw1"});
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{rogue.key_pem, rogue.certificate_pem}};
  Server server(grpc::SslServerCredentials(options));
  EXPECT_EQ(Call(server, beta_.DialPeer("alpha.example")).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(beta_.observer->Take().reason, Reason::kCertificateUntrusted);
  EXPECT_FALSE(server.last_caller().ok());
}

TEST_F(PeersListenerTest, DialRefusesAServiceOfTheRightDomain) {
  const auto service = alpha_.ca.Service("jenkins");
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{service.key_pem, service.certificate_pem}};
  Server server(grpc::SslServerCredentials(options));
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  EXPECT_EQ(beta_.observer->Take().reason, Reason::kWrongPeer);
}

// --- the api listener

TEST_F(PeersListenerTest, ApiTakesOnlyOurOwn) {
  Server server(alpha_.Serve(ServerSide::kApi));
  EXPECT_FALSE(Call(server, beta_.DialPeer("alpha.example")).ok());
  const Refusal refusal = alpha_.observer->Take();
  EXPECT_EQ(refusal.reason, Reason::kWrongPeer);
  EXPECT_THAT(refusal.message, HasSubstr("principals of alpha.example"));
}

TEST_F(PeersListenerTest, AuthContextOfAPlainConnectionIsNobody) {
  Server server(grpc::InsecureServerCredentials());
  ASSERT_TRUE(Call(server, grpc::InsecureChannelCredentials()).ok());
  EXPECT_THAT(server.last_caller(), test::HasReason(Reason::kUnauthenticatedCall));
}

}  // namespace
}  // namespace cdgate::credentials
