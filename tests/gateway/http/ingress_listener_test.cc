// Who may send to the ingress, and until when.
#include "tests/gateway/http/ingress_fixture.h"

namespace cdgate::http {
namespace {

using base::Reason;
using test::SampleJson;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using IngressListenerTest = IngressTest;

TEST_F(IngressListenerTest, ATokenPublishesInItsOwnName) {
  StartTls();
  TestClient client = ConnectTls();
  const Reply reply = client.Ask(Event("1"));
  EXPECT_EQ(reply.status, 202);
  EXPECT_THAT(reply.body, HasSubstr("\"sequence\":1,\"duplicate\":false"));
  EXPECT_EQ(f_.Stored(base::Sequence(1)).publisher(), "token:ci");
  EXPECT_THAT(client.Ask(Event("1")).body, HasSubstr("\"sequence\":1,\"duplicate\":true"));
  EXPECT_STREQ(SSL_get_version(client.ssl()), "TLSv1.3");
}

TEST_F(IngressListenerTest, ACertificatePublishesInItsOwnName) {
  StartTls();
  const auto jenkins = ca_.Service("jenkins");
  TestClient client = ConnectTls(&jenkins);
  EXPECT_EQ(client.Ask(Post("", SampleJson("1"))).status, 202);
  EXPECT_EQ(f_.Stored(base::Sequence(1)).publisher(), "spiffe://alpha.example/service/jenkins");
}

TEST_F(IngressListenerTest, NobodyIsToldHowToBeSomebody) {
  StartTls();
  const Reply reply = ConnectTls().Ask(Post("", SampleJson("1")));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.head, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_THAT(reply.body, HasSubstr("UNAUTHENTICATED_CALL"));
}

TEST_F(IngressListenerTest, ACertificateWithoutAGrantPublishesNothing) {
  StartTls();
  const auto other = ca_.Service("other");
  const Reply reply = ConnectTls(&other).Ask(Post("", SampleJson("1")));
  EXPECT_EQ(reply.status, 403);
  EXPECT_THAT(reply.body, HasSubstr("\"NOT_GRANTED\""));
}

TEST_F(IngressListenerTest, ACertificateThatDoesNotVerifyEndsTheHandshake) {
  StartTls();
  const test::TestCa stranger("alpha.example", f_.clock.Now());
  const auto forged = stranger.Service("jenkins");
  TestClient client = ConnectTls(&forged);
  // With a valid token, too: what is shown must verify.
  EXPECT_EQ(client.Ask(Event("1")).status, 0);
  EXPECT_THAT(observer_->reasons(), ElementsAre(Reason::kCertificateUntrusted));
  EXPECT_THAT(observer_->addresses(), ElementsAre("127.0.0.1"));
}

TEST_F(IngressListenerTest, PrincipalsOfOtherDomainsAreRefused) {
  StartTls();
  const test::TestCa beta("beta.example", f_.clock.Now());
  CDGATE_ASSERT_OK(trust_.Replace("beta.example", beta.bundle_pem(), {}));
  const auto service = beta.Service("jenkins");
  EXPECT_EQ(ConnectTls(&service).Ask(Event("1")).status, 0);
  EXPECT_THAT(observer_->reasons(), ElementsAre(Reason::kWrongPeer));
}

TEST_F(IngressListenerTest, ARevokedCertificateEndsWithTheRequestUnderWay) {
  StartTls();
  const auto jenkins = ca_.Service("jenkins");
  TestClient client = ConnectTls(&jenkins);
  EXPECT_EQ(client.Ask(Post("", SampleJson("1"))).status, 202);
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", ca_.bundle_pem(),
                                  {ca_.CrlRevoking(jenkins.certificate_pem)}));
  // It is told why, or was ended already as it was idle.
  const Reply reply = client.Ask(Post("", SampleJson("2")));
  EXPECT_THAT(reply.status, AnyOf(401, 0));
  if (reply.status == 401) {
    EXPECT_THAT(reply.body, HasSubstr("CERTIFICATE_REVOKED"));
  }
}

TEST_F(IngressListenerTest, AnIdleConnectionEndsWhenItsPrincipalIsDenied) {
  StartTls();
  const auto jenkins = ca_.Service("jenkins");
  TestClient denied = ConnectTls(&jenkins);
  TestClient without = ConnectTls();
  EXPECT_EQ(denied.Ask(Post("", SampleJson("1"))).status, 202);
  EXPECT_EQ(without.Ask(Event("2")).status, 202);
  trust_.SetDenied(trust::DenyList::Compile(
                       {{.name = "left", .subject = "spiffe://alpha.example/service/jenkins"}})
                       .value());
  EXPECT_EQ(denied.Read().status, 0) << "ended without a request";
  EXPECT_EQ(without.Ask(Event("3")).status, 202) << "others do not notice";
}

TEST_F(IngressListenerTest, ACertificateThatExpiresEndsWithTheRequestUnderWay) {
  StartTls();
  const auto jenkins = ca_.Service("jenkins");
  TestClient client = ConnectTls(&jenkins);
  EXPECT_EQ(client.Ask(Post("", SampleJson("1"))).status, 202);
  f_.clock.Advance(absl::Hours(25));
  const Reply reply = client.Ask(Post("", SampleJson("2")));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("CERTIFICATE_EXPIRED"));
}

TEST_F(IngressListenerTest, WhatACertificateWasVerifiedByCanExpireToo) {
  StartTls();
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", ca_.bundle_pem(), {ca_.EmptyCrl()}));
  const auto jenkins =
      ca_.Leaf({"spiffe://alpha.example/service/jenkins"}, f_.clock.Now(), absl::Hours(72));
  TestClient client = ConnectTls(&jenkins);
  EXPECT_EQ(client.Ask(Post("", SampleJson("1"))).status, 202);
  f_.clock.Advance(absl::Hours(25));  // the list's time is over, not the certificate's
  EXPECT_EQ(client.Ask(Post("", SampleJson("2"))).status, 401);
}

TEST_F(IngressListenerTest, ARevokedTokenEndsWithTheRequestUnderWay) {
  StartTls();
  TestClient client = ConnectTls();
  EXPECT_EQ(client.Ask(Event("1")).status, 202);
  SetTokens(std::make_shared<const authz::Tokens>());
  const Reply reply = client.Ask(Event("2"));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("ACCESS_TOKEN_INVALID"));
  EXPECT_THAT(reply.body, Not(HasSubstr(token_.text.substr(7))));
}

TEST_F(IngressListenerTest, AnExpiredTokenEndsWithTheRequestUnderWay) {
  StartTls();
  TestClient client = ConnectTls();
  EXPECT_EQ(client.Ask(Event("1")).status, 202);
  f_.clock.Advance(absl::Hours(24 * 30));
  const Reply reply = client.Ask(Event("2"));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("ACCESS_TOKEN_EXPIRED"));
}

TEST_F(IngressListenerTest, ATokenIsAsGoodAsItsGrant) {
  SetToken("gone", f_.clock.Now() + absl::Hours(1));
  Start();
  const Reply reply = Connect().Ask(Event("1"));
  EXPECT_EQ(reply.status, 403);
  EXPECT_THAT(reply.body, HasSubstr("bound to the grant gone, which does not exist"));
}

TEST_F(IngressListenerTest, WhoIsDeniedIsToldWhy) {
  IngressOptions options = Options();
  options.handler.deny = [](const authz::Principal& principal) {
    return base::MakeError(Reason::kFrozen, principal.id);
  };
  Start(&options);
  EXPECT_THAT(Connect().Ask(Event("1")).body, HasSubstr("FROZEN"));
}

TEST_F(IngressListenerTest, OnlyBearerTokensAndOneOfThem) {
  Start();
  EXPECT_EQ(Connect().Ask(Post("Authorization: Basic Y2k6eA==\r\n", SampleJson("1"))).status, 401);
  EXPECT_EQ(Connect().Ask(Post(Bearer() + Bearer(), SampleJson("1"))).status, 400);
}

TEST_F(IngressListenerTest, ANewCertificateServesTheNextHandshake) {
  StartTls();
  const auto serial_of = [this] {
    TestClient client = ConnectTls();
    X509* const shown = SSL_get1_peer_certificate(client.ssl());
    const std::string serial(reinterpret_cast<const char*>(X509_get0_serialNumber(shown)->data), 8);
    X509_free(shown);
    return serial;
  };
  const std::string before = serial_of();
  EXPECT_EQ(serial_of(), before);
  TestClient open = ConnectTls();
  CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), ca_.Gateway("gw1")));
  CDGATE_ASSERT_OK(identity_->Reload());
  EXPECT_NE(serial_of(), before);
  EXPECT_EQ(open.Ask(Event("1")).status, 202);
}

TEST_F(IngressListenerTest, WhatIsNoTlsIsRefused) {
  StartTls();
  TestClient tcp = Connect();
  tcp.Send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(tcp.Read().status, 0);
  EXPECT_THAT(observer_->reasons(), ElementsAre(Reason::kTlsHandshakeFailed));
}

TEST_F(IngressListenerTest, WhoStillSendsGetsTheAlert) {
  StartTls();
  TestClient tcp = Connect();
  // A handshake record with a message that is none.
  tcp.Send(std::string("\x16\x03\x01\x00\x05", 5) + std::string(500'000, 'x'));
  bool clean = false;
  const std::string got = tcp.ReadAll(&clean);
  EXPECT_EQ(got.substr(0, 1), "\x15");  // RFC 8446, section 5.1: a record of alerts
  EXPECT_TRUE(clean);
}

TEST_F(IngressListenerTest, OlderTlsIsRefused) {
  StartTls();
  const ClientTls old{.max_version = TLS1_2_VERSION};
  EXPECT_FALSE(TestClient(listener_->bound_address(), &old).connected());
  EXPECT_THAT(observer_->reasons(), ElementsAre(Reason::kTlsHandshakeFailed));
}

TEST_F(IngressListenerTest, ClearTextIsForLoopbackOnly) {
  IngressOptions options = Options();
  options.address = "0.0.0.0:0";
  EXPECT_THAT(IngressListener::Start(std::move(options)),
              test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("0.0.0.0:0")));
}

TEST_F(IngressListenerTest, AnAddressInUseIsNamed) {
  Start();
  IngressOptions options = Options();
  options.address = listener_->bound_address();
  EXPECT_THAT(IngressListener::Start(std::move(options)), test::HasReason(Reason::kAddressInUse));
}

}  // namespace
}  // namespace cdgate::http
