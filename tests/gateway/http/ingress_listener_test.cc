#include "gateway/http/ingress_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/authz/token.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/gateway/http/ingress_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::http {
namespace {

using base::Reason;
using test::SampleJson;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Recorder final : public credentials::VerificationObserver {
 public:
  void OnRefused(const credentials::Refusal& refusal) override {
    base::MutexLock lock(mu_);
    reasons_.push_back(refusal.reason);
  }
  std::vector<Reason> reasons() const {
    base::MutexLock lock(mu_);
    return reasons_;
  }

 private:
  mutable base::Mutex mu_;
  std::vector<Reason> reasons_ CDGATE_GUARDED_BY(mu_);
};

std::string Post(const std::string& fields, const std::string& body) {
  return absl::StrCat("POST /events HTTP/1.1\r\nHost: a\r\n", fields,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

// In clear text, unless a test starts it with TLS.
class IngressListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL's clients write with write()
    token_ = authz::MintToken(base::SystemRandom());
    SetToken("jenkins", f_.clock.Now() + absl::Hours(24 * 30));
  }

  void SetToken(const std::string& grant, absl::Time expires) {
    admin::v1::Token token;
    token.set_name("ci");
    token.set_grant(grant);
    token.set_secret_digest(token_.digest);
    token.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(expires));
    tokens_.Replace(
        std::make_shared<const authz::Tokens>("alpha.example", absl::MakeConstSpan(&token, 1)));
  }

  void Start(IngressOptions* changed = nullptr) {
    IngressOptions options = changed != nullptr ? std::move(*changed) : Options();
    auto started = IngressListener::Start(std::move(options));
    CDGATE_ASSERT_OK(started.status());
    listener_ = *std::move(started);
  }
  IngressOptions Options() {
    return {.address = "127.0.0.1:0",
            .handler = {.domain = "alpha.example",
                        .admission = *f_.admission,
                        .tokens = tokens_,
                        .trust = trust_.source(),
                        .deny = nullptr,
                        .epoch = [] { return base::Epoch("e"); },
                        .clock = f_.clock,
                        .metrics = f_.metrics},
            .observer = observer_};
  }
  void StartTls() {
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), ca_.Gateway("gw1")));
    credentials::IdentityOptions files;
    files.certificate_path = dir_.File("tls.crt");
    files.key_path = dir_.File("tls.key");
    files.bundle_path = dir_.File("bundle.pem");
    identity_ = credentials::IdentityStore::Create(files, trust_, f_.clock).value();
    IngressOptions options = Options();
    options.identity = identity_.get();
    options.times.idle = absl::Hours(1000);
    Start(&options);
  }

  std::string Bearer() const { return absl::StrCat("Authorization: Bearer ", token_.text, "\r\n"); }
  std::string Event(const std::string& id) const {
    return Post(absl::StrCat(Bearer(), "Content-Type: application/json\r\n"), SampleJson(id));
  }
  TestClient Connect() { return TestClient(listener_->bound_address()); }
  TestClient ConnectTls(const crypto::IssuedCertificate* identity = nullptr) {
    const ClientTls tls{identity};
    return TestClient(listener_->bound_address(), &tls);
  }

  test::AdmissionFixture f_;
  test::TempDir dir_;
  test::TestCa ca_{"alpha.example", f_.clock.Now()};
  trust::TrustRegistry trust_;
  authz::TokenRegistry tokens_;
  authz::MintedToken token_;
  std::shared_ptr<Recorder> observer_ = std::make_shared<Recorder>();
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::unique_ptr<IngressListener> listener_;
};

// ------------------------------------------------------------------ who sends

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
  const Reply reply = client.Ask(Post("", SampleJson("2")));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.body, HasSubstr("CERTIFICATE_REVOKED"));
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

TEST_F(IngressListenerTest, ARevokedTokenEndsWithTheRequestUnderWay) {
  StartTls();
  TestClient client = ConnectTls();
  EXPECT_EQ(client.Ask(Event("1")).status, 202);
  tokens_.Replace(std::make_shared<const authz::Tokens>());
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

// ------------------------------------------------------------------ HTTP

TEST_F(IngressListenerTest, PathsAndMethods) {
  Start();
  EXPECT_EQ(Connect().Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(Connect().Ask("PUT /events HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(Connect().Ask("POST /other HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
  TestClient client = Connect();
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.EndSending();
  const Reply head = client.Read();
  EXPECT_EQ(head.status, 405);
  EXPECT_THAT(head.head, HasSubstr("Allow: POST, OPTIONS"));
  EXPECT_EQ(head.body, "");
}

TEST_F(IngressListenerTest, TheWebhookHandshakeNeedsNoIdentity) {
  Start();
  TestClient client = Connect();
  Reply reply = client.Ask(
      "OPTIONS /events HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: "
      "emitter.example\r\nWebHook-Request-Rate: 120\r\nWebHook-Request-Callback: "
      "https://emitter.example/confirm\r\n\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr("WebHook-Allowed-Origin: emitter.example\r\n"));
  EXPECT_THAT(reply.head, HasSubstr("WebHook-Allowed-Rate: *\r\n"));
  reply = client.Ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(reply.status, 204);
  EXPECT_THAT(reply.head, Not(HasSubstr("WebHook-Allowed")));
  for (const char* origin : {"a b", "", "a\tb", "\xc3\xa4"}) {
    reply = client.Ask(absl::StrCat(
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: ", origin, "\r\n\r\n"));
    EXPECT_EQ(reply.status, 400) << origin;
  }
}

TEST_F(IngressListenerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  TestClient client = Connect();
  std::string all;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&all, Event(absl::StrCat(i)));
  client.Send(all);
  for (int i = 0; i < 20; ++i) {
    const Reply reply = client.Read();
    EXPECT_EQ(reply.status, 202);
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat("\"id\":\"", i, "\"")));
  }
}

TEST_F(IngressListenerTest, PipelinedRefusalsAreAllAnswered) {
  Start();
  TestClient client = Connect();
  std::string all;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&all, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Read().status, 405) << i;
}

TEST_F(IngressListenerTest, BytesOneByOneAreARequest) {
  Start();
  TestClient client = Connect();
  for (const char c : Event("1")) client.Send(std::string(1, c));
  EXPECT_EQ(client.Read().status, 202);
}

TEST_F(IngressListenerTest, Http10EndsWithItsAnswer) {
  Start();
  TestClient client = Connect();
  const std::string body = SampleJson("1");
  const Reply reply = client.Ask(absl::StrCat("POST / HTTP/1.0\r\n", Bearer(),
                                              "Content-Length: ", body.size(), "\r\n\r\n", body));
  EXPECT_EQ(reply.status, 202);
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressListenerTest, ChunkedBodiesAreTaken) {
  Start();
  TestClient client = Connect();
  const std::string body = SampleJson("1");
  client.Send(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(),
                           "Transfer-Encoding: chunked\r\n\r\n5\r\n", body.substr(0, 5), "\r\n"));
  const std::string rest = body.substr(5);
  EXPECT_EQ(client.Ask(absl::StrCat(absl::Hex(rest.size()), "\r\n", rest, "\r\n0\r\n\r\n")).status,
            202);
  EXPECT_EQ(client.Ask(Event("2")).status, 202);
}

TEST_F(IngressListenerTest, WhoWaitsForContinueGetsItOnlyWhereTheBodyIsWanted) {
  Start();
  const std::string body = SampleJson("1");
  const auto head = [&](const std::string& fields) {
    return absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n", fields,
                        "Content-Length: ", body.size(), "\r\n\r\n");
  };
  TestClient client = Connect();
  EXPECT_EQ(client.Ask(head(Bearer())).status, 100);
  EXPECT_EQ(client.Ask(body).status, 202);
  EXPECT_EQ(Connect().Ask(head("")).status, 401);
}

TEST_F(IngressListenerTest, SmugglingIsRefusedAndEndsTheConnection) {
  Start();
  for (const char* fields : {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
                             "Content-Length: 2\r\nContent-Length: 2\r\n",
                             "Transfer-Encoding: identity\r\n", "Content-Length : 2\r\n"}) {
    TestClient client = Connect();
    const Reply reply = client.Ask(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(), fields,
                                                "\r\n{}", Event("smuggled")));
    EXPECT_EQ(reply.status, 400) << fields;
    client.EndSending();
    EXPECT_TRUE(client.AtEnd()) << fields;
  }
}

TEST_F(IngressListenerTest, HeadsAndBodiesAreBounded) {
  Start();
  EXPECT_EQ(Connect().Ask(absl::StrCat("POST / HTTP/1.1\r\nx: ", std::string(40'000, 'a'))).status,
            431);
  std::string many = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) absl::StrAppend(&many, "x: y\r\n");
  EXPECT_EQ(Connect().Ask(many + "\r\n").status, 431);
  // Announced: before it comes. Not announced: as soon as it is too much.
  EXPECT_EQ(Connect()
                .Ask(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(),
                                  "Content-Length: 2000000\r\n\r\n"))
                .status,
            413);
  EXPECT_EQ(Connect()
                .Ask(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(),
                                  "Transfer-Encoding: chunked\r\n\r\n200000\r\n"))
                .status,
            413);
}

TEST_F(IngressListenerTest, AnAnswerBeforeTheBodyReachesWhoStillSends) {
  Start();
  TestClient client = Connect();
  const Reply reply = client.Ask(Post("", std::string(500'000, ' ')));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
}

TEST_F(IngressListenerTest, BodiesShareABudget) {
  IngressOptions options = Options();
  options.body_budget_bytes = 1000;
  Start(&options);
  const auto announce = [this](int bytes) {
    return absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(), "Expect: 100-continue\r\n",
                        "Content-Length: ", bytes, "\r\n\r\n");
  };
  {
    TestClient first = Connect();
    EXPECT_EQ(first.Ask(announce(900)).status, 100);
    const Reply reply = Connect().Ask(announce(900));
    EXPECT_EQ(reply.status, 429);
    EXPECT_THAT(reply.head, HasSubstr("Retry-After: 1"));
    EXPECT_EQ(first.Ask(std::string(900, ' ')).status, 400);
  }
  EXPECT_EQ(Connect().Ask(announce(900)).status, 100);
}

// ------------------------------------------------------------------ hostile clients

TEST_F(IngressListenerTest, SilentConnectionsDelayNobody) {
  Start();
  std::vector<std::unique_ptr<TestClient>> silent;
  for (int i = 0; i < 90; ++i) {
    silent.push_back(std::make_unique<TestClient>(listener_->bound_address()));
    if (i % 2 == 0) silent.back()->Send("POST / HT");
    if (i % 3 == 0) silent.back()->Send(Event("x").substr(0, 200));
  }
  // The clock stands still: whoever had to wait for one of them would wait for ever.
  TestClient client = Connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.Ask(Event(absl::StrCat(i))).status, 202);
}

TEST_F(IngressListenerTest, OneAddressHasItsShare) {
  IngressOptions options = Options();
  options.caps.max_connections_per_address = 2;
  Start(&options);
  auto first = std::make_unique<TestClient>(listener_->bound_address());
  TestClient second = Connect();
  EXPECT_EQ(first->Ask(Event("1")).status, 202);
  EXPECT_EQ(second.Ask(Event("2")).status, 202);
  EXPECT_TRUE(Connect().AtEnd());
  EXPECT_EQ(f_.Counted("cdgate_http_connections_refused_total", {{"cause", "address_full"}}), 1);
  first.reset();
  while (listener_->live_connections() > 1) std::this_thread::yield();
  EXPECT_EQ(Connect().Ask(Event("3")).status, 202);
}

TEST_F(IngressListenerTest, ASlowHeadHasATimeAsAWhole) {
  Start();
  TestClient client = Connect();
  client.Send("POST / HTTP/1.1\r\n");
  EXPECT_EQ(Connect().Ask(Event("1")).status, 202);  // by now the first bytes are in
  for (int i = 0; i < 5; ++i) {
    f_.clock.Advance(absl::Seconds(2));
    client.Send("x: y\r\n");  // does not win time
  }
  f_.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(client.Read().status, 408);
  client.EndSending();
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressListenerTest, ASlowBodyHasATimeAsAWhole) {
  Start();
  TestClient client = Connect();
  EXPECT_EQ(client
                .Ask(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(),
                                  "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"))
                .status,
            100);
  client.Send("{");
  f_.clock.Advance(absl::Seconds(31));
  EXPECT_EQ(client.Read().status, 408);
}

TEST_F(IngressListenerTest, AHandshakeHasATime) {
  StartTls();
  TestClient client = Connect();
  while (listener_->live_connections() == 0) std::this_thread::yield();
  f_.clock.Advance(absl::Seconds(11));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressListenerTest, IdleConnectionsEnd) {
  Start();
  TestClient client = Connect();
  EXPECT_EQ(client.Ask(Event("1")).status, 202);
  f_.clock.Advance(absl::Seconds(31));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressListenerTest, WhoDoesNotTakeAnswersIsEnded) {
  Start();
  TestClient client = Connect();
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string many;
  for (int i = 0; i < 2000; ++i) many += request;
  // Until neither side takes more.
  std::thread sender([&] {
    for (int i = 0; i < 1000; ++i) client.Send(many);
  });
  while (f_.Counted("cdgate_http_connections_timed_out_total", {}) == 0) {
    f_.clock.Advance(absl::Seconds(11));
    std::this_thread::yield();
  }
  sender.join();
  while (listener_->live_connections() > 0) std::this_thread::yield();
}

// ------------------------------------------------------------------ the end

TEST_F(IngressListenerTest, ADrainFinishesWhatIsUnderWay) {
  Start();
  TestClient idle = Connect();
  EXPECT_EQ(idle.Ask(Event("1")).status, 202);
  TestClient busy = Connect();
  const std::string event = Event("2");
  busy.Send(event.substr(0, 100));
  while (listener_->live_connections() < 2) std::this_thread::yield();
  EXPECT_EQ(Connect().Ask(Event("3")).status, 202);  // by now its first bytes are in
  std::thread draining([this] { listener_->Shutdown(absl::Seconds(10)); });
  EXPECT_TRUE(idle.AtEnd());
  const Reply reply = busy.Ask(event.substr(100));
  EXPECT_EQ(reply.status, 202);
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
  busy.EndSending();
  draining.join();
  EXPECT_FALSE(Connect().connected());
}

TEST_F(IngressListenerTest, ALimitEndsTheRest) {
  Start();
  TestClient client = Connect();
  client.Send("POST / HTTP/1.1\r\n");
  while (listener_->live_connections() == 0) std::this_thread::yield();
  listener_->Shutdown(absl::ZeroDuration());
  EXPECT_TRUE(client.AtEnd());
  listener_.reset();
}

}  // namespace
}  // namespace cdgate::http
