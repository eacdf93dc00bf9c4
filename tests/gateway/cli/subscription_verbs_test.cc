// Named subscriptions and their dead letters from the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cdgate/admin/v1/subscription.pb.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

using admin::v1::SubscriptionStatus;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SubscriptionVerbsTest : public testing::Test {
 protected:
  SubscriptionVerbsTest() {
    status_.mutable_subscription()->set_name("workers");
    status_.mutable_subscription()->set_owner("spiffe://alpha.example/service/worker");
    status_.mutable_subscription()->set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
    status_.set_position(5);
    status_.set_lag(2);
    status_.set_pending(1);
    status_.set_streams(3);
    status_.set_etag("7");
    for (const char* method :
         {"CreateSubscription", "GetSubscription", "UpdateSubscription", "SeekSubscription"}) {
      gateway_.Answer(method, status_);
    }
  }
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "subscription");
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, "");
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }

  SubscriptionStatus status_;
  FakeGateway gateway_;
};

TEST_F(SubscriptionVerbsTest, CreateSaysHowASharedOneDelivers) {
  const CliRun run =
      Run({"create", "workers", "--shared", "--filter", "id = '1'", "--ack-deadline", "1m",
           "--max-attempts", "10", "--label", "team=red", "--from", "earliest"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.out, HasSubstr("made shared subscription workers"));
  const auto request = Last<admin::v1::CreateSubscriptionRequest>("CreateSubscription");
  EXPECT_TRUE(request.from().earliest());
  EXPECT_EQ(request.subscription().mode(), admin::v1::SUBSCRIPTION_MODE_SHARED);
  EXPECT_EQ(request.subscription().filter(), "id = '1'");
  EXPECT_EQ(request.subscription().shared().ack_deadline().seconds(), 60);
  EXPECT_EQ(request.subscription().shared().max_attempts(), 10U);
  EXPECT_EQ(request.subscription().labels().at("team"), "red");
  EXPECT_FALSE(request.validate_only());
}

TEST_F(SubscriptionVerbsTest, DeadLettersAreKeptAsLongAsItSays) {
  EXPECT_THAT(Run({"show", "workers"}).out, HasSubstr("dead        kept for 30d\n"));
  EXPECT_EQ(Run({"create", "workers", "--shared", "--dead-letter-retention", "7d"}).code,
            kExitDone);
  const auto request = Last<admin::v1::CreateSubscriptionRequest>("CreateSubscription");
  EXPECT_EQ(request.subscription().shared().dead_letter_retention().seconds(), 7 * 24 * 3600);
  *status_.mutable_subscription() = request.subscription();
  status_.set_waiting(2);
  gateway_.Answer("GetSubscription", status_);
  EXPECT_THAT(Run({"show", "workers"}).out,
              AllOf(HasSubstr("dead        kept for 7d\n"), HasSubstr("waiting     2\n")));
  EXPECT_EQ(Run({"create", "workers", "--shared", "--dead-letter-retention", "x"}).code,
            kExitUsage);
}

TEST_F(SubscriptionVerbsTest, ASequenceIsSoughtOnceTheSubscriptionIsThere) {
  EXPECT_EQ(Run({"create", "workers", "--from", "42"}).code, kExitDone);
  EXPECT_EQ(Last<admin::v1::SeekSubscriptionRequest>("SeekSubscription").sequence(), 42U);
}

TEST_F(SubscriptionVerbsTest, ShowAndListSayWhereTheyStand) {
  EXPECT_THAT(Run({"show", "workers"}).out,
              AllOf(HasSubstr("shared"), HasSubstr("pending     1"), HasSubstr("2 behind"),
                    HasSubstr("etag        7")));
  admin::v1::ListSubscriptionsResponse all;
  *all.add_subscriptions() = status_;
  all.mutable_subscriptions(0)->mutable_subscription()->set_filter(std::string(200, 'f'));
  gateway_.Answer("ListSubscriptions", all);
  const CliRun run = Run({"list"});
  EXPECT_THAT(run.out, AllOf(HasSubstr("workers"), HasSubstr("shared")));
}

TEST_F(SubscriptionVerbsTest, UpdateNamesWhatWasGivenAndKeepsTheRest) {
  status_.mutable_subscription()->mutable_shared()->set_max_attempts(9);
  gateway_.Answer("GetSubscription", status_);
  const CliRun run =
      Run({"update", "workers", "--filter", "", "--min-backoff", "2s", "--description", "x"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  const auto request = Last<admin::v1::UpdateSubscriptionRequest>("UpdateSubscription");
  EXPECT_THAT(request.update_mask().paths(), ElementsAre("filter", "description", "shared"));
  EXPECT_EQ(request.subscription().shared().max_attempts(), 9U);
  EXPECT_EQ(request.subscription().shared().min_backoff().seconds(), 2);
  EXPECT_EQ(request.etag(), "7") << "what is kept is what was read";
  EXPECT_EQ(Run({"update", "workers"}).code, kExitUsage);
}

TEST_F(SubscriptionVerbsTest, CreateSaysWhereToPush) {
  const CliRun run = Run({"create", "hook", "--push-url", "https://hooks.example/", "--push-format",
                          "structured", "--push-concurrency", "3", "--push-timeout", "5s"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  const auto request = Last<admin::v1::CreateSubscriptionRequest>("CreateSubscription");
  EXPECT_EQ(request.subscription().mode(), admin::v1::SUBSCRIPTION_MODE_SHARED);
  const admin::v1::PushDelivery& push = request.subscription().push();
  EXPECT_EQ(push.url(), "https://hooks.example/");
  EXPECT_EQ(push.format(), admin::v1::PUSH_FORMAT_STRUCTURED);
  EXPECT_EQ(push.max_concurrency(), 3U);
  EXPECT_EQ(push.timeout().seconds(), 5);
  EXPECT_EQ(Run({"create", "hook", "--push-format", "xml"}).code, kExitUsage);
}

TEST_F(SubscriptionVerbsTest, UpdateKeepsTheRestOfAPushOrTakesItAway) {
  status_.mutable_subscription()->mutable_push()->set_url("https://hooks.example/");
  gateway_.Answer("GetSubscription", status_);
  EXPECT_EQ(Run({"update", "hook", "--push-concurrency", "3"}).code, kExitDone);
  auto request = Last<admin::v1::UpdateSubscriptionRequest>("UpdateSubscription");
  EXPECT_THAT(request.update_mask().paths(), ElementsAre("push"));
  EXPECT_EQ(request.subscription().push().url(), "https://hooks.example/");
  EXPECT_EQ(request.subscription().push().max_concurrency(), 3U);
  EXPECT_EQ(request.etag(), "7");
  EXPECT_EQ(Run({"update", "hook", "--no-push"}).code, kExitDone);
  request = Last<admin::v1::UpdateSubscriptionRequest>("UpdateSubscription");
  EXPECT_THAT(request.update_mask().paths(), ElementsAre("push"));
  EXPECT_FALSE(request.subscription().has_push());
  EXPECT_EQ(Run({"update", "hook", "--no-push", "--push-timeout", "5s"}).code, kExitUsage);
}

TEST_F(SubscriptionVerbsTest, ShowAndListSayHowAPushStands) {
  status_.mutable_subscription()->mutable_push()->set_url("https://hooks.example/");
  admin::v1::PushStatus& push = *status_.mutable_push();
  push.set_state(admin::v1::PUSH_STATE_BREAKER_OPEN);
  push.set_reason("webhook_rejected");
  push.set_message("the webhook answered 500");
  push.set_last_status(500);
  push.mutable_last_answer_time()->set_seconds(1767323045);
  push.mutable_next_try_time()->set_seconds(1767323046);
  push.set_delivered(7);
  push.set_allowed_rate(120);
  gateway_.Answer("GetSubscription", status_);
  EXPECT_THAT(Run({"show", "hook"}).out,
              AllOf(HasSubstr("https://hooks.example/"),
                    HasSubstr("breaker open, tried again at 2026-01-02T03:04:06Z"),
                    HasSubstr("webhook_rejected: the webhook answered 500"),
                    HasSubstr("500, 2026-01-02T03:04:05Z"), HasSubstr("7 taken, 0 failed"),
                    HasSubstr("120 a minute")));
  admin::v1::ListSubscriptionsResponse all;
  *all.add_subscriptions() = status_;
  gateway_.Answer("ListSubscriptions", all);
  EXPECT_THAT(Run({"list"}).out, HasSubstr("BREAKER_OPEN"));
}

TEST_F(SubscriptionVerbsTest, SeekTakesOneTarget) {
  EXPECT_EQ(Run({"seek", "workers"}).code, kExitUsage);
  EXPECT_EQ(Run({"seek", "workers", "--to", "7", "--event", "e"}).code, kExitUsage);
  EXPECT_THAT(Run({"seek", "workers", "--to", "7"}).out, HasSubstr("goes on after 5"));
  EXPECT_EQ(Last<admin::v1::SeekSubscriptionRequest>("SeekSubscription").sequence(), 7U);
  Run({"seek", "workers", "--event", "e1"});
  EXPECT_EQ(Last<admin::v1::SeekSubscriptionRequest>("SeekSubscription").event().id(), "e1");
}

TEST_F(SubscriptionVerbsTest, DeleteDeletes) {
  gateway_.Answer("DeleteSubscription", admin::v1::DeleteSubscriptionResponse());
  EXPECT_EQ(Run({"delete", "workers"}).out, "deleted subscription workers\n");
}

TEST_F(SubscriptionVerbsTest, DeadLettersAreListedRedrivenAndDropped) {
  admin::v1::ListDeadLettersResponse all;
  auto& letter = *all.add_dead_letters();
  letter.mutable_name()->set_commit(1204);
  letter.mutable_name()->set_index(1);
  letter.set_reason("delivery_failed");
  letter.mutable_event()->set_sequence(77);
  gateway_.Answer("ListDeadLetters", all);
  EXPECT_THAT(Run({"dead-letters", "workers"}).out,
              AllOf(HasSubstr("1204/1"), HasSubstr("sequence 77"), HasSubstr("gone")));
  admin::v1::RedriveDeadLettersResponse redriven;
  redriven.set_redriven(1);
  gateway_.Answer("RedriveDeadLetters", redriven);
  EXPECT_THAT(Run({"redrive", "workers", "--all"}).out, HasSubstr("redriven 1 dead letters"));
  const auto request = Last<admin::v1::RedriveDeadLettersRequest>("RedriveDeadLetters");
  ASSERT_EQ(request.names_size(), 1);
  EXPECT_EQ(request.names(0).commit(), 1204U);
  redriven.set_redriven(0);
  redriven.set_kept(1);
  gateway_.Answer("RedriveDeadLetters", redriven);
  const CliRun kept = Run({"redrive", "workers", "1204/1"});
  EXPECT_EQ(kept.code, kExitNo);
  EXPECT_THAT(kept.out, HasSubstr("1 stay"));
  admin::v1::DropDeadLettersResponse dropped;
  dropped.set_dropped(1);
  gateway_.Answer("DropDeadLetters", dropped);
  EXPECT_THAT(Run({"drop", "workers", "1204/1"}).out, HasSubstr("dropped 1 dead letters"));
  EXPECT_EQ(Run({"drop", "workers"}).code, kExitUsage);
  EXPECT_EQ(Run({"drop", "workers", "x"}).code, kExitUsage);
}

}  // namespace
}  // namespace cdgate::cli
