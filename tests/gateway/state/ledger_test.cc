// The ledger's rows of replay jobs, and its counters of outcomes.
#include "gateway/state/ledger.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gateway/state/outcome_metrics.h"
#include "tests/gateway/state/fold_fixture.h"

namespace cdgate::test {
namespace {

using storage::v1::LedgerRow;

LedgerRow OfJob(uint64_t job, uint64_t first, uint64_t last, uint64_t policy) {
  LedgerRow row = Acknowledged(first, last, policy);
  row.set_replay(job);
  return row;
}

void Refuse(uint64_t sequence, const std::string& reason, LedgerRow* row) {
  storage::v1::LedgerException* const exception = row->add_exceptions();
  exception->set_sequence(sequence);
  exception->set_state("refused");
  exception->set_reason(reason);
}

void Count(const std::string& state, const std::string& reason, uint64_t n, LedgerRow* row) {
  storage::v1::OutcomeCount* const count = row->add_counts();
  count->set_state(state);
  count->set_reason(reason);
  count->set_count(n);
}

// By direction, state and reason.
using Sums = std::map<std::array<std::string, 3>, uint64_t>;

Sums SumsOf(const state::PeerCounters& counters) {
  Sums out;
  for (const auto& c : counters.exported) out[{"export", c.state(), c.reason()}] += c.count();
  for (const auto& c : counters.imported) out[{"import", c.state(), c.reason()}] += c.count();
  return out;
}

class LedgerTest : public FoldTest {
 protected:
  void Commit(const std::vector<LedgerRow>& rows) {
    Proposal proposal;
    proposal.ledger = rows;
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  state::LedgerFacts Facts(uint64_t sequence) {
    auto facts = store().Ledger("beta.example", Sequence(sequence));
    EXPECT_TRUE(facts.ok()) << facts.status();
    return facts.ok() ? *std::move(facts) : state::LedgerFacts();
  }
};

TEST_F(LedgerTest, WhatAJobDidIsToldBesidesTheLiveLane) {
  LedgerRow live = Acknowledged(1, 10, 1);
  Refuse(4, "no_rule", &live);
  LedgerRow first = OfJob(1, 3, 5, 2);
  Refuse(4, "quota", &first);
  Commit({live, first, OfJob(2, 4, 6, 3)});
  world_.Crash();
  world_.Open();
  const state::LedgerFacts four = Facts(4);
  ASSERT_TRUE(four.acknowledged);
  EXPECT_EQ(four.acknowledged->policy_epoch().policy_version(), 1u);
  ASSERT_TRUE(four.exception);
  EXPECT_EQ(four.exception->reason(), "no_rule");
  ASSERT_EQ(four.replays.size(), 2u);
  EXPECT_EQ(four.replays[0].row.replay(), 1u);
  ASSERT_TRUE(four.replays[0].exception);
  EXPECT_EQ(four.replays[0].exception->reason(), "quota");
  EXPECT_EQ(four.replays[1].row.replay(), 2u);
  EXPECT_EQ(four.replays[1].row.policy_epoch().policy_version(), 3u);
  EXPECT_FALSE(four.replays[1].exception);
  EXPECT_EQ(Facts(3).replays.size(), 1u);
  EXPECT_EQ(Facts(6).replays.size(), 1u);
  EXPECT_TRUE(Facts(7).replays.empty());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto rows, store().LedgerRows("beta.example", Sequence(1), 9));
  ASSERT_EQ(rows.size(), 1u) << "the live lane's only";
  EXPECT_EQ(rows[0].last_sequence(), 10u);
}

TEST_F(LedgerTest, AJobsRangesThatGoOnAreOne) {
  Commit({OfJob(1, 1, 4, 1), Acknowledged(11, 20, 1)});
  world_.Close();
  world_.Open();
  Commit({OfJob(1, 5, 9, 1), OfJob(300, 5, 9, 1), Acknowledged(21, 30, 1)});
  ASSERT_EQ(Facts(2).replays.size(), 1u);
  EXPECT_EQ(Facts(2).replays[0].row.last_sequence(), 9u);
  ASSERT_EQ(Facts(9).replays.size(), 2u);
  EXPECT_EQ(Facts(9).replays[0].row.first_sequence(), 1u);
  EXPECT_EQ(Facts(9).replays[1].row.first_sequence(), 5u);
  EXPECT_EQ(Facts(9).replays[1].row.replay(), 300u);
  ASSERT_TRUE(Facts(30).acknowledged);
  EXPECT_EQ(Facts(30).acknowledged->first_sequence(), 11u);
}

TEST_F(LedgerTest, TheHorizonIsTheLiveLanes) {
  LedgerRow horizon;
  horizon.set_peer("beta.example");
  horizon.set_horizon(true);
  horizon.set_last_sequence(4096);
  LedgerRow of_job = horizon;
  of_job.set_replay(1);
  of_job.set_last_sequence(7);
  Commit({horizon, of_job});
  EXPECT_EQ(Facts(1).horizon, Sequence(4096));
  EXPECT_TRUE(Facts(1).replays.empty());
}

TEST_F(LedgerTest, WhatTheLogLostIsForgottenOfJobsToo) {
  for (const char* id : {"a", "b", "c"}) (void)world_.Publish(id);
  LedgerRow job = OfJob(1, 1, 3, 1);
  Refuse(2, "quota", &job);
  Refuse(3, "quota", &job);
  Commit({job, OfJob(2, 3, 3, 1)});
  LoseCommits(world_, 2, /*new_epoch=*/true);  // back to b
  world_.Open();
  ASSERT_EQ(Facts(2).replays.size(), 1u);
  EXPECT_EQ(Facts(2).replays[0].row.last_sequence(), 2u);
  EXPECT_TRUE(Facts(2).replays[0].exception);
  EXPECT_TRUE(Facts(3).replays.empty());
  Commit({OfJob(2, 3, 3, 1)});
  ASSERT_EQ(Facts(3).replays.size(), 1u);
  EXPECT_FALSE(Facts(3).replays[0].exception);
}

TEST_F(LedgerTest, ImportsAreCountedByOutcome) {
  Proposal proposal = world_.OfEvents({Received("a", "{}", world_.clock.Now()),
                                       Received("b", "{}", world_.clock.Now()),
                                       Published("c", "{}", world_.clock.Now())});
  for (const char* reason : {"no_rule", "quota", "no_rule"}) {
    storage::v1::ImportRefusal refusal;
    refusal.set_peer("beta.example");
    refusal.set_reason(reason);
    proposal.refusals.push_back(refusal);
  }
  CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  const Sums expected = {{{"import", "accepted", "allowed_by_rule"}, 2},
                         {{"import", "refused", "no_rule"}, 2},
                         {{"import", "refused", "quota"}, 1}};
  EXPECT_EQ(SumsOf(store().Counters("beta.example")), expected);
  EXPECT_EQ(store().AllCounters().size(), 1u);
}

// Whatever the history, with ends and crashes at any place in it.
TEST_F(LedgerTest, CountersAreTheSumsOfTheRows) {
  const std::vector<std::string> peers = {"beta.example", "gamma.example"};
  const std::vector<std::string> states = {"accepted", "refused", "denied", "not_wanted"};
  const std::vector<std::string> reasons = {"", "no_rule", "quota"};
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    StoreWorld world;
    world.Open();
    std::mt19937 random(seed);
    const auto pick = [&](const auto& from) { return from[random() % from.size()]; };
    std::map<std::string, Sums> sums;
    for (int step = 0; step < 60; ++step) {
      Proposal proposal;
      for (uint32_t i = random() % 4; i > 0; --i) {
        const uint64_t first = random() % 1000 + 1;
        LedgerRow row = OfJob(random() % 3, first, first + random() % 100, random() % 2);
        row.set_peer(pick(peers));
        for (uint32_t j = random() % 4; j > 0; --j) {
          const std::string state = pick(states);
          const std::string reason = pick(reasons);
          const uint64_t n = random() % 50 + 1;
          Count(state, reason, n, &row);
          sums[row.peer()][{"export", state, reason}] += n;
        }
        proposal.ledger.push_back(row);
      }
      CDGATE_ASSERT_OK(world.Propose(std::move(proposal)).status);
      const uint32_t what = random() % 12;
      if (what == 0) {
        CDGATE_ASSERT_OK(world.store->Flush());
      } else if (what == 1) {
        world.Close();
        world.Open();
      } else if (what == 2) {
        // Rows that are there already are not counted again.
        if (random() % 2 == 0) {
          CDGATE_ASSERT_OK(world.kv->Flush());
        }
        world.Crash();
        world.Open();
      }
    }
    for (const std::string& peer : peers) {
      EXPECT_EQ(SumsOf(world.store->Counters(peer)), sums[peer]) << "seed " << seed;
    }
  }
}

TEST_F(LedgerTest, MetricsGoOnAfterARestart) {
  const base::Labels labels = {{"peer", "beta.example"},
                               {"direction", "export"},
                               {"state", "denied"},
                               {"reason", "no_rule"}};
  LedgerRow row = Acknowledged(1, 5, 1);
  Count("denied", "no_rule", 5, &row);
  Commit({row});
  base::Metrics before;
  state::OutcomeMetrics outcomes(before);
  for (int i = 0; i < 2; ++i) outcomes.Update(store().AllCounters());
  EXPECT_EQ(before.AddGauge("cdgate_outcomes", "", labels).Value(), 5);
  Commit({row});
  outcomes.Update(store().AllCounters());
  EXPECT_EQ(before.AddGauge("cdgate_outcomes", "", labels).Value(), 10);
  ASSERT_TRUE(Facts(1).acknowledged);
  EXPECT_TRUE(Facts(1).acknowledged->counts().empty()) << "ranges that go on would add up wrong";
  world_.Crash();
  world_.Open();
  base::Metrics after;
  state::OutcomeMetrics(after).Update(store().AllCounters());
  EXPECT_EQ(after.AddGauge("cdgate_outcomes", "", labels).Value(), 10);
}

}  // namespace
}  // namespace cdgate::test
