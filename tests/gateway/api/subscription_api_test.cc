#include "gateway/api/subscription_api.h"

#include "gateway/delivery/subscription_settings.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::SubscriptionStatus;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;

class SubscriptionApiTest : public AdminTest {
 protected:
  SubscriptionApiTest() {
    CDGATE_EXPECT_OK(api_.Register(router_));
    Grant(Ann(), admin::v1::ROLE_SUBSCRIBER);
  }

  template <typename Response>
  absl::StatusOr<Response> Sub(const authz::Principal& principal, absl::string_view method,
                               const google::protobuf::MessageLite& request) {
    const bool local = principal.kind == authz::Principal::Kind::kLocal;
    const auto bytes =
        CallBytes(principal, absl::StrCat("/cdgate.admin.v1.SubscriptionService/", method), request,
                  local ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }
  static admin::v1::CreateSubscriptionRequest Shared(const std::string& name) {
    admin::v1::CreateSubscriptionRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
    return request;
  }
  absl::StatusOr<SubscriptionStatus> Create(const admin::v1::CreateSubscriptionRequest& request) {
    return Sub<SubscriptionStatus>(Ann(), "CreateSubscription", request);
  }
  absl::StatusOr<SubscriptionStatus> Get(const authz::Principal& who, const std::string& name) {
    admin::v1::GetSubscriptionRequest request;
    request.set_name(name);
    return Sub<SubscriptionStatus>(who, "GetSubscription", request);
  }
  absl::StatusOr<SubscriptionStatus> Update(const admin::v1::UpdateSubscriptionRequest& request) {
    return Sub<SubscriptionStatus>(Ann(), "UpdateSubscription", request);
  }
  std::vector<std::string> Names(const authz::Principal& who, int32_t page_size = 0) {
    std::vector<std::string> names;
    admin::v1::ListSubscriptionsRequest request;
    request.set_page_size(page_size);
    do {
      const auto page =
          Sub<admin::v1::ListSubscriptionsResponse>(who, "ListSubscriptions", request);
      if (!page.ok()) return {page.status().ToString()};
      for (const auto& one : page->subscriptions()) names.push_back(one.subscription().name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  // Ann may push below https://hooks.example/ann. Nobody tells them of resources: nothing is sent.
  std::unique_ptr<webhook::Webhooks> StartWebhooks() {
    config::v1::WebhooksConfig config;
    config.add_targets()->set_name("ann");
    config.mutable_targets(0)->set_url("https://hooks.example/ann");
    config.mutable_targets(0)->add_principals(Ann().id);
    return *webhook::Webhooks::Start({.domain = "alpha.example",
                                      .author = "spiffe://alpha.example/gateway/gw1",
                                      .store = alpha_.store(),
                                      .shared = shared_,
                                      .hold = nullptr,
                                      .deny = nullptr,
                                      .clock = clock_,
                                      .random = base::SystemRandom(),
                                      .metrics = metrics_},
                                     config);
  }
  static admin::v1::CreateSubscriptionRequest PushedTo(const std::string& url) {
    auto request = Shared("hook");
    request.mutable_subscription()->mutable_push()->set_url(url);
    return request;
  }

  authz::GrantRegistry grants_;
  delivery::SubscriptionHolders holders_;
  test::FakeTimerQueue timers_{clock_};
  base::Metrics metrics_;
  eventlog::Feed feed_{alpha_.log(), pool_, metrics_};
  delivery::SharedSubscriptions shared_{{.store = alpha_.store(),
                                         .feed = feed_,
                                         .grants = grants_,
                                         .pool = pool_,
                                         .clock = clock_,
                                         .timers = timers_,
                                         .metrics = metrics_}};
  std::unique_ptr<webhook::Webhooks> webhooks_ = StartWebhooks();
  SubscriptionApi api_{{.store = alpha_.store(),
                        .holders = holders_,
                        .shared = shared_,
                        .grants = grants_,
                        .webhooks = *webhooks_,
                        .clock = clock_,
                        .pool = pool_}};
};

TEST_F(SubscriptionApiTest, WhatIsMadeIsItsMakers) {
  auto request = Shared("workers");
  request.mutable_subscription()->set_owner("spiffe://alpha.example/user/mallory");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto made, Create(request));
  EXPECT_EQ(made.subscription().owner(), Ann().id);
  EXPECT_FALSE(made.etag().empty());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto shown, Get(Ann(), "workers"));
  EXPECT_EQ(shown.SerializeAsString(), made.SerializeAsString());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto again, Create(Shared("workers")));
  EXPECT_EQ(again.etag(), made.etag()) << "the same again is no other one";
  auto other = Shared("workers");
  other.mutable_subscription()->set_filter("id = '1'");
  EXPECT_THAT(Create(other), HasReason(Reason::kAlreadyExists));
}

TEST_F(SubscriptionApiTest, IsPushedOnlyWhereThatIsAllowed) {
  EXPECT_THAT(Create(PushedTo("https://elsewhere.example/")),
              HasReason(Reason::kWebhookNotAllowed));
  EXPECT_THAT(Create(PushedTo("hooks.example/ann")), HasReason(Reason::kInvalidArgument));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto made, Create(PushedTo("https://hooks.example/ann/x")));
  EXPECT_EQ(made.subscription().push().url(), "https://hooks.example/ann/x");
  auto ordered = PushedTo("https://hooks.example/ann");
  ordered.mutable_subscription()->clear_mode();
  EXPECT_THAT(Create(ordered),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("push is of mode SHARED")));
  Grant(User("bob"), admin::v1::ROLE_SUBSCRIBER);
  auto others = PushedTo("https://hooks.example/ann");
  others.mutable_subscription()->set_name("bobs");
  EXPECT_THAT(Sub<SubscriptionStatus>(User("bob"), "CreateSubscription", others),
              HasReasonAndMessage(Reason::kWebhookNotAllowed, HasSubstr("is not for")));
}

TEST_F(SubscriptionApiTest, PushHasBounds) {
  const auto with = [](auto change) {
    auto request = PushedTo("https://hooks.example/ann");
    change(request.mutable_subscription());
    return request;
  };
  using Changed = admin::v1::Subscription*;
  for (const auto& [request, field] :
       {std::pair(with([](Changed s) { s->mutable_push()->clear_url(); }), "push.url"),
        std::pair(with([](Changed s) { s->mutable_push()->set_max_concurrency(65); }),
                  "push.max_concurrency"),
        std::pair(with([](Changed s) { s->mutable_push()->mutable_timeout()->set_seconds(61); }),
                  "push.timeout"),
        std::pair(with([](Changed s) { s->mutable_push()->mutable_timeout()->set_seconds(0); }),
                  "push.timeout"),
        std::pair(with([](Changed s) {
                    s->mutable_push()->set_format(static_cast<admin::v1::PushFormat>(9));
                  }),
                  "push.format"),
        std::pair(
            with([](Changed s) { s->mutable_shared()->mutable_ack_deadline()->set_seconds(30); }),
            "shared.ack_deadline")}) {
    EXPECT_THAT(Create(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr(field)));
  }
}

TEST_F(SubscriptionApiTest, PushIsSetAnewAndTakenAway) {
  CDGATE_ASSERT_OK(Create(PushedTo("https://hooks.example/ann")));
  // Who asks does not say that it has ended.
  admin::v1::UpdateSubscriptionRequest request;
  request.mutable_subscription()->set_name("hook");
  request.mutable_subscription()->mutable_push()->set_url("https://hooks.example/ann/y");
  request.mutable_subscription()->mutable_push()->mutable_end()->set_reason("webhook_gone");
  request.mutable_update_mask()->add_paths("push");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto changed, Update(request));
  EXPECT_EQ(changed.subscription().push().url(), "https://hooks.example/ann/y");
  EXPECT_FALSE(changed.subscription().push().has_end());
  request.mutable_subscription()->mutable_push()->set_url("https://elsewhere.example/");
  EXPECT_THAT(Update(request), HasReason(Reason::kWebhookNotAllowed));
  request.mutable_subscription()->clear_push();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto taken, Update(request));
  EXPECT_FALSE(taken.subscription().has_push());
}

TEST_F(SubscriptionApiTest, OthersDoNotSeeIt) {
  CDGATE_ASSERT_OK(Create(Shared("workers")));
  Grant(User("bob"), admin::v1::ROLE_SUBSCRIBER);
  EXPECT_THAT(Get(User("bob"), "workers"), HasReason(Reason::kNotFound));
  EXPECT_THAT(Names(User("bob")), ElementsAre());
  CDGATE_EXPECT_OK(Get(Root(), "workers"));
  EXPECT_THAT(Names(Root()), ElementsAre("workers"));
}

TEST_F(SubscriptionApiTest, AnOperatorReachesAllAndAnAuditorSeesThem) {
  CDGATE_ASSERT_OK(Create(Shared("workers")));
  Grant(User("olga"), admin::v1::ROLE_OPERATOR);
  Grant(User("alan"), admin::v1::ROLE_AUDITOR);
  grants_.Replace(CurrentGrants());
  admin::v1::UpdateSubscriptionRequest request;
  request.mutable_subscription()->set_name("workers");
  request.mutable_subscription()->set_description("seen to");
  request.mutable_update_mask()->add_paths("description");
  CDGATE_EXPECT_OK(Sub<SubscriptionStatus>(User("olga"), "UpdateSubscription", request));
  EXPECT_THAT(Names(User("alan")), ElementsAre("workers"));
  EXPECT_THAT(Sub<SubscriptionStatus>(User("alan"), "UpdateSubscription", request),
              HasReason(Reason::kNotGranted));
}

TEST_F(SubscriptionApiTest, ListsInPages) {
  for (const char* name : {"c", "a", "b"}) CDGATE_ASSERT_OK(Create(Shared(name)));
  EXPECT_THAT(Names(Ann(), 2), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Names(Ann(), 1), ElementsAre("a", "b", "c"));
}

TEST_F(SubscriptionApiTest, WhatIsOutOfItsBoundsIsNotMade) {
  const auto refused = [this](auto change, Reason reason, const char* field) {
    auto request = Shared("workers");
    change(*request.mutable_subscription());
    EXPECT_THAT(Create(request), HasReasonAndMessage(reason, HasSubstr(field)));
  };
  using admin::v1::Subscription;
  refused([](Subscription& s) { s.set_name("No"); }, Reason::kInvalidArgument, "No");
  refused([](Subscription& s) { s.set_filter("id ="); }, Reason::kInvalidFilter, "");
  refused([](Subscription& s) { s.set_convert_to("9.9"); }, Reason::kInvalidArgument, "9.9");
  refused([](Subscription& s) { s.set_description(std::string(1025, 'x')); },
          Reason::kInvalidArgument, "description");
  refused([](Subscription& s) { (*s.mutable_labels())[""] = "x"; }, Reason::kInvalidArgument,
          "labels");
  refused(
      [](Subscription& s) {
        s.mutable_shared()->mutable_dead_letter_retention()->set_seconds(3599);
      },
      Reason::kInvalidArgument, "dead_letter_retention");
  refused([](Subscription& s) { s.mutable_shared()->set_max_attempts(101); },
          Reason::kInvalidArgument, "max_attempts");
  refused([](Subscription& s) { s.mutable_shared()->mutable_ack_deadline()->set_nanos(1); },
          Reason::kInvalidArgument, "ack_deadline");
  refused(
      [](Subscription& s) {
        s.mutable_shared()->mutable_min_backoff()->set_seconds(10);
        s.mutable_shared()->mutable_max_backoff()->set_seconds(9);
      },
      Reason::kInvalidArgument, "max_backoff");
  refused(
      [](Subscription& s) {
        s.set_mode(admin::v1::SUBSCRIPTION_MODE_ORDERED);
        s.mutable_shared();
      },
      Reason::kInvalidArgument, "shared");
  EXPECT_THAT(Names(Ann()), ElementsAre());
}

TEST_F(SubscriptionApiTest, AnUpdateChangesWhatItsMaskNames) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto made, Create(Shared("workers")));
  admin::v1::UpdateSubscriptionRequest request;
  request.mutable_subscription()->set_name("workers");
  request.mutable_subscription()->set_filter("id = '1'");
  request.mutable_subscription()->set_description("of the deployment");
  EXPECT_THAT(Update(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("mask")));
  request.mutable_update_mask()->add_paths("description");
  request.set_etag(made.etag());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto changed, Update(request));
  EXPECT_EQ(changed.subscription().description(), "of the deployment");
  EXPECT_EQ(changed.subscription().filter(), "");
  EXPECT_NE(changed.etag(), made.etag());
  EXPECT_THAT(Update(request), HasReason(Reason::kEtagMismatch));
  request.clear_etag();
  request.mutable_update_mask()->add_paths("mode");
  EXPECT_THAT(Update(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("mode")));
  request.mutable_update_mask()->clear_paths();
  request.mutable_update_mask()->add_paths("filter");
  request.mutable_subscription()->set_filter("id =");
  EXPECT_THAT(Update(request), HasReason(Reason::kInvalidFilter));
  request.mutable_subscription()->set_name("nobody");
  EXPECT_THAT(Update(request), HasReason(Reason::kNotFound));
}

TEST_F(SubscriptionApiTest, ASeekIsWithinTheLog) {
  CDGATE_ASSERT_OK(Create(Shared("workers")));
  admin::v1::SeekSubscriptionRequest request;
  request.set_name("workers");
  EXPECT_THAT(Sub<SubscriptionStatus>(Ann(), "SeekSubscription", request),
              HasReason(Reason::kInvalidArgument));
  request.set_sequence(alpha_.store().head().sequence.value() + 2);
  EXPECT_THAT(Sub<SubscriptionStatus>(Ann(), "SeekSubscription", request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("not in the log")));
  request.set_sequence(alpha_.store().head().sequence.value() + 1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto moved,
                              Sub<SubscriptionStatus>(Ann(), "SeekSubscription", request));
  EXPECT_EQ(moved.lag(), 0U);
  request.mutable_event()->set_id("nothing");
  EXPECT_THAT(Sub<SubscriptionStatus>(Ann(), "SeekSubscription", request),
              HasReason(Reason::kNotFound));
}

TEST_F(SubscriptionApiTest, WhatIsDeletedIsGoneWithItsPosition) {
  CDGATE_ASSERT_OK(Create(Shared("workers")));
  admin::v1::DeleteSubscriptionRequest request;
  request.set_name("workers");
  CDGATE_ASSERT_OK(
      Sub<admin::v1::DeleteSubscriptionResponse>(Ann(), "DeleteSubscription", request));
  EXPECT_FALSE(alpha_.store().Cursor(delivery::ReaderOf("workers")).has_value());
  EXPECT_THAT(Sub<admin::v1::DeleteSubscriptionResponse>(Ann(), "DeleteSubscription", request),
              HasReason(Reason::kNotFound));
}

class DeadLetterOfSubscriptionTest : public SubscriptionApiTest {
 protected:
  // A subscription that gave up an event.
  void SetUp() override {
    CDGATE_ASSERT_OK(Create(Shared("workers")));
    state::Proposal proposal;
    storage::v1::DeadLetter& letter = proposal.dead_letters.emplace_back();
    letter.set_reader(delivery::ReaderOf("workers"));
    letter.set_sequence(77);
    letter.set_reason("delivery_failed");
    const test::Answer<state::Outcome> answer;
    CDGATE_ASSERT_OK(alpha_.store().Propose(
        std::move(proposal),
        [take = answer.Taker()](const state::Outcome& outcome) { take(outcome); }));
    CDGATE_ASSERT_OK(answer.Wait()->status);
  }
  admin::v1::ListDeadLettersResponse List() {
    admin::v1::ListDeadLettersRequest request;
    request.set_subscription("workers");
    return Sub<admin::v1::ListDeadLettersResponse>(Ann(), "ListDeadLetters", request).value();
  }
};

TEST_F(DeadLetterOfSubscriptionTest, AreListedAndDropped) {
  ASSERT_EQ(List().dead_letters_size(), 1);
  EXPECT_EQ(List().dead_letters(0).event().sequence(), 77U);
  EXPECT_FALSE(List().dead_letters(0).redrivable());
  admin::v1::DropDeadLettersRequest request;
  request.set_subscription("workers");
  EXPECT_THAT(Sub<admin::v1::DropDeadLettersResponse>(Ann(), "DropDeadLetters", request),
              HasReason(Reason::kInvalidArgument));
  *request.add_names() = List().dead_letters(0).name();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto dropped, Sub<admin::v1::DropDeadLettersResponse>(
                                                      Ann(), "DropDeadLetters", request));
  EXPECT_EQ(dropped.dropped(), 1U);
  EXPECT_EQ(List().dead_letters_size(), 0);
  EXPECT_THAT(Sub<admin::v1::DropDeadLettersResponse>(Ann(), "DropDeadLetters", request),
              HasReason(Reason::kNotFound));
}

TEST_F(DeadLetterOfSubscriptionTest, StayWhereTheirEventIsGone) {
  admin::v1::RedriveDeadLettersRequest request;
  request.set_subscription("workers");
  *request.add_names() = List().dead_letters(0).name();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto answer, Sub<admin::v1::RedriveDeadLettersResponse>(
                                                     Ann(), "RedriveDeadLetters", request));
  EXPECT_EQ(answer.redriven(), 0U);
  EXPECT_EQ(answer.kept(), 1U);
  EXPECT_EQ(List().dead_letters_size(), 1);
}

TEST_F(DeadLetterOfSubscriptionTest, AreNotRedrivenWhereAsManyEventsArePendingAsMayBe) {
  state::Proposal proposal;
  state::CursorEdit& cursor = proposal.cursors.emplace_back();
  cursor.move = delivery::MakeCursor("workers", alpha_.store().head().epoch, base::Sequence(0),
                                     base::Sequence(0));
  for (uint64_t sequence = 1; sequence <= delivery::SharedSettings().max_pending; ++sequence) {
    cursor.move.mutable_shared()->add_pending()->set_sequence(1000 + sequence);
  }
  const test::Answer<state::Outcome> applied;
  CDGATE_ASSERT_OK(alpha_.store().Propose(
      std::move(proposal),
      [take = applied.Taker()](const state::Outcome& outcome) { take(outcome); }));
  CDGATE_ASSERT_OK(applied.Wait()->status);
  admin::v1::RedriveDeadLettersRequest request;
  request.set_subscription("workers");
  *request.add_names() = List().dead_letters(0).name();
  EXPECT_THAT(Sub<admin::v1::RedriveDeadLettersResponse>(Ann(), "RedriveDeadLetters", request),
              HasReason(Reason::kQuota));
  EXPECT_EQ(List().dead_letters_size(), 1);
}

}  // namespace
}  // namespace cdgate::api
