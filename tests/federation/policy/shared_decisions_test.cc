#include "federation/policy/shared_decisions.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/federation/policy/policy_event.h"
#include "tests/federation/policy/policy_text.h"

namespace cdgate::policy {
namespace {

constexpr char kRules[] = R"(
    rules { name: "no incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
    rules { name: "team" when: "team = 'red'" action: ACTION_ALLOW links: LINK_HANDLING_KEEP }
    rules { name: "bob" when: "CDEVENT('subject.content.user', '') = 'bob'" action: ACTION_ALLOW })";

// As that of another peer, with what depends on the peer otherwise.
std::shared_ptr<const CompiledPolicy> PolicyOf(int peer, absl::string_view rules = kRules) {
  admin::v1::Policy policy = test::ParsePolicy(absl::StrCat("export { ", rules, " }"));
  policy.set_peer(absl::StrCat("peer", peer, ".example"));
  for (admin::v1::ExportRule& rule : *policy.mutable_export_()->mutable_rules()) {
    rule.set_name(absl::StrCat(rule.name(), " for ", peer));
    rule.mutable_terms()->set_onward(static_cast<uint32_t>(peer));
  }
  return *CompiledPolicy::Compile(policy, 1);
}

event::CommitPtr CommitOf(uint64_t number, const std::string& epoch = "e1", int events = 10) {
  storage::v1::CommitRecord record;
  record.set_number(number);
  record.set_epoch(epoch);
  record.set_first_sequence(100 * number + 1);
  for (int i = 0; i < events; ++i) {
    test::PolicyEvent event(
        i % 2 == 0 ? R"({"subject":{"content":{"user":"bob"}}})" : R"({"subject":{}})",
        i % 3 == 0 ? "dev.cdevents.incident.detected.0.3.0" : "dev.cdevents.build.queued.0.3.0");
    if (i % 5 != 0) event.attributes()["team"].set_ce_string(i % 4 == 0 ? "red" : "blue");
    if (i == 7) event.stored().set_origin("gamma.example");
    event.record();
    *record.add_events() = event.stored();
  }
  return event::MakeCommit(std::move(record));
}

class SharedDecisionsTest : public testing::Test {
 protected:
  RuleOutcomesPtr Of(const CompiledPolicy& policy, const event::Commit& commit) {
    return shared_.Of(policy.exports(), commit, context_, &memo_);
  }

  SharedDecisions shared_{"alpha.example", /*max_commits=*/4};
  filter::EventContext context_;
  DecisionMemo memo_;
};

TEST_F(SharedDecisionsTest, AHundredPeersTryTheRulesOnce) {
  std::vector<std::shared_ptr<const CompiledPolicy>> policies;
  for (int i = 0; i < 100; ++i) policies.push_back(PolicyOf(i));
  const event::CommitPtr commit = CommitOf(1);
  EventTransformer transformer;
  for (const auto& policy : policies) {
    const RuleOutcomesPtr rules = Of(*policy, *commit);
    ASSERT_NE(rules, nullptr);
    for (const event::Record& record : commit->events) {
      context_.Reset(record);
      ExportContext context{.own_domain = "alpha.example", .transformer = &transformer};
      const Decision alone = DecideExport(policy.get(), context_, context);
      context.rules = OutcomeOf(rules, record.sequence());
      EXPECT_EQ(context.rules == nullptr, record.origin() != "alpha.example");
      const Decision shared = DecideExport(policy.get(), context_, context);
      EXPECT_EQ(shared.allow, alone.allow);
      EXPECT_EQ(shared.reason, alone.reason);
      EXPECT_EQ(shared.rule, alone.rule);
      EXPECT_EQ(shared.terms.onward, alone.terms.onward);
    }
  }
  EXPECT_EQ(shared_.tried(), 9u) << "all but that of another origin";
}

TEST_F(SharedDecisionsTest, OneAloneSharesNothing) {
  const auto policy = PolicyOf(1);
  const event::CommitPtr commit = CommitOf(1);
  EXPECT_EQ(Of(*policy, *commit), nullptr);
  auto same = PolicyOf(2);
  EXPECT_NE(Of(*policy, *commit), nullptr);
  same.reset();
  EXPECT_EQ(Of(*policy, *commit), nullptr);
  EXPECT_EQ(OutcomeOf(nullptr, base::Sequence(1)), nullptr);
}

TEST_F(SharedDecisionsTest, OtherConditionsAreAnotherMatter) {
  constexpr char kOther[] = R"(rules { name: "all" action: ACTION_DENY })";
  const auto a = PolicyOf(1);
  const auto b = PolicyOf(2);
  const auto c = PolicyOf(3, kOther);
  const auto d = PolicyOf(4, kOther);
  EXPECT_EQ(a->exports().serial, b->exports().serial);
  EXPECT_NE(a->exports().serial, c->exports().serial);
  const event::CommitPtr commit = CommitOf(1);
  EXPECT_NE(Of(*a, *commit), Of(*c, *commit));
  EXPECT_EQ(Of(*d, *commit)->Of(commit->first_sequence)->rule, 0u);
  EXPECT_EQ(shared_.tried(), 18u);
}

TEST_F(SharedDecisionsTest, ACommitIsOfItsLog) {
  const auto a = PolicyOf(1);
  const auto b = PolicyOf(2);
  const RuleOutcomesPtr first = Of(*a, *CommitOf(1, "e1"));
  EXPECT_EQ(Of(*b, *CommitOf(1, "e1")), first);
  EXPECT_NE(Of(*b, *CommitOf(1, "e2")), first);
}

TEST_F(SharedDecisionsTest, ForgetsTheOldest) {
  const auto a = PolicyOf(1);
  const auto b = PolicyOf(2);
  for (uint64_t number = 1; number <= 5; ++number) Of(*a, *CommitOf(number));
  EXPECT_EQ(shared_.tried(), 45u);
  Of(*b, *CommitOf(5));
  Of(*b, *CommitOf(2));
  EXPECT_EQ(shared_.tried(), 45u);
  const RuleOutcomesPtr again = Of(*b, *CommitOf(1));
  EXPECT_EQ(shared_.tried(), 54u);
  EXPECT_EQ(again->Of(base::Sequence(100)), nullptr);
  EXPECT_NE(again->Of(base::Sequence(101)), nullptr);
  EXPECT_EQ(again->Of(base::Sequence(111)), nullptr);
}

TEST_F(SharedDecisionsTest, ManyThreadsAgree) {
  std::vector<std::shared_ptr<const CompiledPolicy>> policies;
  for (int i = 0; i < 4; ++i) policies.push_back(PolicyOf(i));
  std::vector<event::CommitPtr> commits;
  for (uint64_t number = 1; number <= 20; ++number) commits.push_back(CommitOf(number));
  std::vector<std::thread> threads;
  for (const auto& policy : policies) {
    threads.emplace_back([&, policy] {
      filter::EventContext context;
      DecisionMemo memo;
      for (const event::CommitPtr& commit : commits) {
        const RuleOutcomesPtr rules = shared_.Of(policy->exports(), *commit, context, &memo);
        for (const event::Record& record : commit->events) {
          context.Reset(record);
          const RuleOutcome* const shared = OutcomeOf(rules, record.sequence());
          if (shared == nullptr) continue;
          const RuleOutcome alone = TryRules(policy->exports(), context, nullptr);
          EXPECT_EQ(shared->rule, alone.rule);
          EXPECT_EQ(shared->outcome, alone.outcome);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cdgate::policy
