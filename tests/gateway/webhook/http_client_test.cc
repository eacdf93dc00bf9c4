#include "gateway/webhook/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "gateway/webhook/inbox.h"
#include "tests/auth/oidc/https_server.h"
#include "tests/gateway/webhook/raw_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::webhook {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using test::RawServer;
using testing::HasSubstr;

constexpr char kNoContent[] = "HTTP/1.1 204 No Content\r\n\r\n";

class HttpClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto client = HttpClient::Create();
    CDGATE_ASSERT_OK(client);
    client_ = *std::move(client);
    target_ = std::make_shared<AllowedTarget>();
    target_->name = "test";
    target_->addresses = {*base::ParseIpRange("127.0.0.1"), *base::ParseIpRange("::1")};
  }

  HttpRequest RequestTo(const std::string& url) {
    HttpRequest request;
    request.method = "POST";
    request.allowed.url = base::ParseHttpUrl(url).value();
    target_->url = request.allowed.url;
    request.allowed.target = target_;
    request.body = "{\"a\":1}";
    return request;
  }
  Answer Do(HttpRequest request) {
    std::optional<Answer> answer;
    client_->Start(std::move(request), [&](HttpClient::Id, Answer a) { answer = std::move(a); });
    const absl::Duration end = base::SystemClock().Monotonic() + absl::Seconds(30);
    while (!answer && base::SystemClock().Monotonic() < end) client_->Poll(absl::Seconds(1));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(Answer());
  }
  // What a server that replies so is taken for.
  Answer Against(const RawServer::Reply& reply) {
    RawServer server([&](const RawServer::Request&) { return reply; });
    HttpRequest request = RequestTo(server.Url("/hook"));
    request.timeout = absl::Milliseconds(500);
    return Do(std::move(request));
  }

  std::unique_ptr<HttpClient> client_;
  std::shared_ptr<AllowedTarget> target_;
};

TEST_F(HttpClientTest, SendsWhatItIsGivenAndReadsTheAnswer) {
  RawServer server([](const RawServer::Request&) {
    return RawServer::Reply{
        .bytes =
            "HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nwebhook-allowed-origin: a.example\r\n"
            "WebHook-Allowed-Rate:  60 \r\nContent-Length: 3\r\n\r\nlow"};
  });
  HttpRequest request = RequestTo(server.Url("/hook?team=a"));
  request.fields = {"ce-id: 1", "ce-empty: ", "Content-Type: application/json"};
  const Answer answer = Do(std::move(request));
  CDGATE_EXPECT_OK(answer.failure);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.retry_after, absl::Seconds(7));
  EXPECT_EQ(answer.allowed_origin, "a.example");
  EXPECT_EQ(answer.allowed_rate, "60");
  EXPECT_EQ(answer.body_start, "low");
  ASSERT_EQ(server.requests().size(), 1u);
  const RawServer::Request got = server.requests()[0];
  EXPECT_THAT(got.head, testing::StartsWith("POST /hook?team=a HTTP/1.1\r\n"));
  EXPECT_THAT(got.head, HasSubstr("\r\nce-id: 1\r\n"));
  EXPECT_THAT(got.head, HasSubstr("\r\nce-empty:\r\n"));
  EXPECT_THAT(got.head, testing::Not(HasSubstr("Expect:")));
  EXPECT_THAT(got.head, testing::Not(HasSubstr("Accept-Encoding")));
  EXPECT_EQ(got.body, "{\"a\":1}");
}

TEST_F(HttpClientTest, OptionsHaveNoBody) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  HttpRequest request = RequestTo(server.Url("/"));
  request.method = "OPTIONS";
  request.body.clear();
  EXPECT_EQ(Do(std::move(request)).status, 204);
  EXPECT_THAT(server.requests()[0].head, testing::StartsWith("OPTIONS / HTTP/1.1\r\n"));
  EXPECT_THAT(server.requests()[0].head, testing::Not(HasSubstr("Content-")));
}

TEST_F(HttpClientTest, RetryAfterMayBeADate) {
  const Answer answer =
      Against({.bytes = "HTTP/1.1 503 Later\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"
                        "Content-Length: 0\r\n\r\n"});
  ASSERT_TRUE(answer.retry_after.has_value());
  EXPECT_GT(*answer.retry_after, absl::Hours(24));
  for (const char* text : {"-5", "soon", "Fri, 31 Dec 1999 23:59:59 GMT", "1e9", ""}) {
    EXPECT_EQ(Against({.bytes = absl::StrCat("HTTP/1.1 503 Later\r\nRetry-After: ", text,
                                             "\r\nContent-Length: 0\r\n\r\n")})
                  .status,
              503)
        << text;
  }
}

// --- connections

TEST_F(HttpClientTest, ConnectionsAreUsedAgain) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Do(RequestTo(server.Url("/"))).status, 204);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, TheAddressThatIsDialledIsChecked) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  target_->addresses.clear();
  for (const char* host : {"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1",
                           "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    auto url = base::ParseHttpUrl(server.Url("/", host));
    if (!url.ok()) continue;
    EXPECT_THAT(Do(RequestTo(url->text)).failure, HasReason(Reason::kWebhookAddressRefused))
        << host;
  }
  EXPECT_THAT(
      Do(RequestTo(server.Url("/", "localhost"))).failure,
      HasReasonAndMessage(Reason::kWebhookAddressRefused, HasSubstr("localhost resolves to")));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpClientTest, AConnectionOfAnotherTargetIsCheckedAsWell) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  EXPECT_EQ(Do(RequestTo(server.Url("/a"))).status, 204);
  HttpRequest other = RequestTo(server.Url("/b"));
  other.allowed.target = std::make_shared<AllowedTarget>(
      AllowedTarget{.name = "other", .url = other.allowed.url, .addresses = {}});
  EXPECT_THAT(Do(std::move(other)).failure, HasReason(Reason::kWebhookAddressRefused));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(HttpClientTest, NoProxyIsUsed) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  EXPECT_EQ(Against({.bytes = kNoContent}).status, 204);
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST_F(HttpClientTest, WhatCannotBeReachedSaysSo) {
  std::string url;
  {
    RawServer server([](const RawServer::Request&) { return RawServer::Reply(); });
    url = server.Url("/");
  }
  EXPECT_THAT(Do(RequestTo(url)).failure, HasReason(Reason::kWebhookUnreachable));
  EXPECT_THAT(Do(RequestTo("http://no-such-host.invalid/")).failure,
              HasReason(Reason::kWebhookUnreachable));
}

// --- bad servers

TEST_F(HttpClientTest, RedirectsAreNotFollowed) {
  RawServer server([](const RawServer::Request&) {
    return RawServer::Reply{.bytes =
                                "HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\n"
                                "Content-Length: 0\r\n\r\n"};
  });
  const Answer answer = Do(RequestTo(server.Url("/")));
  CDGATE_EXPECT_OK(answer.failure);
  EXPECT_EQ(answer.status, 307);
  EXPECT_THAT(FailureOf(answer),
              HasReasonAndMessage(Reason::kWebhookRedirected, HasSubstr(server.Url("/other"))));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(HttpClientTest, OneThatHangsTimesOut) {
  for (const RawServer::Reply& reply :
       {RawServer::Reply{.hang = true},
        RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n", .hang = true},
        RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        .hang = true}}) {
    EXPECT_THAT(Against(reply).failure, HasReason(Reason::kWebhookTimedOut));
  }
}

TEST_F(HttpClientTest, EndlessAnswersAreCut) {
  const std::string block(1000, 'x');
  EXPECT_THAT(Against({.bytes = "HTTP/1.1 200 OK\r\n\r\n", .endless = block}).failure,
              HasReason(Reason::kWebhookAnswerTooLarge));
  EXPECT_THAT(Against({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                       .endless = absl::StrCat("3e8\r\n", block, "\r\n")})
                  .failure,
              HasReason(Reason::kWebhookAnswerTooLarge));
  EXPECT_THAT(
      Against({.bytes = "HTTP/1.1 200 OK\r\n", .endless = absl::StrCat("X-A: ", block, "\r\n")})
          .failure,
      HasReason(Reason::kWebhookAnswerTooLarge));
  EXPECT_THAT(Against({.endless = "HTTP/1.1 100 Continue\r\n\r\n"}).failure,
              HasReason(Reason::kWebhookAnswerTooLarge));
  // One line without an end.
  EXPECT_FALSE(Against({.bytes = "HTTP/1.1 200 OK\r\nX-A: ", .endless = block}).failure.ok());
}

TEST_F(HttpClientTest, AsMuchAsIsAllowedIsRead) {
  const std::string body(kMaxAnswerBytes, 'x');
  const Answer answer =
      Against({.bytes = absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n",
                                     body)});
  CDGATE_EXPECT_OK(answer.failure);
  EXPECT_EQ(answer.body_start, body.substr(0, kShownBytes));
  EXPECT_THAT(Against({.bytes = absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size() + 1,
                                             "\r\n\r\n", body, "x")})
                  .failure,
              HasReason(Reason::kWebhookAnswerTooLarge));
}

TEST_F(HttpClientTest, GarbageIsNoAnswer) {
  for (const char* bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x02", "<html>hello</html>", "HTTP/9.9 200\r\n\r\n",
        "HTTP/1.1 banana\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    const Answer answer = Against({.bytes = bytes, .close = true});
    EXPECT_FALSE(FailureOf(answer).ok()) << bytes;
    EXPECT_TRUE(base::ReasonOf(FailureOf(answer)).has_value()) << bytes;
  }
  EXPECT_THAT(Against({.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .close = true}).failure,
              HasReason(Reason::kWebhookAnswerInvalid));
}

TEST_F(HttpClientTest, OneThatGoesAwayIsUnreachable) {
  EXPECT_THAT(Against({.close = true}).failure, HasReason(Reason::kWebhookUnreachable));
  EXPECT_THAT(Against({.reset = true}).failure, HasReason(Reason::kWebhookUnreachable));
}

TEST_F(HttpClientTest, OneThatHangsKeepsNoOtherWaiting) {
  RawServer slow([](const RawServer::Request&) { return RawServer::Reply{.hang = true}; });
  RawServer fast([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  bool told = false;
  std::vector<HttpClient::Id> hanging;
  for (int i = 0; i < 20; ++i) {
    hanging.push_back(client_->Start(RequestTo(slow.Url("/")),
                                     [&](HttpClient::Id, const Answer&) { told = true; }));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Do(RequestTo(fast.Url("/"))).status, 204);
  EXPECT_EQ(client_->in_flight(), 20u);
  for (const HttpClient::Id id : hanging) client_->Cancel(id);
  EXPECT_EQ(client_->in_flight(), 0u);
  client_->Poll(absl::ZeroDuration());
  EXPECT_FALSE(told);
}

TEST_F(HttpClientTest, WakesFromAnotherThread) {
  Inbox inbox;
  bool ran = false;
  std::thread other([&] { EXPECT_TRUE(inbox.Post([&] { ran = true; })); });
  client_->Poll(absl::Minutes(1), inbox.fd());
  other.join();
  for (const Inbox::Task& task : inbox.TakeAll()) task();
  EXPECT_TRUE(ran);
  // What was taken does not wake again; after the end nothing is taken.
  client_->Poll(absl::ZeroDuration(), inbox.fd());
  EXPECT_THAT(inbox.TakeAll(), testing::IsEmpty());
  EXPECT_THAT(inbox.Close(), testing::IsEmpty());
  EXPECT_FALSE(inbox.Post([] {}));
}

TEST_F(HttpClientTest, WhatFailedBeforeItLeftIsTold) {
  std::optional<Answer> answer;
  client_->Fail(base::MakeError(Reason::kFileUnreadable, "no token"),
                [&](HttpClient::Id, Answer a) { answer = std::move(a); });
  EXPECT_FALSE(answer.has_value());
  client_->Poll(absl::Minutes(1));
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(FailureOf(*answer), HasReason(Reason::kFileUnreadable));
}

// --- TLS

class HttpClientTlsTest : public HttpClientTest {
 protected:
  std::string Write(const std::string& name, const std::string& pem) {
    const std::string path = dir_.File(name);
    CDGATE_EXPECT_OK(base::WriteFileAtomically(path, pem, 0600));
    return path;
  }
  test::HttpsServer::Respond NoContent() {
    return [](const std::string&) { return test::HttpsServer::Reply{.bytes = kNoContent}; };
  }

  test::TempDir dir_;
  const test::TestCa ca_{"alpha.example", absl::Now()};
};

TEST_F(HttpClientTlsTest, TheServersCertificateIsVerified) {
  test::HttpsServer server(ca_.Gateway("web"), NoContent());
  EXPECT_THAT(Do(RequestTo(server.Url("/", "localhost"))).failure,
              HasReason(Reason::kWebhookTlsFailed));
  target_->ca_file = Write("ca.pem", ca_.bundle_pem());
  EXPECT_EQ(Do(RequestTo(server.Url("/", "localhost"))).status, 204);
  EXPECT_THAT(server.clients(), testing::IsEmpty());
}

TEST_F(HttpClientTlsTest, TheCertificateIsForTheName) {
  crypto::LeafRequest other;
  other.dns_names = {"other.example"};
  other.common_name = "web";
  test::HttpsServer server(ca_.ca().Issue(other, absl::Now()).value(), NoContent());
  target_->ca_file = Write("ca.pem", ca_.bundle_pem());
  EXPECT_THAT(Do(RequestTo(server.Url("/", "localhost"))).failure,
              HasReason(Reason::kWebhookTlsFailed));
}

TEST_F(HttpClientTlsTest, OursIsShown) {
  test::HttpsServer server(ca_.Gateway("web"), NoContent());
  const crypto::IssuedCertificate ours = ca_.Service("hooks");
  target_->ca_file = Write("ca.pem", ca_.bundle_pem());
  target_->certificate = Write("tls.crt", ours.certificate_pem);
  target_->key = Write("tls.key", ours.key_pem);
  EXPECT_EQ(Do(RequestTo(server.Url("/", "localhost"))).status, 204);
  EXPECT_THAT(server.clients(), testing::SizeIs(1));
  target_->key = dir_.File("missing.key");
  EXPECT_THAT(Do(RequestTo(server.Url("/", "localhost"))).failure,
              HasReason(Reason::kWebhookTlsFailed));
}

TEST_F(HttpClientTlsTest, ClearTextIsNoTls) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kNoContent}; });
  std::string url = server.Url("/");
  url.insert(4, "s");
  HttpRequest request = RequestTo(url);
  request.timeout = absl::Seconds(2);
  EXPECT_FALSE(Do(std::move(request)).failure.ok());
}

}  // namespace
}  // namespace cdgate::webhook
