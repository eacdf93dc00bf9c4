#include "gateway/rpc/server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/errors.h"
#include "grpc/health/v1/health.pb.h"
#include "tests/gateway/rpc/test_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;
using base::Reason;
using events::v1::DeliveredEvent;
using events::v1::GetEventRequest;
using testing::HasSubstr;

GetEventRequest WithId(const std::string& id) {
  GetEventRequest request;
  request.set_id(id);
  return request;
}

TEST(ServerTest, UnaryCallIsAnsweredFromAnotherThread) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  for (int i = 0; i < 100; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const DeliveredEvent event,
        CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId(absl::StrCat("e", i))));
    EXPECT_EQ(event.origin(), absl::StrCat("e", i));
  }
  const auto seen = gateway.seen();
  ASSERT_EQ(seen.calls.size(), 100U);
  const Call& call = *seen.calls.front();
  EXPECT_EQ(call.principal.id, "spiffe://alpha.example/service/reader");
  EXPECT_EQ(call.principal.domain, "alpha.example");
  EXPECT_EQ(call.method, kGetEvent);
  EXPECT_EQ(call.listener, Listener::kApi);
  ASSERT_NE(call.certificate, nullptr);
  EXPECT_GT(call.certificate->not_after, absl::Now());
  EXPECT_LT(call.deadline, absl::Now() + absl::Minutes(1));
}

TEST(ServerTest, ErrorReachesTheClientWithReasonAndMetadata) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  const auto answer = CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("missing"));
  EXPECT_THAT(answer, test::HasReasonAndMessage(Reason::kNotFound, "there is no event missing"));
  EXPECT_EQ(base::MetadataOf(answer.status()), (base::Metadata{{"id", "missing"}}));
}

TEST(ServerTest, HandlerThatForgetsToAnswerIsAnInternalError) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  EXPECT_THAT(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("drop")),
              test::HasReason(Reason::kInternal));
}

TEST(ServerTest, RequestThatDoesNotParseIsAProtocolError) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  Promise<absl::StatusOr<grpc::ByteBuffer>> answer;
  channel->CallBytes(kGetEvent, ToBytes("\xFF\xFF\xFF"), kPatience,
                     [&](absl::StatusOr<grpc::ByteBuffer> r) { answer.Set(std::move(r)); });
  EXPECT_THAT(answer.Wait()->status(), test::HasReason(Reason::kProtocolError));
  EXPECT_TRUE(gateway.seen().calls.empty());
}

TEST(ServerTest, CallWithoutAGrantNeverReachesItsHandler) {
  TestGateway gateway;
  auto channel = gateway.Api("stranger");
  EXPECT_THAT(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("e")),
              test::HasReason(Reason::kNotGranted));
  auto probe = StreamProbe::Start(channel->OpenStream(kSubscribe));
  EXPECT_THAT(probe->WaitClosed(), test::HasReason(Reason::kNotGranted));
  EXPECT_TRUE(gateway.seen().calls.empty());
  EXPECT_TRUE(gateway.seen().streams.empty());
}

TEST(ServerTest, GrantThatIsTakenAwayCountsForTheNextCall) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("e")));
  gateway.grants.Replace(std::make_shared<const authz::Grants>());
  EXPECT_THAT(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("e")),
              test::HasReason(Reason::kNotGranted));
}

TEST(ServerTest, MethodOfAnotherListenerIsRefused) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  EXPECT_THAT(probe->WaitClosed(), test::HasReason(Reason::kWrongListener));
}

TEST(ServerTest, UnknownMethodIsUnimplemented) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  const auto answer = CallUnary<DeliveredEvent>(*channel, "/no.such.Service/Method", WithId("e"));
  EXPECT_THAT(answer, test::HasReasonAndMessage(Reason::kMethodUnknown,
                                                HasSubstr("/no.such.Service/Method")));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ServerTest, LocalUserIsThePrincipalOfTheUnixSocket) {
  TestGateway gateway;
  auto channel = gateway.Local();
  CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*channel, kGetStatus, DeliveredEvent()));
  EXPECT_THAT(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("e")),
              test::HasReason(Reason::kWrongListener));
  const auto seen = gateway.seen();
  ASSERT_EQ(seen.calls.size(), 1U);
  EXPECT_EQ(seen.calls[0]->principal.kind, authz::Principal::Kind::kLocal);
  if (geteuid() == 0) {
    EXPECT_EQ(seen.calls[0]->principal.id, "local:root");
  }
  EXPECT_EQ(seen.calls[0]->certificate, nullptr);
  EXPECT_EQ(seen.calls[0]->listener, Listener::kLocal);
}

TEST(ServerTest, PeersGatewayIsThePrincipalOfALink) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(probe->Send("hello"));
  EXPECT_EQ(probe->Receive(), "hello");
  const auto stream = gateway.seen().streams.at(0).lock();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->call().principal.id, "spiffe://beta.example/gateway/gw1");
  EXPECT_EQ(stream->call().principal.domain, "beta.example");
  EXPECT_EQ(stream->PeerAddress().rfind("ipv4:127.0.0.1:", 0), 0U);
  probe->stream().Close(absl::OkStatus());
  CDGATE_EXPECT_OK(probe->WaitClosed());
}

TEST(ServerTest, EchoOfTenThousandMessages) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  constexpr int kMessages = 10000;
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) {
      if (!probe->Send(absl::StrCat("message ", i))) return;
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    const auto message = probe->Receive();
    if (message != absl::StrCat("message ", i)) {
      ADD_FAILURE() << "message " << i << " is " << message.value_or("missing");
      break;
    }
  }
  probe->stream().Close(absl::OkStatus());
  CDGATE_EXPECT_OK(probe->WaitClosed());
  sender.join();
}

// As a gateway does that ends a link while the peer is not reading, stopped or too busy.
TEST(ServerTest, ClientWhoseSendFailsStillReadsWhatCameBeforeTheEnd) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink), /*keep_reading=*/false);
  ASSERT_TRUE(probe->Send("one"));
  EXPECT_EQ(probe->Receive(), "one");
  const auto stream = gateway.Stall(*probe);
  Promise<bool> written;
  stream->Send(ToBytes("go away"), [&written](bool ok) { written.Set(ok); });
  ASSERT_EQ(written.Wait(), true);
  stream->Close(base::MakeError(base::Reason::kDraining, "the server goes"));
  while (probe->Send("anybody there?")) continue;
  probe->Read();
  EXPECT_EQ(probe->Receive(), "go away");
  probe->Read();
  EXPECT_THAT(probe->WaitClosed(), test::HasReason(base::Reason::kDraining));
}

TEST(ServerTest, ServerStreamSendsItsMessagesAndEnds) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  auto stream = channel->OpenStream(kWatch);
  auto probe = StreamProbe::Start(stream);
  events::v1::WatchRequest request;
  request.set_max_events(50);
  ASSERT_TRUE(probe->Send(request.SerializeAsString()));
  for (int i = 49; i >= 0; --i) {
    const auto message = probe->Receive();
    ASSERT_TRUE(message.has_value());
    events::v1::WatchResponse response;
    ASSERT_TRUE(response.ParseFromString(*message));
    EXPECT_EQ(response.event().sequence(), static_cast<uint64_t>(i));
  }
  CDGATE_EXPECT_OK(probe->WaitClosed());
}

TEST(ServerTest, CallThatTheClientCancelsEndsAtTheServer) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(probe->Send("hello"));
  EXPECT_EQ(probe->Receive(), "hello");
  probe->stream().Cancel(base::MakeError(Reason::kFrozen, "frozen"));
  EXPECT_THAT(probe->WaitClosed(), test::HasReason(Reason::kFrozen));
  ASSERT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 0; }));
  ASSERT_EQ(gateway.seen().closed.size(), 1U);
  EXPECT_THAT(gateway.seen().closed[0], test::HasReason(Reason::kCancelled));
}

TEST(ServerTest, HandlerMayFinishWhileAReadIsPending) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(probe->Send("finish"));
  EXPECT_THAT(probe->WaitClosed(), test::HasReasonAndMessage(Reason::kDraining, "asked to finish"));
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 0; }));
}

TEST(ServerTest, CallerThatSendsNothingIsDropped) {
  TestGateway gateway([](ServerOptions& options) {
    options.listeners[0].limits = DefaultLimits(Listener::kApi);
    options.listeners[0].limits->first_message_timeout = absl::Milliseconds(50);
  });
  auto channel = gateway.Api("reader");
  auto probe = StreamProbe::Start(channel->OpenStream(kSubscribe));
  EXPECT_FALSE(probe->WaitClosed().ok());
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 0; }));
  EXPECT_THAT(gateway.seen().closed.at(0), test::HasReason(Reason::kDeadlineExceeded));
}

TEST(ServerTest, ClientThatDoesNotReadIsDropped) {
  TestGateway gateway(
      [](ServerOptions& options) { options.write_stall_limit = absl::Milliseconds(200); });
  auto channel = gateway.Peer();
  // Never reads; what the echo sends back fills the window.
  auto probe = StreamProbe::Start(channel->OpenStream(kLink), /*keep_reading=*/false);
  const std::string large(3 << 20, 'x');
  while (probe->Send(large)) {
  }
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_calls() == 0; }));
  EXPECT_THAT(gateway.seen().closed.at(0), test::HasReason(Reason::kSlowConsumer));
}

TEST(ServerTest, MessageOverTheLimitIsRefused) {
  TestGateway gateway;
  auto channel = gateway.Api("reader");
  const auto answer =
      CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId(std::string(2 << 20, 'x')));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(gateway.seen().calls.empty());
}

TEST(ServerTest, ShutdownEndsLiveStreamsWithinItsLimit) {
  TestGateway gateway;
  auto peer = gateway.Peer();
  auto api = gateway.Api("reader");
  std::vector<std::shared_ptr<StreamProbe>> probes;
  for (int i = 0; i < 5; ++i) {
    probes.push_back(StreamProbe::Start(peer->OpenStream(kLink)));
    probes.push_back(StreamProbe::Start(api->OpenStream(kSubscribe)));
  }
  for (const auto& probe : probes) {
    ASSERT_TRUE(probe->Send("hello"));
    EXPECT_EQ(probe->Receive(), "hello");
  }
  EXPECT_EQ(gateway.server->live_calls(), 10U);
  bool drained = false;
  gateway.server->OnDrain([&] { drained = true; });
  const absl::Duration start = base::SystemClock().Monotonic();
  gateway.server->Shutdown(absl::Milliseconds(300));
  EXPECT_LT(base::SystemClock().Monotonic() - start, absl::Seconds(5));
  EXPECT_TRUE(drained);
  EXPECT_EQ(gateway.server->live_calls(), 0U);
  EXPECT_EQ(gateway.seen().closed.size(), 10U);
  for (const auto& stream : gateway.seen().streams) EXPECT_TRUE(stream.expired());
  for (const auto& probe : probes) EXPECT_FALSE(probe->WaitClosed().ok());
  gateway.server->Shutdown(absl::ZeroDuration());  // again: nothing happens
}

TEST(ServerTest, ShutdownWaitsForSessionsThatSayGoodbye) {
  TestGateway gateway;
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(probe->Send("hello"));
  EXPECT_EQ(probe->Receive(), "hello");
  gateway.server->OnDrain([&] {
    gateway.seen().streams.at(0).lock()->Close(base::MakeError(Reason::kDraining, "goodbye"));
  });
  const absl::Duration start = base::SystemClock().Monotonic();
  gateway.server->Shutdown(absl::Minutes(5));
  EXPECT_LT(base::SystemClock().Monotonic() - start, absl::Seconds(10));
  EXPECT_THAT(probe->WaitClosed(), test::HasReasonAndMessage(Reason::kDraining, "goodbye"));
}

TEST(ServerTest, AddressInUseIsNamedAndNothingListens) {
  TestGateway gateway;
  const std::string address = gateway.Address(Listener::kApi);
  test::TempDir other;
  ServerOptions options{.router = gateway.router,
                        .grants = gateway.grants,
                        .clock = base::SystemClock(),
                        .timers = TestGateway::Timers(),
                        .metrics = gateway.metrics};
  options.listeners.push_back({.kind = Listener::kLocal, .address = other.File("local.sock")});
  options.listeners.push_back({.kind = Listener::kLocal, .address = other.File("second.sock")});
  EXPECT_THAT(Server::Start(options).status(), test::HasReason(Reason::kInvalidConfig));
  options.listeners.pop_back();
  options.listeners[0].address = gateway.Address(Listener::kLocal);
  EXPECT_THAT(Server::Start(options).status(),
              test::HasReasonAndMessage(Reason::kAddressInUse,
                                        HasSubstr(gateway.Address(Listener::kLocal))));
}

TEST(ServerTest, DeniedPrincipalIsRefusedOnALiveConnection) {
  std::atomic<bool> denied{false};
  TestGateway gateway([&](ServerOptions& options) {
    options.deny = [&denied](const authz::Principal& principal) {
      if (!denied || principal.domain != "beta.example") return absl::OkStatus();
      return base::MakeError(Reason::kFrozen, "the peer is frozen");
    };
  });
  auto channel = gateway.Peer();
  auto first = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(first->Send("hello"));
  EXPECT_EQ(first->Receive(), "hello");
  denied = true;
  auto second = StreamProbe::Start(channel->OpenStream(kLink));
  EXPECT_THAT(second->WaitClosed(), test::HasReason(Reason::kFrozen));
  ASSERT_TRUE(first->Send("still there"));  // deny is for calls; connections are cut
  EXPECT_EQ(first->Receive(), "still there");
}

TEST(ServerTest, APrincipalHasARateOverAllItsConnections) {
  base::Metrics metrics;
  PrincipalRates rates(
      {.calls = {.per_second = 1, .burst = 4}, .clock = base::SystemClock(), .metrics = metrics});
  TestGateway gateway([&](ServerOptions& options) { options.rates = &rates; });
  const auto call = [](ClientChannel& channel) {
    return CallUnary<events::v1::DeliveredEvent>(channel, kGetEvent, events::v1::GetEventRequest())
        .status();
  };
  auto one = gateway.Api("reader");
  auto other = gateway.Api("reader");
  int refused = 0;
  for (int i = 0; i < 4; ++i) {
    for (ClientChannel* channel : {one.get(), other.get()}) {
      const absl::Status status = call(*channel);
      if (status.ok()) continue;
      EXPECT_THAT(status, test::HasReasonAndMessage(Reason::kRateExceeded,
                                                    testing::HasSubstr("service/reader")));
      ++refused;
    }
  }
  EXPECT_GE(refused, 1);
  // Others do not notice, and who mends things is not bounded.
  auto writer = gateway.Api("writer");
  EXPECT_THAT(call(*writer), test::HasReason(Reason::kNotGranted));
  auto local = gateway.Local();
  for (int i = 0; i < 10; ++i) {
    CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*local, kGetStatus, DeliveredEvent()));
  }
}

TEST(ServerTest, CutConnectionsEndsThoseOfTheMatchedPrincipals) {
  TestGateway gateway;
  auto peer = gateway.Peer();
  auto api = gateway.Api("reader");
  auto link = StreamProbe::Start(peer->OpenStream(kLink));
  auto subscription = StreamProbe::Start(api->OpenStream(kSubscribe));
  for (const auto& probe : {link, subscription}) {
    ASSERT_TRUE(probe->Send("hello"));
    EXPECT_EQ(probe->Receive(), "hello");
  }
  const absl::Duration start = base::SystemClock().Monotonic();
  EXPECT_EQ(gateway.server->CutConnections(
                [](const authz::Principal& p) { return p.domain == "beta.example"; }),
            1U);
  EXPECT_EQ(link->WaitClosed().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(base::SystemClock().Monotonic() - start, absl::Seconds(1));
  ASSERT_TRUE(subscription->Send("still there"));
  EXPECT_EQ(subscription->Receive(), "still there");
  EXPECT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_connections() == 1; }));
}

TEST(ServerTest, ConnectionCapRefusesAndRecovers) {
  TestGateway gateway([](ServerOptions& options) {
    options.listeners[0].limits = DefaultLimits(Listener::kApi);
    options.listeners[0].limits->max_connections = 3;
  });
  std::vector<std::unique_ptr<ClientChannel>> channels;
  for (int i = 0; i < 3; ++i) {
    channels.push_back(gateway.Api("reader"));
    CDGATE_ASSERT_OK(CallUnary<DeliveredEvent>(*channels.back(), kGetEvent, WithId("e")));
  }
  auto refused = gateway.Api("reader");
  EXPECT_FALSE(CallUnary<DeliveredEvent>(*refused, kGetEvent, WithId("e")).ok());
  EXPECT_THAT(gateway.metrics.Text(),
              HasSubstr("cdgate_rpc_connections_refused_total{cause=\"listener_full\","
                        "listener=\"api\"} 1"));
  channels.clear();
  refused.reset();
  ASSERT_TRUE(TestGateway::Eventually([&] { return gateway.server->live_connections() == 0; }));
  auto next = gateway.Api("reader");
  CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*next, kGetEvent, WithId("e")));
}

TEST(ServerTest, CallsBeyondTheLimitOfAConnectionWaitTheirTurn) {
  TestGateway gateway([](ServerOptions& options) {
    options.listeners[1].limits = DefaultLimits(Listener::kPeers);
    options.listeners[1].limits->max_streams_per_connection = 2;
  });
  auto channel = gateway.Peer();
  auto first = StreamProbe::Start(channel->OpenStream(kLink));
  auto second = StreamProbe::Start(channel->OpenStream(kLink));
  for (const auto& probe : {first, second}) {
    ASSERT_TRUE(probe->Send("hello"));
    EXPECT_EQ(probe->Receive(), "hello");
  }
  auto third = StreamProbe::Start(channel->OpenStream(kLink));
  first->stream().Close(absl::OkStatus());
  CDGATE_EXPECT_OK(first->WaitClosed());
  ASSERT_TRUE(third->Send("hello"));
  EXPECT_EQ(third->Receive(), "hello");
}

TEST(ServerTest, Ipv6ConnectionsAreFoundByTheirAddress) {
  TestGateway gateway([](ServerOptions& options) { options.listeners[0].address = "[::1]:0"; });
  auto channel = gateway.Api("reader");
  CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*channel, kGetEvent, WithId("e")));
  EXPECT_EQ(gateway.seen().calls.at(0)->peer_address.rfind("ipv6:", 0), 0U);
}

TEST(ServerTest, Ipv4ConnectionsToADualStackSocketAreFound) {
  TestGateway gateway([](ServerOptions& options) { options.listeners[1].address = "[::]:0"; });
  auto channel = gateway.Peer();
  auto probe = StreamProbe::Start(channel->OpenStream(kLink));
  ASSERT_TRUE(probe->Send("hello"));
  EXPECT_EQ(probe->Receive(), "hello");
}

// What a call's end holds may be the last of all that gRPC serves, and is dropped on gRPC's
// own thread.
TEST(ServerTest, LastChannelMayEndInsideACallback) {
  const auto held = std::make_shared<int>();
  Promise<bool> all_gone;
  {
    TestGateway gateway;
    auto channel = gateway.Api("reader");
    Promise<bool> answered;
    channel->CallBytes(
        kGetEvent, Serialise(WithId("e")), kPatience,
        [&answered, &all_gone, held](const absl::StatusOr<grpc::ByteBuffer>& response) {
          answered.Set(response.ok());
          all_gone.Wait();
        });
    EXPECT_TRUE(answered.Wait().value_or(false));
  }
  all_gone.Set(true);
  EXPECT_TRUE(TestGateway::Eventually([&] { return held.use_count() == 1; }));
  TestGateway next;
  CDGATE_EXPECT_OK(CallUnary<DeliveredEvent>(*next.Api("reader"), kGetEvent, WithId("e")));
}

TEST(ServerTest, HealthAnswersAndWatches) {
  using grpc::health::v1::HealthCheckRequest;
  using grpc::health::v1::HealthCheckResponse;
  TestGateway gateway;
  gateway.health.Set("", true);
  auto channel = gateway.Api("stranger");  // any principal may ask
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto now, CallUnary<HealthCheckResponse>(*channel, kHealthCheck, HealthCheckRequest()));
  EXPECT_EQ(now.status(), HealthCheckResponse::SERVING);
  HealthCheckRequest peer;
  peer.set_service("peer:beta.example");
  EXPECT_THAT(CallUnary<HealthCheckResponse>(*channel, kHealthCheck, peer),
              test::HasReason(Reason::kNotFound));

  auto watch = StreamProbe::Start(channel->OpenStream(kHealthWatch));
  ASSERT_TRUE(watch->Send(peer.SerializeAsString()));
  const auto next = [&] {
    HealthCheckResponse response;
    EXPECT_TRUE(response.ParseFromString(watch->Receive().value_or("?")));
    return response.status();
  };
  EXPECT_EQ(next(), HealthCheckResponse::SERVICE_UNKNOWN);
  gateway.health.Set("peer:beta.example", true);
  EXPECT_EQ(next(), HealthCheckResponse::SERVING);
  gateway.health.Set("peer:beta.example", false);
  EXPECT_EQ(next(), HealthCheckResponse::NOT_SERVING);
  gateway.health.Remove("peer:beta.example");
  EXPECT_EQ(next(), HealthCheckResponse::SERVICE_UNKNOWN);
  watch->stream().Cancel(absl::CancelledError());
}

}  // namespace
}  // namespace cdgate::rpc
