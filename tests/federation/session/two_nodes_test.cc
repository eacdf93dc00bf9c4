// Two gateways in one process: what one publishes arrives at the other as both policies
// say, through cuts, restarts, freezes and crossing dials.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

using test::Eventually;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kBuild[] = "dev.cdevents.build.finished.0.2.0";
constexpr char kIncident[] = "dev.cdevents.incident.detected.0.2.0";

class TwoNodesTest : public testing::Test {
 protected:
  TwoNodesTest() : alpha_(network_.Add("alpha.example")), beta_(network_.Add("beta.example")) {}

  // alpha dials beta; both let everything through.
  void ConnectOpenly() {
    alpha_.ApplyPolicy("beta.example", test::kAllowAll);
    beta_.ApplyPolicy("alpha.example", test::kAllowAll);
    network_.Peer("alpha.example", "beta.example");
    ASSERT_TRUE(BothUp());
  }
  bool BothUp() {
    return Eventually(
        [this] { return alpha_.IsUp("beta.example") && beta_.IsUp("alpha.example"); });
  }
  bool BetaHas(size_t events) {
    return Eventually([&] { return beta_.Received().size() >= events; });
  }
  static void SetHeartbeat(test::TestNode& node, absl::Duration heartbeat) {
    node.Stop();
    node.set_heartbeat(heartbeat);
    node.Start();
  }
  // alpha offers beta the range again, or only `only` of it.
  void Replay(uint64_t number, uint64_t first, uint64_t last,
              const std::vector<uint64_t>& only = {}) {
    storage::v1::ReplayJobs jobs;
    storage::v1::ReplayJob& job = *jobs.add_jobs();
    job.set_number(number);
    job.set_first_sequence(first);
    job.set_last_sequence(last);
    for (const uint64_t sequence : only) job.add_sequences(sequence);
    alpha_.Apply(state::kReplayKind, "beta.example", jobs);
  }
  bool ReplayIsDone() {
    return Eventually([this] { return alpha_.ReplayJobs("beta.example") == 0; });
  }
  // Every event of alpha has an outcome at alpha.
  bool AllAcknowledged() {
    return Eventually([this] {
      const auto report = alpha_.links().Report("beta.example");
      return report && report->acknowledged_through == alpha_.store().head().sequence;
    });
  }

  test::TestNetwork network_;
  test::TestNode& alpha_;
  test::TestNode& beta_;
};

TEST_F(TwoNodesTest, EventsCrossAsBothPoliciesAllow) {
  alpha_.ApplyPolicy("beta.example",
                     "export {rules {name: 'no incidents' when: \"SUBJECT_TYPE() = 'incident'\" "
                     "action: ACTION_DENY} rules {name: 'rest' action: ACTION_ALLOW}}");
  beta_.ApplyPolicy("alpha.example",
                    "import {interest: INTEREST_MODE_NONE rules {name: 'not two' "
                    "when: \"id = 'two'\" action: ACTION_DENY} rules {name: 'rest' action: "
                    "ACTION_ALLOW}} export {reasons_to_peer: REASONS_TO_PEER_FULL}");
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());

  alpha_.Publish("one", kBuild);
  alpha_.Publish("secret", kIncident);
  alpha_.Publish("two", kBuild);
  alpha_.Publish("three", kBuild);
  ASSERT_TRUE(BetaHas(2));
  EXPECT_THAT(beta_.Received(), ElementsAre("one", "three"));

  ASSERT_TRUE(Eventually([&] { return alpha_.Outcome("three", "beta.example") == "as decided"; }));
  EXPECT_EQ(alpha_.Outcome("two", "beta.example"), "refused:denied_by_rule");
  EXPECT_EQ(alpha_.Outcome("one", "beta.example"), "as decided");
  const auto refusals = beta_.store().Refusals("two", "", "");
  ASSERT_TRUE(refusals.ok());
  ASSERT_EQ(refusals->size(), 1u);
  EXPECT_EQ(refusals->front().refusal().rule(), "not two@1");
}

TEST_F(TwoNodesTest, ImporterShowsItsRulesSoTheRestIsNotSent) {
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  beta_.ApplyPolicy("alpha.example",
                    "import {rules {name: 'builds' when: \"SUBJECT_TYPE() = 'build'\" "
                    "action: ACTION_ALLOW}}");
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.Publish("noise", kIncident);
  alpha_.Publish("wanted", kBuild);
  ASSERT_TRUE(BetaHas(1));
  EXPECT_THAT(beta_.Received(), ElementsAre("wanted"));
  EXPECT_EQ(alpha_.LinkTo("beta.example").sent_position(), 1u);
}

TEST_F(TwoNodesTest, WithoutAnImportPolicyNothingIsSentNorLost) {
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.Publish("one", kBuild);
  EXPECT_EQ(alpha_.LinkTo("beta.example").sent_position(), 0u);
  EXPECT_THAT(beta_.Received(), IsEmpty());
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  ASSERT_TRUE(BetaHas(1));
}

TEST_F(TwoNodesTest, WithoutAnExportPolicyNothingLeaves) {
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.Publish("before", kBuild);
  ASSERT_TRUE(AllAcknowledged());
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  alpha_.Publish("after", kBuild);
  ASSERT_TRUE(BetaHas(1));
  // A policy governs what was not yet decided.
  EXPECT_THAT(beta_.Received(), ElementsAre("after"));
}

TEST_F(TwoNodesTest, EventsFlowBothWaysOnOneLink) {
  ConnectOpenly();
  alpha_.PublishMany("a", 50, kBuild);
  beta_.PublishMany("b", 50, kBuild);
  ASSERT_TRUE(BetaHas(50));
  ASSERT_TRUE(Eventually([&] { return alpha_.Received().size() == 50; }));
  // What came from a peer does not go back to it, nor on to others.
  EXPECT_EQ(beta_.Received().size(), 50u);
  // Where a link is, is told after what it did.
  EXPECT_TRUE(Eventually([&] {
    const auto link = alpha_.LinkTo("beta.example");
    return link.sent_position() == 50 && link.received_position() == 50;
  }));
}

TEST_F(TwoNodesTest, CutsLoseAndRepeatNothing) {
  ConnectOpenly();
  for (int round = 0; round < 5; ++round) {
    alpha_.PublishMany(absl::StrCat("r", round, "-"), 400, kBuild);
    network_.last_wire()->Cut();
  }
  ASSERT_TRUE(BetaHas(2000));
  const auto received = beta_.Received();
  EXPECT_EQ(received.size(), 2000u);
  EXPECT_EQ(std::set<std::string>(received.begin(), received.end()).size(), 2000u);
  EXPECT_EQ(received.front(), "r0-0");
  EXPECT_EQ(received.back(), "r4-399");
}

TEST_F(TwoNodesTest, EitherSideMayRestart) {
  ConnectOpenly();
  alpha_.PublishMany("a", 300, kBuild);
  beta_.Stop();
  alpha_.PublishMany("b", 300, kBuild);
  beta_.Start();
  ASSERT_TRUE(BetaHas(600));
  alpha_.Stop();
  alpha_.Start();
  alpha_.PublishMany("c", 300, kBuild);
  ASSERT_TRUE(BetaHas(900));
  EXPECT_EQ(beta_.Received().size(), 900u);
  ASSERT_TRUE(AllAcknowledged());
  // Nothing was taken for a restart's sake from the beginning again.
  EXPECT_EQ(alpha_.LinkTo("beta.example").acknowledged_position(), 900u);
}

TEST_F(TwoNodesTest, AFrozenPeerIsOutWithinASecond) {
  ConnectOpenly();
  alpha_.Publish("before", kBuild);
  ASSERT_TRUE(BetaHas(1));
  alpha_.EditPeer("beta.example", [](auto* peer) { peer->set_frozen(true); });
  const absl::Time frozen = absl::Now();
  ASSERT_TRUE(Eventually([&] { return !beta_.IsUp("alpha.example"); }));
  EXPECT_LT(absl::Now() - frozen, absl::Seconds(1));
  EXPECT_EQ(alpha_.LinkTo("beta.example").state(), admin::v1::LINK_STATE_STOPPED);
  EXPECT_EQ(alpha_.LinkTo("beta.example").reason(), "frozen");
  EXPECT_EQ(beta_.LinkTo("alpha.example").reason(), "frozen");
  alpha_.Publish("during", kBuild);
  alpha_.EditPeer("beta.example", [](auto* peer) { peer->set_frozen(false); });
  ASSERT_TRUE(BetaHas(2));
  EXPECT_THAT(beta_.Received(), ElementsAre("before", "during"));
}

TEST_F(TwoNodesTest, NothingCrossesBeforeBothSidesApproved) {
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  beta_.EditPeer("alpha.example",
                 [](auto* peer) { peer->set_state(admin::v1::PEER_STATE_PENDING); });
  alpha_.Publish("one", kBuild);
  ASSERT_TRUE(
      Eventually([&] { return alpha_.LinkTo("beta.example").reason() == "agreement_pending"; }));
  EXPECT_EQ(beta_.LinkTo("alpha.example").state(), admin::v1::LINK_STATE_STOPPED);
  EXPECT_THAT(beta_.Received(), IsEmpty());
  beta_.EditPeer("alpha.example",
                 [](auto* peer) { peer->set_state(admin::v1::PEER_STATE_APPROVED); });
  ASSERT_TRUE(BetaHas(1));
}

TEST_F(TwoNodesTest, WhereBothDialOneLinkStays) {
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.SetDown(true);
  network_.Peer("alpha.example", "beta.example");
  beta_.EditPeer("alpha.example", [](auto* peer) { peer->set_dial(true); });
  ASSERT_TRUE(Eventually([&] { return network_.dials() > 4; }));
  network_.SetDown(false);
  ASSERT_TRUE(BothUp());
  alpha_.Publish("one", kBuild);
  ASSERT_TRUE(BetaHas(1));
  beta_.Publish("two", kBuild);
  ASSERT_TRUE(Eventually([&] { return alpha_.Received().size() == 1; }));
  EXPECT_NE(alpha_.LinkTo("beta.example").dialled(), beta_.LinkTo("alpha.example").dialled());
}

TEST_F(TwoNodesTest, ANewStreamReplacesOneThatDiedInSilence) {
  SetHeartbeat(alpha_, absl::Seconds(1));
  SetHeartbeat(beta_, absl::Seconds(1));
  ConnectOpenly();
  const auto old = network_.last_wire();
  old->Silence();
  // alpha notices by its heartbeats, dials, and beta gives up what it had.
  alpha_.Publish("one", kBuild);
  ASSERT_TRUE(BetaHas(1));
  ASSERT_TRUE(BothUp());
}

TEST_F(TwoNodesTest, ANarrowerPolicyHoldsFromTheNextEventOn) {
  ConnectOpenly();
  alpha_.Publish("one", kBuild);
  ASSERT_TRUE(BetaHas(1));
  alpha_.ApplyPolicy("beta.example", "export {}");
  alpha_.Publish("two", kBuild);
  ASSERT_TRUE(AllAcknowledged());
  EXPECT_THAT(beta_.Received(), ElementsAre("one"));
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  alpha_.Publish("three", kBuild);
  ASSERT_TRUE(BetaHas(2));
  EXPECT_THAT(beta_.Received(), ElementsAre("one", "three"));
}

TEST_F(TwoNodesTest, ALostTokenKeyNeitherRepeatsNorWidens) {
  ConnectOpenly();
  alpha_.Publish("one", kBuild);
  ASSERT_TRUE(BetaHas(1));  // decided: the next policy does not govern it
  alpha_.ApplyPolicy("beta.example", "export {}");
  alpha_.Publish("denied then", kBuild);
  ASSERT_TRUE(AllAcknowledged());
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  alpha_.Publish("two", kBuild);
  ASSERT_TRUE(BetaHas(2));
  ASSERT_TRUE(Eventually([&] { return alpha_.Outcome("two", "beta.example") == "as decided"; }));

  alpha_.Stop();
  alpha_.LoseTokenKey();
  alpha_.Start();
  alpha_.Publish("three", kBuild);
  ASSERT_TRUE(BetaHas(3));
  // Everything was offered again from the agreement on; what was denied stays denied.
  EXPECT_THAT(beta_.Received(), ElementsAre("one", "two", "three"));
  ASSERT_TRUE(Eventually([&] { return alpha_.Outcome("three", "beta.example") == "as decided"; }));
  const auto facts = alpha_.store().Ledger("beta.example", base::Sequence(2));
  ASSERT_TRUE(facts.ok() && facts->acknowledged);
  EXPECT_EQ(facts->acknowledged->policy_epoch().policy_version(), 2u);
  EXPECT_FALSE(facts->exception.has_value());
}

TEST_F(TwoNodesTest, RemovingAPeerEndsItsLink) {
  ConnectOpenly();
  beta_.Remove(state::kPeerKind, "alpha.example");
  ASSERT_TRUE(Eventually([&] { return !beta_.links().Report("alpha.example"); }));
  ASSERT_TRUE(Eventually([&] { return alpha_.LinkTo("beta.example").reason() == "no_agreement"; }));
}

TEST_F(TwoNodesTest, LargeEventsTravelAlone) {
  ConnectOpenly();
  alpha_.Publish("small", kBuild);
  alpha_.Publish("large", kBuild, 900'000);
  alpha_.Publish("after", kBuild);
  ASSERT_TRUE(BetaHas(3));
  EXPECT_THAT(beta_.Received(), ElementsAre("small", "large", "after"));
}

TEST_F(TwoNodesTest, ExportLimitsPaceTheLink) {
  alpha_.ApplyPolicy("beta.example", absl::StrCat("export {limits {events_per_second: 20 burst: 10}"
                                                  "rules {name: 'all' action: ACTION_ALLOW}}"));
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  const absl::Time begin = absl::Now();
  alpha_.PublishMany("e", 30, kBuild);
  ASSERT_TRUE(BetaHas(30));
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(900));
}

using Counts = std::map<std::string, uint64_t>;

TEST_F(TwoNodesTest, EveryEventIsCountedOnceByItsOutcome) {
  alpha_.ApplyPolicy("beta.example",
                     "export {rules {name: 'no incidents' when: \"SUBJECT_TYPE() = 'incident'\" "
                     "action: ACTION_DENY} rules {name: 'rest' action: ACTION_ALLOW}}");
  beta_.ApplyPolicy("alpha.example",
                    "import {rules {name: 'not noise' when: \"id = 'noise'\" action: ACTION_DENY} "
                    "rules {name: 'rest' action: ACTION_ALLOW}}");
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.PublishMany("b", 300, kBuild);
  alpha_.PublishMany("i", 200, kIncident);
  alpha_.Publish("noise", kBuild);
  network_.last_wire()->Cut();
  alpha_.PublishMany("c", 300, kBuild);
  // The acks of what was on its way at the cut are lost.
  const auto counts = [this] {
    Counts c = alpha_.Counts("beta.example", 0);
    c["given"] = c["accepted:allowed_by_rule"] + c["acknowledged_undisclosed:"];
    c.erase("accepted:allowed_by_rule");
    c.erase("acknowledged_undisclosed:");
    return c;
  };
  Counts want = {{"given", 600}, {"denied:denied_by_rule", 200}, {"not_wanted:not_wanted", 1}};
  EXPECT_TRUE(Eventually([&] { return counts() == want; }));

  // Everything is offered again, and the first outcome stands.
  alpha_.Stop();
  alpha_.LoseTokenKey();
  alpha_.Start();
  ASSERT_TRUE(BothUp());
  alpha_.Publish("last", kBuild);
  ASSERT_TRUE(BetaHas(601));
  want["given"] = 601;
  EXPECT_TRUE(Eventually([&] { return counts()["given"] >= 601; }));
  EXPECT_EQ(counts(), want);
}

TEST_F(TwoNodesTest, PastEventsAreOfferedAgain) {
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.PublishMany("past", 1500, kBuild);
  ASSERT_TRUE(AllAcknowledged());
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  alpha_.Publish("new", kBuild);
  ASSERT_TRUE(BetaHas(1));
  Replay(1, 1, 1500);
  alpha_.PublishMany("meanwhile", 100, kBuild);
  ASSERT_TRUE(ReplayIsDone());
  ASSERT_TRUE(BetaHas(1601));
  EXPECT_EQ(beta_.Received().size(), 1601u);
  EXPECT_EQ(alpha_.Counts("beta.example", 1), (Counts{{"accepted:allowed_by_rule", 1500}}));
  ASSERT_TRUE(AllAcknowledged());
  EXPECT_TRUE(Eventually([&] {
    return alpha_.Counts("beta.example", 0) ==
           Counts{{"accepted:allowed_by_rule", 101}, {"denied:no_policy", 1500}};
  }));
  const auto cursor = alpha_.store().Cursor(session::ReplayCursorName("beta.example"));
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->position(), 1u);
  EXPECT_EQ(cursor->token(), "1500");
}

TEST_F(TwoNodesTest, AJobGoesOnWhereItsLinkBroke) {
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.PublishMany("past", 2000, kBuild);
  ASSERT_TRUE(AllAcknowledged());
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  Replay(1, 1, 2000);
  ASSERT_TRUE(BetaHas(1));
  network_.last_wire()->Cut();
  ASSERT_TRUE(BothUp());
  alpha_.Stop();
  alpha_.Start();
  ASSERT_TRUE(BetaHas(2000));
  ASSERT_TRUE(ReplayIsDone());
  EXPECT_EQ(beta_.Received().size(), 2000u);
  EXPECT_EQ(alpha_.Counts("beta.example", 1)["accepted:allowed_by_rule"], 2000u);
}

TEST_F(TwoNodesTest, SingleEventsAreOfferedAgainAndNothingElse) {
  beta_.ApplyPolicy("alpha.example", test::kAllowAll);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(BothUp());
  alpha_.PublishMany("past", 100, kBuild);
  ASSERT_TRUE(AllAcknowledged());
  alpha_.ApplyPolicy("beta.example", test::kAllowAll);
  Replay(7, 1, 100, {3, 4, 50});
  ASSERT_TRUE(ReplayIsDone());
  EXPECT_THAT(beta_.Received(), ElementsAre("past2", "past3", "past49"));
  EXPECT_EQ(alpha_.Counts("beta.example", 7), (Counts{{"accepted:allowed_by_rule", 3}}));
}

TEST_F(TwoNodesTest, SeriesOfALinkExistFromTheStart) {
  network_.SetDown(true);
  network_.Peer("alpha.example", "beta.example");
  ASSERT_TRUE(Eventually([&] { return network_.dials() > 0; }));
  const std::string text = alpha_.metrics().Text();
  for (const char* series : {
           "cdgate_link_up{peer=\"beta.example\"} 0",
           "cdgate_link_lag_events{direction=\"export\",peer=\"beta.example\"} 0",
           "cdgate_link_lag_seconds{direction=\"import\",peer=\"beta.example\"} 0",
           "cdgate_link_events_total{direction=\"import\",peer=\"beta.example\"} 0",
           "cdgate_link_refusals_total{direction=\"export\",peer=\"beta.example\"} 0",
           "cdgate_link_reconnects_total{peer=\"beta.example\"} 0",
           "cdgate_decisions_total{direction=\"export\",peer=\"beta.example\",reason=\"no_rule\"} "
           "0",
       }) {
    EXPECT_THAT(text, testing::HasSubstr(series));
  }
}

}  // namespace
}  // namespace cdgate
