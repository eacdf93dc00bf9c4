#include "auth/oidc/https_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/file.h"
#include "tests/auth/oidc/https_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::oidc {
namespace {

using base::Reason;
using test::HasReasonAndMessage;
using test::HttpsServer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::string Answer(const std::string& body, const std::string& fields = "") {
  return absl::StrCat("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", fields,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

class HttpsFetchTest : public testing::Test {
 protected:
  HttpsFetchTest() {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File("ca.pem"), ca_.bundle_pem()));
  }
  void Serve(HttpsServer::Reply reply) { Serve(std::move(reply), ca_.Gateway("web")); }
  void Serve(HttpsServer::Reply reply, const crypto::IssuedCertificate& identity) {
    server_ = std::make_unique<HttpsServer>(
        identity, [reply = std::move(reply)](const std::string&) { return reply; });
  }
  FetchOptions Options() const {
    return {.url = server_->Url("/jwks"), .ca_file = dir_.File("ca.pem")};
  }
  void ExpectUnreachable(const FetchOptions& options, const std::string& why) {
    EXPECT_THAT(FetchHttps(options), HasReasonAndMessage(Reason::kUnreachable, HasSubstr(why)));
  }
  static crypto::LeafRequest Leaf() {
    crypto::LeafRequest request;
    request.dns_names = {"localhost"};
    request.ip_names = {"127.0.0.1"};
    request.common_name = "web";
    return request;
  }

  test::TempDir dir_;
  const test::TestCa ca_{"alpha.example", absl::Now()};
  std::unique_ptr<HttpsServer> server_;
};

TEST_F(HttpsFetchTest, ReadsOneDocumentAndSendsNothingOfOurs) {
  Serve({.bytes = Answer("{}")});
  EXPECT_EQ(FetchHttps(Options()).value(), "{}");
  FetchOptions by_name = Options();
  by_name.url = server_->Url("/jwks", "localhost");
  EXPECT_EQ(FetchHttps(by_name).value(), "{}");
  ASSERT_THAT(server_->requests(), SizeIs(2));
  EXPECT_THAT(server_->requests()[0],
              AllOf(HasSubstr("GET /jwks HTTP/1.1"), Not(HasSubstr("Authorization")),
                    Not(HasSubstr("Cookie"))));
}

TEST_F(HttpsFetchTest, ADocumentHasAtMostTheBytesThatAreAllowed) {
  FetchOptions options;
  for (const char* fields : {"", "Connection: close\r\n"}) {
    Serve({.bytes = Answer(std::string(1000, 'x'), fields)});
    options = Options();
    options.max_bytes = 1000;
    EXPECT_THAT(FetchHttps(options).value(), SizeIs(1000));
    options.max_bytes = 999;
    ExpectUnreachable(options, "more than 999 bytes");
  }
  // One that does not say how long it is, and never ends.
  Serve({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         .trickle = absl::StrCat("3e8\r\n", std::string(1000, 'x'), "\r\n")});
  options = Options();
  options.max_bytes = 5000;
  ExpectUnreachable(options, "more than 5000 bytes");
}

TEST_F(HttpsFetchTest, AllOfItHasToComeInTime) {
  const auto expect_timeout = [this] {
    FetchOptions options = Options();
    options.timeout = absl::Milliseconds(300);
    const absl::Time begin = absl::Now();
    ExpectUnreachable(options, "timed out");
    EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  };
  Serve({.bytes = "", .hold = true});
  expect_timeout();
  Serve({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", .trickle = "x"});
  expect_timeout();
  Serve({.bytes = "HTTP/1.1 200 OK\r\n", .trickle = "X-Field: x\r\n"});
  expect_timeout();
}

TEST_F(HttpsFetchTest, NoRedirectIsFollowed) {
  for (const char* code : {"301 Moved Permanently", "302 Found", "307 Temporary Redirect"}) {
    Serve({.bytes = absl::StrCat("HTTP/1.1 ", code,
                                 "\r\nLocation: /other\r\nContent-Length: 2\r\n\r\n{}")});
    ExpectUnreachable(Options(), absl::StrCat("HTTP status ", std::string(code).substr(0, 3)));
    EXPECT_THAT(server_->requests(), SizeIs(1)) << code;
  }
}

TEST_F(HttpsFetchTest, OnlyAWholeAnswerWithStatus200Counts) {
  for (const char* code : {"204 No Content", "404 Not Found", "500 Internal Server Error"}) {
    Serve({.bytes = absl::StrCat("HTTP/1.1 ", code, "\r\nContent-Length: 0\r\n\r\n")});
    ExpectUnreachable(Options(), "HTTP status");
  }
  Serve({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"});
  ExpectUnreachable(Options(), "could not be read");
  Serve({.bytes = "no HTTP at all\r\n\r\n"});
  ExpectUnreachable(Options(), "could not be read");
}

TEST_F(HttpsFetchTest, TheCertificateHasToBeOfTheHostAndOfACaThatIsTrusted) {
  const test::TestCa other("alpha.example", absl::Now());
  Serve({.bytes = Answer("{}")}, other.Gateway("web"));
  ExpectUnreachable(Options(), "certificate");

  crypto::LeafRequest wrong_host = Leaf();
  wrong_host.dns_names = {"elsewhere.example"};
  wrong_host.ip_names = {"192.0.2.1"};
  Serve({.bytes = Answer("{}")}, ca_.ca().Issue(wrong_host, absl::Now()).value());
  ExpectUnreachable(Options(), "127.0.0.1");

  crypto::LeafRequest ended = Leaf();
  ended.validity = absl::Minutes(10);
  Serve({.bytes = Answer("{}")}, ca_.ca().Issue(ended, absl::Now() - absl::Hours(1)).value());
  ExpectUnreachable(Options(), "expired");

  // Of the machine's CAs none made it.
  Serve({.bytes = Answer("{}")});
  FetchOptions machine = Options();
  machine.ca_file = "";
  ExpectUnreachable(machine, "certificate");
  EXPECT_THAT(server_->requests(), SizeIs(0)) << "nothing is asked of whom we do not trust";
}

TEST_F(HttpsFetchTest, OnlyHttpsIsSpokenAndNoProxyAsked) {
  Serve({.bytes = Answer("{}")});
  for (const char* scheme : {"http", "ftp", "file", "gopher"}) {
    FetchOptions options = Options();
    options.url.replace(0, 5, scheme);
    EXPECT_THAT(FetchHttps(options), test::HasReason(Reason::kUnreachable)) << options.url;
  }
  EXPECT_THAT(server_->requests(), SizeIs(0));
  setenv("https_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  EXPECT_EQ(FetchHttps(Options()).value_or("a proxy was asked"), "{}");
  unsetenv("https_proxy");
  unsetenv("ALL_PROXY");
}

TEST_F(HttpsFetchTest, WhereNobodyListensItSaysSo) {
  Serve({.bytes = Answer("{}")});
  const FetchOptions options = Options();
  server_.reset();
  ExpectUnreachable(options, options.url);
}

}  // namespace
}  // namespace cdgate::oidc
