#include "gateway/webhook/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/authz/grants.h"
#include "gateway/base/file.h"
#include "gateway/delivery/subscriptions.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/gateway/webhook/raw_server.h"
#include "tests/support/temp_dir.h"

namespace cdgate::webhook {
namespace {

using admin::v1::PushState;
using base::Reason;
using test::HasReason;
using test::RawServer;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kOwner[] = "spiffe://alpha.example/service/hooks";
constexpr char kTaken[] = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr char kGranted[] =
    "HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: alpha.example\r\nWebHook-Allowed-Rate: *\r\n"
    "Content-Length: 0\r\n\r\n";

std::string HttpAnswer(int status, const std::string& fields = "", const std::string& body = "") {
  return absl::StrCat("HTTP/1.1 ", status, " Some\r\n", fields, "Content-Length: ", body.size(),
                      "\r\n\r\n", body);
}

std::string FieldOf(const RawServer::Request& request, const std::string& name) {
  const size_t at = request.head.find(absl::StrCat("\r\n", name, ": "));
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 4;
  return request.head.substr(from, request.head.find('\r', from) - from);
}

// A store with real threads and clocks, and webhooks over it.
class WebhooksTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    admin::v1::Grant grant;
    grant.set_name("readers");
    grant.set_principal("spiffe://alpha.example/service/%");
    grant.set_role(admin::v1::ROLE_SUBSCRIBER);
    grants_.Replace(*authz::Grants::Compile({&grant, 1}));
    Open();
  }
  void TearDown() override {
    webhooks_.reset();
    if (watch_ != 0) world_.store->Unwatch(watch_);
    feed_->Shutdown();
    world_.store->Shutdown();
    pool_.Shutdown();
  }

  void Open() {
    feed_ = std::make_unique<eventlog::Feed>(*world_.log, pool_, world_.metrics);
    shared_ = std::make_unique<delivery::SharedSubscriptions>(
        delivery::SharedDeps{.store = *world_.store,
                             .feed = *feed_,
                             .grants = grants_,
                             .pool = pool_,
                             .clock = base::SystemClock(),
                             .timers = timers_,
                             .metrics = world_.metrics});
  }
  // Allows all of the server at this address.
  void Allow(const std::string& name, const std::string& url, bool private_addresses = true) {
    config::v1::WebhookTarget& target = *config_.add_targets();
    target.set_name(name);
    target.set_url(url);
    if (private_addresses) target.add_allow_addresses("127.0.0.0/8");
  }
  void Start() {
    auto started = Webhooks::Start({.domain = "alpha.example",
                                    .author = "spiffe://alpha.example/gateway/gw1",
                                    .store = *world_.store,
                                    .shared = *shared_,
                                    .hold = [this](const auto&) { return hold_; },
                                    .deny = nullptr,
                                    .clock = base::SystemClock(),
                                    .random = base::SystemRandom(),
                                    .metrics = world_.metrics},
                                   config_);
    CDGATE_ASSERT_OK(started);
    webhooks_ = *std::move(started);
    watch_ =
        world_.store->Watch([this](const auto& resources) { webhooks_->Reconcile(resources); });
  }
  admin::v1::Subscription Pushed(const std::string& name, const std::string& url) {
    admin::v1::Subscription subscription;
    subscription.set_name(name);
    subscription.set_owner(kOwner);
    subscription.set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
    subscription.mutable_shared()->set_max_attempts(3);
    subscription.mutable_shared()->mutable_min_backoff()->set_nanos(1'000'000);
    subscription.mutable_push()->set_url(url);
    subscription.mutable_push()->mutable_timeout()->set_seconds(2);
    return subscription;
  }
  void Store(const admin::v1::Subscription& subscription) {
    state::Proposal proposal;
    proposal.resources.push_back(test::Resource(state::kSubscriptionKind, subscription.name(),
                                                subscription.SerializeAsString()));
    state::CursorEdit cursor;
    cursor.move = delivery::MakeCursor(subscription.name(), world_.store->head().epoch,
                                       base::Sequence(0), base::Sequence(0));
    proposal.cursors.push_back(std::move(cursor));
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) world_.Publish(absl::StrCat("event-", ++events_));
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Duration end = base::SystemClock().Monotonic() + absl::Seconds(30);
    base::Mutex mu;
    base::CondVar never;
    while (base::SystemClock().Monotonic() < end) {
      if (condition()) return true;
      base::MutexLock lock(mu);
      never.WaitFor(mu, absl::Milliseconds(5));
    }
    return false;
  }
  uint64_t PositionOf(const std::string& name) {
    const auto cursor = world_.store->Cursor(delivery::ReaderOf(name));
    return cursor ? cursor->position() : 0;
  }
  admin::v1::PushStatus StatusOf(const std::string& name) {
    const auto resource = world_.store->Resources()->Find(state::kSubscriptionKind, name);
    const auto status = webhooks_->StatusOf(*resource->As<admin::v1::Subscription>());
    return status.value_or(admin::v1::PushStatus());
  }
  bool Is(const std::string& name, PushState state) {
    return Eventually([&] { return StatusOf(name).state() == state; });
  }
  std::vector<storage::v1::DeadLetterRow> LettersOf(const std::string& name) {
    return world_.store->DeadLetters(delivery::ReaderOf(name), nullptr, SIZE_MAX).value();
  }
  // Of the events that a server got: by id, how often.
  static std::map<std::string, int> IdsOf(const RawServer& server) {
    std::map<std::string, int> out;
    for (const auto& request : server.requests()) {
      if (!request.IsOptions()) ++out[FieldOf(request, "ce-id")];
    }
    return out;
  }

  test::StoreWorld world_;
  base::ThreadPool pool_{{.name = "work", .threads = 2}};
  base::ThreadTimerQueue timers_{base::SystemClock()};
  authz::GrantRegistry grants_;
  std::unique_ptr<eventlog::Feed> feed_;
  std::unique_ptr<delivery::SharedSubscriptions> shared_;
  config::v1::WebhooksConfig config_;
  std::unique_ptr<Webhooks> webhooks_;
  uint64_t watch_ = 0;
  absl::Status hold_;  // before it starts
  int events_ = 0;
};

TEST_F(WebhooksTest, EachEventIsPushedOnceAndAcknowledged) {
  RawServer server([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? kGranted : kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  Store(Pushed("hook", server.Url("/ci")));
  Publish(100);
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 100; }));
  const auto ids = IdsOf(server);
  EXPECT_EQ(ids.size(), 100u);
  for (const auto& [id, times] : ids) EXPECT_EQ(times, 1) << id;
  const auto requests = server.requests();
  ASSERT_TRUE(requests[0].IsOptions());
  EXPECT_THAT(requests[0].head, HasSubstr("OPTIONS /ci HTTP/1.1"));
  for (const auto& request : requests) {
    EXPECT_EQ(FieldOf(request, "WebHook-Request-Origin"), "alpha.example");
    EXPECT_EQ(FieldOf(request, "WebHook-Request-Callback"), "");
  }
  EXPECT_EQ(FieldOf(requests[1], "Cdgate-Attempt"), "1");
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").delivered() == 100; }));
  EXPECT_EQ(StatusOf("hook").state(), admin::v1::PUSH_STATE_SENDING);
}

TEST_F(WebhooksTest, NothingIsSentBeforeTheTargetWantsIt) {
  RawServer server([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? HttpAnswer(200) : kTaken};
  });
  Allow("ci", server.Url("/"));
  config_.set_callback_url("https://gw.alpha.example");
  Start();
  Store(Pushed("hook", server.Url("/")));
  Publish(3);
  EXPECT_TRUE(Eventually([&] {
    return StatusOf("hook").reason() == base::ReasonLabel(Reason::kWebhookHandshakeRefused);
  }));
  EXPECT_EQ(StatusOf("hook").state(), admin::v1::PUSH_STATE_HANDSHAKE);
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").has_next_try_time(); }));
  EXPECT_THAT(IdsOf(server), IsEmpty());
  // It grants by a call of ours.
  const std::string callback = FieldOf(server.requests()[0], "WebHook-Request-Callback");
  const std::string prefix = absl::StrCat("https://gw.alpha.example", kGrantPath);
  ASSERT_EQ(callback.substr(0, prefix.size()), prefix);
  EXPECT_THAT(webhooks_->Grant("wrong", ""), HasReason(Reason::kNotFound));
  EXPECT_THAT(webhooks_->Grant(callback.substr(prefix.size()), "many"),
              HasReason(Reason::kInvalidArgument));
  CDGATE_EXPECT_OK(webhooks_->Grant(callback.substr(prefix.size()), "6000"));
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 3; }));
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").allowed_rate() == 6000; }));
}

TEST_F(WebhooksTest, WhatIsRefusedAgainAndAgainIsADeadLetterWithTheLastAnswer) {
  RawServer server([](const RawServer::Request& request) {
    if (request.IsOptions()) return RawServer::Reply{.bytes = kGranted};
    const bool poison = FieldOf(request, "ce-id") == "event-2";
    return RawServer::Reply{.bytes = poison ? HttpAnswer(422, "", "no such pipeline") : kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  Store(Pushed("hook", server.Url("/")));
  Publish(5);
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 5; }));
  const auto letters = LettersOf("hook");
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].letter().sequence(), 2u);
  EXPECT_EQ(letters[0].letter().reason(), "webhook_rejected");
  EXPECT_THAT(letters[0].letter().message(), HasSubstr("answered 422: no such pipeline"));
  EXPECT_EQ(IdsOf(server).at("event-2"), 3);
  EXPECT_EQ(IdsOf(server).size(), 5u);
}

TEST_F(WebhooksTest, AnOutageLosesNoEvent) {
  std::atomic<bool> down{true};
  RawServer server([&](const RawServer::Request& request) {
    if (request.IsOptions()) return RawServer::Reply{.bytes = kGranted};
    if (down) return RawServer::Reply{.reset = true};
    return RawServer::Reply{.bytes = kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  admin::v1::Subscription subscription = Pushed("hook", server.Url("/"));
  subscription.mutable_shared()->set_max_attempts(10);
  Store(subscription);
  Publish(20);
  EXPECT_TRUE(Is("hook", admin::v1::PUSH_STATE_BREAKER_OPEN));
  // More of the time than all attempts of an event would last.
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").failed() >= 8; }));
  EXPECT_EQ(StatusOf("hook").reason(), "webhook_unreachable");
  EXPECT_EQ(world_.metrics.AddGauge("cdgate_webhook_breakers_open", "", {{"target", "ci"}}).Value(),
            1);
  down = false;
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 20; }));
  EXPECT_THAT(LettersOf("hook"), IsEmpty());
  EXPECT_EQ(IdsOf(server).size(), 20u);
  EXPECT_GE(
      world_.metrics.AddCounter("cdgate_webhook_retries_total", "", {{"target", "ci"}}).Value(), 5);
}

TEST_F(WebhooksTest, OneThatIsGoneEndsThePush) {
  RawServer server([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes =
                                request.IsOptions() ? kGranted : HttpAnswer(410, "", "retired")};
  });
  Allow("ci", server.Url("/"));
  Start();
  Store(Pushed("hook", server.Url("/")));
  Publish(1);
  EXPECT_TRUE(Is("hook", admin::v1::PUSH_STATE_ENDED));
  EXPECT_TRUE(Eventually([&] {
    const auto resource = world_.store->Resources()->Find(state::kSubscriptionKind, "hook");
    return resource->As<admin::v1::Subscription>()->push().has_end();
  }));
  EXPECT_EQ(StatusOf("hook").reason(), "webhook_gone");
  EXPECT_THAT(StatusOf("hook").message(), HasSubstr("410: retired"));
  const size_t sent = server.requests().size();
  Publish(5);
  // Set anew, it goes on where it was: with the event that was not taken.
  RawServer next([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? kGranted : kTaken};
  });
  webhooks_.reset();
  world_.store->Unwatch(watch_);
  Allow("next", next.Url("/"));
  Start();
  CDGATE_ASSERT_OK(world_.Apply(test::Resource(state::kSubscriptionKind, "hook",
                                               Pushed("hook", next.Url("/")).SerializeAsString())));
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 6; }));
  EXPECT_EQ(server.requests().size(), sent);
  EXPECT_EQ(IdsOf(next).size(), 6u);
}

TEST_F(WebhooksTest, OneThatHangsOrNeverEndsKeepsNoOtherWaiting) {
  RawServer good([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? kGranted : kTaken};
  });
  RawServer hangs([](const RawServer::Request& request) {
    return request.IsOptions() ? RawServer::Reply{.bytes = kGranted}
                               : RawServer::Reply{.hang = true};
  });
  RawServer endless([](const RawServer::Request& request) {
    return request.IsOptions() ? RawServer::Reply{.bytes = kGranted}
                               : RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\n",
                                                  .endless = "xxxxxxxxxxxxxxxx"};
  });
  Allow("good", good.Url("/"));
  Allow("hangs", hangs.Url("/"));
  Allow("endless", endless.Url("/"));
  Start();
  Store(Pushed("hangs", hangs.Url("/")));
  Store(Pushed("endless", endless.Url("/")));
  Store(Pushed("good", good.Url("/")));
  Publish(50);
  EXPECT_TRUE(Eventually([&] { return PositionOf("good") == 50; }));
  EXPECT_TRUE(Eventually([&] { return StatusOf("hangs").reason() == "webhook_timed_out"; }));
  EXPECT_TRUE(
      Eventually([&] { return StatusOf("endless").reason() == "webhook_answer_too_large"; }));
  Publish(50);
  EXPECT_TRUE(Eventually([&] { return PositionOf("good") == 100; }));
}

TEST_F(WebhooksTest, ANameThatResolvesToAPrivateAddressIsRefused) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kGranted}; });
  Allow("ci", server.Url("/", "localhost"), false);
  Start();
  Store(Pushed("hook", server.Url("/", "localhost")));
  Publish(1);
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").reason() == "webhook_address_refused"; }));
  EXPECT_EQ(server.connections(), 0);
  EXPECT_EQ(PositionOf("hook"), 0u);
}

TEST_F(WebhooksTest, OrderOfSubjectsIsKept) {
  base::Mutex mu;
  std::vector<std::string> taken;
  std::map<std::string, int> tries;
  RawServer server([&](const RawServer::Request& request) {
    if (request.IsOptions()) return RawServer::Reply{.bytes = kGranted};
    const std::string id = FieldOf(request, "ce-id");
    base::MutexLock lock(mu);
    if (++tries[id] == 1 && std::hash<std::string>()(id) % 3 == 0) {
      return RawServer::Reply{.bytes = HttpAnswer(409)};
    }
    taken.push_back(id);
    return RawServer::Reply{.bytes = kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  admin::v1::Subscription subscription = Pushed("hook", server.Url("/"));
  subscription.mutable_shared()->set_keep_subject_order(true);
  Store(subscription);
  Publish(60);  // all of one subject
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 60; }));
  base::MutexLock lock(mu);
  ASSERT_THAT(taken, SizeIs(60));
  for (int i = 0; i < 60; ++i) EXPECT_EQ(taken[i], absl::StrCat("event-", i + 1));
}

TEST_F(WebhooksTest, WhatIsNotAllowedAnyMoreStops) {
  Allow("ci", "https://hooks.example/");
  Start();
  admin::v1::Subscription elsewhere = Pushed("hook", "https://elsewhere.example/");
  EXPECT_THAT(webhooks_->Check(elsewhere), HasReason(Reason::kWebhookNotAllowed));
  CDGATE_EXPECT_OK(webhooks_->Check(Pushed("hook", "https://hooks.example/x")));
  Store(elsewhere);
  EXPECT_TRUE(Is("hook", admin::v1::PUSH_STATE_STOPPED));
  EXPECT_EQ(StatusOf("hook").reason(), "webhook_not_allowed");
}

TEST_F(WebhooksTest, NothingLeavesWhileAllIsHeld) {
  RawServer server([](const RawServer::Request&) { return RawServer::Reply{.bytes = kGranted}; });
  Allow("ci", server.Url("/"));
  hold_ = base::MakeError(Reason::kExportsStopped, "exports are stopped");
  Start();
  Store(Pushed("hook", server.Url("/")));
  Publish(1);
  EXPECT_TRUE(Is("hook", admin::v1::PUSH_STATE_STOPPED));
  EXPECT_EQ(StatusOf("hook").reason(), "exports_stopped");
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(WebhooksTest, AnOwnerWithoutGrantGetsNothing) {
  RawServer server([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? kGranted : kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  admin::v1::Subscription subscription = Pushed("hook", server.Url("/"));
  subscription.set_owner("spiffe://alpha.example/person/ada");
  Store(subscription);
  Publish(1);
  EXPECT_TRUE(Is("hook", admin::v1::PUSH_STATE_STOPPED));
  EXPECT_EQ(StatusOf("hook").reason(), "not_granted");
  EXPECT_THAT(IdsOf(server), IsEmpty());
}

TEST_F(WebhooksTest, WaitsForWhatIsUnderWayWhenItEnds) {
  std::atomic<bool> release{false};
  RawServer server([&](const RawServer::Request& request) {
    if (request.IsOptions()) return RawServer::Reply{.bytes = kGranted};
    Eventually([&] { return release.load(); });
    return RawServer::Reply{.bytes = kTaken};
  });
  Allow("ci", server.Url("/"));
  Start();
  Store(Pushed("hook", server.Url("/")));
  Publish(1);
  EXPECT_TRUE(Eventually([&] { return IdsOf(server).size() == 1; }));
  std::thread ending([&] { webhooks_->Shutdown(absl::Seconds(30)); });
  release = true;
  ending.join();
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 1; }));
}

TEST_F(WebhooksTest, ATokenIsReadFromItsFile) {
  RawServer server([](const RawServer::Request& request) {
    return RawServer::Reply{.bytes = request.IsOptions() ? kGranted : kTaken};
  });
  test::TempDir dir;
  Allow("ci", server.Url("/"));
  config_.mutable_targets(0)->set_token_file(dir.File("token"));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir.File("token"), "first\n", 0600));
  Start();
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir.File("token"), "not for everybody\n", 0644));
  Store(Pushed("hook", server.Url("/")));
  EXPECT_TRUE(Eventually([&] { return StatusOf("hook").reason() == "file_unreadable"; }));
  EXPECT_THAT(server.requests(), IsEmpty());
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir.File("token"), "s3cret.token\n", 0600));
  Publish(1);
  EXPECT_TRUE(Eventually([&] { return PositionOf("hook") == 1; }));
  for (const auto& request : server.requests()) {
    EXPECT_EQ(FieldOf(request, "Authorization"), "Bearer s3cret.token");
  }
}

}  // namespace
}  // namespace cdgate::webhook
