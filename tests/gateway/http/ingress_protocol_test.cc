// HTTP as the ingress speaks it, hostile clients, and the end.
#include <thread>

#include "tests/gateway/http/ingress_fixture.h"

namespace cdgate::http {
namespace {

using test::SampleJson;
using testing::HasSubstr;
using testing::Not;

class IngressProtocolTest : public IngressTest {
 protected:
  // So that the clock can be moved while it is not known how far a client is.
  IngressOptions OnlyAnswersHaveATime() {
    IngressOptions options = Options();
    options.times.head = options.times.body = options.times.idle = absl::InfiniteDuration();
    return options;
  }
};

// ------------------------------------------------------------------ HTTP

TEST_F(IngressProtocolTest, PathsAndMethods) {
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

TEST_F(IngressProtocolTest, TheWebhookHandshakeNeedsNoIdentity) {
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

TEST_F(IngressProtocolTest, AWebhookGrantsByItsKeyAlone) {
  std::vector<std::string> granted;
  IngressOptions options = Options();
  options.handler.grant_path = "/webhooks/grants/";
  options.handler.on_grant = [&](absl::string_view key, absl::string_view rate) {
    if (key != "k3y") return base::MakeError(base::Reason::kNotFound, "no such key");
    granted.emplace_back(rate);
    return absl::OkStatus();
  };
  Start(&options);
  TestClient client = Connect();
  EXPECT_EQ(client.Ask("GET /webhooks/grants/k3y HTTP/1.1\r\nHost: a\r\n\r\n").status, 204);
  EXPECT_EQ(client
                .Ask("POST /webhooks/grants/k3y HTTP/1.1\r\nHost: a\r\nContent-Length: "
                     "0\r\nWebHook-Allowed-Rate: 120\r\n\r\n")
                .status,
            204);
  EXPECT_THAT(granted, testing::ElementsAre("", "120"));
  EXPECT_EQ(client.Ask("GET /webhooks/grants/ HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
  EXPECT_EQ(client.Ask("GET /webhooks/grants HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
  EXPECT_EQ(client.Ask("PUT /webhooks/grants/k3y HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
}

TEST_F(IngressProtocolTest, ATokenHasARateOverAllItsConnections) {
  rpc::PrincipalRates rates({.calls = {.per_second = 1, .burst = 3},
                             .events = {.per_second = 1, .burst = 2},
                             .clock = f_.clock,
                             .metrics = f_.metrics});
  IngressOptions options = Options();
  options.handler.rates = &rates;
  Start(&options);
  TestClient client = Connect();
  EXPECT_EQ(client.Ask(Event("a")).status, 202);
  EXPECT_EQ(Connect().Ask(Event("b")).status, 202);
  const Reply events = client.Ask(Event("c"));
  EXPECT_EQ(events.status, 429);
  EXPECT_THAT(events.head, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(events.body, HasSubstr("RATE_EXCEEDED"));
  const Reply requests = Connect().Ask(Event("d"));
  EXPECT_EQ(requests.status, 429);
  EXPECT_THAT(requests.body, HasSubstr("calls"));
  f_.clock.Advance(absl::Seconds(2));
  EXPECT_EQ(Connect().Ask(Event("c")).status, 202);
}

TEST_F(IngressProtocolTest, PipelinedRequestsAreAnsweredInOrder) {
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

TEST_F(IngressProtocolTest, PipelinedRefusalsAreAllAnswered) {
  Start();
  TestClient client = Connect();
  std::string all;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&all, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Read().status, 405) << i;
}

TEST_F(IngressProtocolTest, BytesOneByOneAreARequest) {
  Start();
  TestClient client = Connect();
  for (const char c : Event("1")) client.Send(std::string(1, c));
  EXPECT_EQ(client.Read().status, 202);
}

TEST_F(IngressProtocolTest, Http10EndsWithItsAnswer) {
  Start();
  TestClient client = Connect();
  const std::string body = SampleJson("1");
  const Reply reply = client.Ask(absl::StrCat("POST / HTTP/1.0\r\n", Bearer(),
                                              "Content-Length: ", body.size(), "\r\n\r\n", body));
  EXPECT_EQ(reply.status, 202);
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressProtocolTest, ChunkedBodiesAreTaken) {
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

TEST_F(IngressProtocolTest, WhoWaitsForContinueGetsItOnlyWhereTheBodyIsWanted) {
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

TEST_F(IngressProtocolTest, SmugglingIsRefusedAndEndsTheConnection) {
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

TEST_F(IngressProtocolTest, HeadsAndBodiesAreBounded) {
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

TEST_F(IngressProtocolTest, AnAnswerBeforeTheBodyReachesWhoStillSends) {
  Start();
  TestClient client = Connect();
  const Reply reply = client.Ask(Post("", std::string(500'000, ' ')));
  EXPECT_EQ(reply.status, 401);
  EXPECT_THAT(reply.head, HasSubstr("Connection: close"));
}

TEST_F(IngressProtocolTest, BodiesShareABudget) {
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

TEST_F(IngressProtocolTest, OneAddressHasAQuarterOfTheBudget) {
  IngressOptions options = Options();
  options.body_budget_bytes = 4000;
  StartTls(&options);
  const auto announce = [this](int bytes) {
    return absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(), "Expect: 100-continue\r\n",
                        "Content-Length: ", bytes, "\r\n\r\n");
  };
  EXPECT_EQ(ConnectTls().Ask(announce(1001)).status, 429);
  TestClient first = ConnectTls();
  EXPECT_EQ(first.Ask(announce(600)).status, 100);
  EXPECT_EQ(ConnectTls().Ask(announce(600)).status, 429);
}

TEST_F(IngressProtocolTest, ChunkedBodiesAreReservedAsTheyCome) {
  IngressOptions options = Options();
  options.body_budget_bytes = 20'000;
  Start(&options);
  const std::string head = absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", Bearer(),
                                        "Expect: 100-continue\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n");
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<TestClient>(listener_->bound_address()));
    ASSERT_EQ(slow.back()->Ask(head).status, 100) << i;
    slow.back()->Send("5\r\n     \r\n");
  }
  EXPECT_EQ(Connect().Ask(Event("1")).status, 202);
  // One that grows has what is there, and gives it back.
  const std::string chunk = absl::StrCat("3e8\r\n", std::string(1000, ' '), "\r\n");
  std::string many;
  for (int i = 0; i < 30; ++i) many += chunk;
  const Reply refused = slow[0]->Ask(many);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.head, HasSubstr("Connection: close"));
  many.resize(10 * chunk.size());
  EXPECT_EQ(slow[1]->Ask(many + "0\r\n\r\n").status, 400);  // no event, but a whole body
}

TEST_F(IngressProtocolTest, AnswersThatAreNotTakenCount) {
  IngressOptions options = OnlyAnswersHaveATime();
  options.body_budget_bytes = 1;  // as much as the body below
  SetToken("jenkins", f_.clock.Now() + absl::Hours(24 * 36'500));
  Start(&options);
  TestClient client = Connect();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread sender([&] {
    for (int i = 0; i < 1000; ++i) client.Send(many);
  });
  const std::string request = Post(Bearer(), "x");
  while (Connect().Ask(request).status != 429) std::this_thread::yield();
  while (listener_->live_connections() > 0) {
    f_.clock.Advance(absl::Seconds(11));
    std::this_thread::yield();
  }
  sender.join();
  EXPECT_EQ(Connect().Ask(request).status, 400);
}

// ------------------------------------------------------------------ hostile clients

TEST_F(IngressProtocolTest, SilentConnectionsDelayNobody) {
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

TEST_F(IngressProtocolTest, OneAddressHasItsShare) {
  IngressOptions options = Options();
  options.caps.max_connections_per_address = 2;
  StartTls(&options);
  const ClientTls tls;
  auto first = std::make_unique<TestClient>(listener_->bound_address(), &tls);
  TestClient second = ConnectTls();
  EXPECT_EQ(first->Ask(Event("1")).status, 202);
  EXPECT_EQ(second.Ask(Event("2")).status, 202);
  EXPECT_TRUE(Connect().AtEnd());
  EXPECT_EQ(f_.Counted("cdgate_http_connections_refused_total", {{"cause", "address_full"}}), 1);
  first.reset();
  while (listener_->live_connections() > 1) std::this_thread::yield();
  EXPECT_EQ(ConnectTls().Ask(Event("3")).status, 202);
}

TEST_F(IngressProtocolTest, ManyClientsOfAProxyAreNotOneAddress) {
  IngressOptions options = Options();
  options.caps = {.max_connections = 20, .max_connections_per_address = 1, .accept_burst = 1};
  Start(&options);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<TestClient>(listener_->bound_address()));
    EXPECT_EQ(clients.back()->Ask(Event(absl::StrCat(i))).status, 202) << i;
  }
  EXPECT_TRUE(Connect().AtEnd());
  EXPECT_EQ(f_.Counted("cdgate_http_connections_refused_total", {{"cause", "listener_full"}}), 1);
}

TEST_F(IngressProtocolTest, RefusalsDoNotFillTheLog) {
  Start();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Connect().Ask(Post("", "{}")).status, 401);
  f_.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(Connect().Ask(Post("", "{}")).status, 401);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::ContainsRegex("left_out[^0-9]*0"));
  EXPECT_THAT(log, testing::ContainsRegex("left_out[^0-9]*4"));
  size_t lines = 0;
  for (size_t at = log.find("request refused"); at != std::string::npos;
       at = log.find("request refused", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 2u) << log;
  EXPECT_EQ(f_.Counted("cdgate_http_refusals_total", {{"reason", "unauthenticated_call"}}), 6);
}

TEST_F(IngressProtocolTest, ASlowHeadHasATimeAsAWhole) {
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

TEST_F(IngressProtocolTest, ASlowBodyHasATimeAsAWhole) {
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

TEST_F(IngressProtocolTest, AHandshakeHasATime) {
  StartTls();
  TestClient client = Connect();
  while (listener_->live_connections() == 0) std::this_thread::yield();
  f_.clock.Advance(absl::Seconds(11));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressProtocolTest, IdleConnectionsEnd) {
  Start();
  TestClient client = Connect();
  EXPECT_EQ(client.Ask(Event("1")).status, 202);
  f_.clock.Advance(absl::Seconds(31));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(IngressProtocolTest, WhoDoesNotTakeAnswersIsEnded) {
  IngressOptions options = OnlyAnswersHaveATime();
  Start(&options);
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

TEST_F(IngressProtocolTest, ADrainFinishesWhatIsUnderWay) {
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

TEST_F(IngressProtocolTest, ALimitEndsTheRest) {
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
