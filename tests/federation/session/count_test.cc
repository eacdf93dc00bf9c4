// Several gateways in one process: what an origin says it gave away, and what of it never came.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/event/digests.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

using manager::CountAsk;
using manager::CountReport;
using test::Eventually;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

constexpr char kBuild[] = "dev.cdevents.build.finished.0.2.0";
constexpr char kTake[] = "import {rules {name: 'all' action: ACTION_ALLOW}}";
constexpr char kTakeAll[] =
    "import {rules {name: 'all' action: ACTION_ALLOW} transit: 'a.example'}";

// a gives to b, b passes on to c.
class CountTest : public testing::Test {
 protected:
  CountTest() {
    for (test::TestNode* node : {&a_, &b_, &c_}) {
      node->Stop();
      node->set_attests(true);
      node->set_heartbeat(absl::Milliseconds(1000));
      node->Start();
    }
    a_.ApplyPolicy("b.example", Gives("TRUE", 3));
    b_.ApplyPolicy("a.example", kTake);
    b_.ApplyPolicy("c.example", PassesOn("TRUE"));
    c_.ApplyPolicy("b.example", kTakeAll);
    Connect("a.example", "b.example");
    Connect("b.example", "c.example");
    start_ = base::SystemClock().Now();
  }

  static std::string Gives(const std::string& when, int onward) {
    return absl::StrCat("export {rules {name: 'some' when: \"", when,
                        "\" action: ACTION_ALLOW links: LINK_HANDLING_KEEP terms {onward: ", onward,
                        "}}} import {rules {name: 'all' action: ACTION_ALLOW}}");
  }
  static std::string PassesOn(const std::string& when) {
    return absl::StrCat("export {rules {name: 'some' when: \"", when,
                        "\" action: ACTION_ALLOW links: LINK_HANDLING_KEEP terms {onward: 1}} "
                        "transit: 'a.example'} import {rules {name: 'all' action: ACTION_ALLOW}}");
  }
  void Connect(const std::string& from, const std::string& to) {
    network_.Peer(from, to);
    ASSERT_TRUE(Eventually([&] { return Node(from).IsUp(to) && Node(to).IsUp(from); }));
  }
  test::TestNode& Node(const std::string& domain) {
    return domain == "a.example" ? a_ : domain == "b.example" ? b_ : c_;
  }
  // ...and waits until who is given them has said so.
  void Publish(const std::vector<std::string>& ids, const std::string& peer = "b.example") {
    for (const std::string& id : ids) a_.Publish(id, kBuild);
    for (const std::string& id : ids) {
      ASSERT_TRUE(Eventually([&] { return a_.Outcome(id, peer) == "as decided"; })) << id;
    }
  }
  absl::StatusOr<CountReport> Ask(test::TestNode& node, CountAsk ask) {
    if (ask.from == absl::InfinitePast()) ask.from = start_;
    if (ask.until == absl::InfinitePast()) ask.until = base::SystemClock().Now();
    std::optional<absl::StatusOr<CountReport>> out;
    std::atomic<bool> done{false};
    node.counts().Ask(ask, [&](absl::StatusOr<CountReport> report) {
      out = std::move(report);
      done = true;
    });
    EXPECT_TRUE(Eventually([&] { return done.load(); }));
    return *out;
  }
  std::vector<std::string> CommitmentsOf(const std::vector<std::string>& ids) {
    std::vector<std::string> out;
    for (const std::string& id : ids) out.push_back(a_.Stored(id).commitment());
    return out;
  }
  static std::vector<std::string> Missing(const CountReport& report) {
    std::vector<std::string> out;
    for (const auto& digest : report.here.missing) out.emplace_back(event::AsBytes(digest));
    return out;
  }

  test::TestNetwork network_;
  test::TestNode& a_ = network_.Add("a.example");
  test::TestNode& b_ = network_.Add("b.example");
  test::TestNode& c_ = network_.Add("c.example");
  absl::Time start_;
};

TEST_F(CountTest, NothingIsMissingWhereAllWasPassedOn) {
  Publish({"one", "two", "three"});
  ASSERT_TRUE(Eventually([&] { return c_.Received().size() == 3; }));
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->unanswered, "");
  EXPECT_EQ(report->through, "b.example");
  EXPECT_EQ(report->count, 3u);
  EXPECT_EQ(report->here.held, 3u);
  EXPECT_EQ(report->here.uncounted, 0u);
  EXPECT_THAT(report->here.missing, IsEmpty());
}

TEST_F(CountTest, WhatATransitKeepsBackIsNamed) {
  b_.ApplyPolicy("c.example", PassesOn("id LIKE 'given%'"));
  Publish({"given-1", "kept-1", "given-2", "kept-2"});
  ASSERT_TRUE(Eventually([&] { return c_.Received().size() == 2; }));
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 4u);
  EXPECT_EQ(report->here.held, 2u);
  EXPECT_THAT(Missing(*report), UnorderedElementsAreArray(CommitmentsOf({"kept-1", "kept-2"})));
  EXPECT_THAT(c_.metrics().Text(),
              HasSubstr("cdgate_origin_events_missing{origin=\"a.example\"} 2"));
  EXPECT_THAT(c_.metrics().Text(), HasSubstr("cdgate_origin_counts_total{result=\"missing\"} 1"));
}

TEST_F(CountTest, WhatWeRefusedOurselvesIsNotMissing) {
  // It shows no rules, so the transit sends it all.
  c_.ApplyPolicy("b.example",
                 "import {rules {name: 'some' when: \"id != 'refused'\" action: ACTION_ALLOW} "
                 "transit: 'a.example' interest: INTEREST_MODE_NONE}");
  a_.Publish("refused", kBuild);
  Publish({"taken"});
  ASSERT_TRUE(Eventually([&] { return c_.Received().size() == 1; }));
  const auto refusals = [&] { return c_.store().Refusals("refused", "", ""); };
  ASSERT_TRUE(Eventually([&] { return refusals().ok() && !refusals()->empty(); }));
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 2u);
  EXPECT_EQ(report->here.held, 1u);
  EXPECT_EQ(report->here.refused, 1u);
  EXPECT_THAT(report->here.missing, IsEmpty());
}

TEST_F(CountTest, TermsThatEndAtTheTransitGiveNothing) {
  a_.ApplyPolicy("b.example", Gives("TRUE", 0));
  Publish({"one"});
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 0u);
  EXPECT_NE(report->sign_time, absl::InfinitePast());
}

TEST_F(CountTest, WhatHasNotLeftDoesNotCount) {
  a_.ApplyPolicy("b.example", Gives("id LIKE 'given%'", 1));
  a_.Publish("denied", kBuild);
  Publish({"given"});
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 1u);
}

TEST_F(CountTest, ThePolicyThatDecidedThenCounts) {
  Publish({"before"});
  a_.ApplyPolicy("b.example", Gives("TRUE", 0));
  Publish({"after"});
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 1u);
}

// Over its own link all ways count; through a transit what that has.
TEST_F(CountTest, APeerIsToldOfEveryWay) {
  a_.ApplyPolicy("c.example", Gives("id LIKE 'direct%'", 0));
  c_.ApplyPolicy("a.example", kTake);
  Connect("a.example", "c.example");
  a_.ApplyPolicy("b.example", Gives("id LIKE 'onward%'", 1));
  a_.Publish("direct", kBuild);
  Publish({"onward"});
  ASSERT_TRUE(Eventually([&] { return a_.Outcome("direct", "c.example") == "as decided"; }));
  ASSERT_TRUE(Eventually([&] { return c_.Received().size() == 2; }));
  const auto direct = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->through, "");
  EXPECT_EQ(direct->count, 2u);
  EXPECT_EQ(direct->here.held, 2u);
  const auto through = Ask(c_, {.origin = "a.example", .through = "b.example"});
  ASSERT_TRUE(through.ok()) << through.status();
  EXPECT_EQ(through->count, 1u);
  EXPECT_EQ(through->here.uncounted, 1u);
}

TEST_F(CountTest, AWindowHasWhatWasAcceptedInIt) {
  Publish({"before"});
  const absl::Time middle = base::SystemClock().Now();
  Publish({"behind-1", "behind-2"});
  const auto first = Ask(c_, {.origin = "a.example", .until = middle});
  const auto second = Ask(c_, {.origin = "a.example", .from = middle});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_EQ(first->count, 1u);
  EXPECT_EQ(second->count, 2u);
}

TEST_F(CountTest, ATransitWithoutALinkSaysSo) {
  const auto report = Ask(c_, {.origin = "d.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->unanswered, "b.example answered NOT_FOUND");
}

TEST_F(CountTest, QuestionsThatMakeNoSenseAreNotAsked) {
  const auto reason = [](const absl::StatusOr<CountReport>& report) {
    return base::ReasonOf(report.status()).value_or(base::Reason::kInternal);
  };
  EXPECT_EQ(reason(Ask(c_, {.origin = "c.example"})), base::Reason::kInvalidArgument);
  EXPECT_EQ(reason(Ask(c_, {.origin = "a.example",
                            .until = base::SystemClock().Now() + absl::Minutes(1)})),
            base::Reason::kInvalidArgument);
  EXPECT_EQ(
      reason(Ask(c_, {.origin = "a.example", .from = start_, .until = start_ - absl::Seconds(1)})),
      base::Reason::kInvalidArgument);
  EXPECT_EQ(reason(Ask(c_, {.origin = "a.example", .through = "x.example"})),
            base::Reason::kLinkDown);
}

TEST_F(CountTest, ListsOfSeveralPagesAreNamed) {
  b_.ApplyPolicy("c.example", PassesOn("id LIKE 'given%'"));
  a_.PublishMany("kept-", 2500, kBuild);
  Publish({"given"});
  ASSERT_TRUE(Eventually([&] { return c_.Received().size() == 1; }));
  const auto report = Ask(c_, {.origin = "a.example"});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->count, 2501u);
  EXPECT_EQ(report->here.missing.size(), 2500u);
}

}  // namespace
}  // namespace cdgate
