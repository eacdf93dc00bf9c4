// Random policies, random changes of them, random events: where WhyWidens has nothing to say,
// nothing crosses that did not, and nothing with more of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/policy/widening.h"
#include "gateway/event/record.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/support/random.h"

namespace cdgate::policy {
namespace {

constexpr const char* kAtoms[] = {"EXISTS a", "EXISTS b", "a = '1'",
                                  "b = '1'",  "n > 1",    "type LIKE '%build%'"};
constexpr const char* kPaths[] = {"customData", "customData.team", "customData.team.lead",
                                  "subject.content.user"};
// What the events' data has, as pointers.
constexpr const char* kLeaves[] = {"/customData/team/lead", "/customData/team/size",
                                   "/customData/cost", "/subject/content/user", "/context/chainId"};
constexpr const char* kLabels[] = {"", "TLP:GREEN", "TLP:AMBER", "TLP:RED", "confidential"};
constexpr const char* kGroups[] = {"in@a.example", "out@a.example", "too@a.example"};

class PolicyGenerator {
 public:
  explicit PolicyGenerator(test::Random& random) : random_(random) {}

  admin::v1::Policy Policy() {
    admin::v1::Policy policy;
    policy.set_peer("beta.example");
    const size_t rules = random_.Below(5);
    for (size_t i = 0; i < rules; ++i) *policy.mutable_export_()->add_rules() = Rule();
    if (random_.Below(4) == 0) policy.mutable_export_()->mutable_limits()->set_max_event_bytes(400);
    return policy;
  }

  // A few steps away from `policy`.
  void Change(admin::v1::Policy* policy) {
    for (size_t steps = 1 + random_.Below(2); steps > 0; --steps) ChangeOnce(policy);
    for (int i = 0; i < policy->export_().rules_size(); ++i) {
      policy->mutable_export_()->mutable_rules(i)->set_name(absl::StrCat("r", next_++));
    }
  }

 private:
  template <size_t N>
  const char* OneOf(const char* const (&list)[N]) {
    return list[random_.Below(N)];
  }
  std::string Condition() {
    switch (random_.Below(5)) {
      case 0: return "";
      case 1: return absl::StrCat("(", OneOf(kAtoms), ") AND (", OneOf(kAtoms), ")");
      case 2: return absl::StrCat("(", OneOf(kAtoms), ") OR (", OneOf(kAtoms), ")");
      default: return OneOf(kAtoms);
    }
  }
  admin::v1::ExportRule Rule() {
    admin::v1::ExportRule rule;
    rule.set_name(absl::StrCat("r", next_++));
    rule.set_when(Condition());
    rule.set_action(random_.Below(3) == 0 ? admin::v1::ACTION_DENY : admin::v1::ACTION_ALLOW);
    if (rule.action() == admin::v1::ACTION_DENY) return rule;
    rule.set_links(admin::v1::LINK_HANDLING_KEEP);
    rule.mutable_terms()->set_onward(random_.Below(3));
    if (random_.Below(2) == 0) return rule;
    if (random_.Below(3) == 0) rule.add_redact(OneOf(kPaths));
    if (random_.Below(3) == 0) rule.add_pseudonymise(OneOf(kPaths));
    rule.set_links(static_cast<admin::v1::LinkHandling>(random_.Below(4)));
    if (random_.Below(3) == 0) rule.mutable_terms()->add_groups(OneOf(kGroups));
    if (random_.Below(3) == 0) rule.mutable_terms()->set_classification(OneOf(kLabels));
    return rule;
  }

  void ChangeOnce(admin::v1::Policy* policy) {
    auto& rules = *policy->mutable_export_()->mutable_rules();
    const int at = rules.empty() ? 0 : static_cast<int>(random_.Below(rules.size()));
    const size_t what = random_.Below(9);
    if (what == 0 || rules.empty()) {
      *rules.Add() = Rule();
      for (int i = rules.size() - 1; i > at; --i) rules.SwapElements(i, i - 1);
    } else if (what == 1) {
      rules.DeleteSubrange(at, 1);
    } else if (what == 2) {
      rules.SwapElements(at, static_cast<int>(random_.Below(rules.size())));
    } else {
      ChangeRule(what, &rules[at]);
    }
  }
  void ChangeRule(size_t what, admin::v1::ExportRule* rule) {
    const bool allow = rule->action() == admin::v1::ACTION_ALLOW;
    const std::string when = rule->when().empty() ? "TRUE" : rule->when();
    switch (what) {
      case 3: return rule->set_when(absl::StrCat("(", when, ") AND (", OneOf(kAtoms), ")"));
      case 4: return rule->set_when(absl::StrCat("(", OneOf(kAtoms), ") AND (", when, ")"));
      case 5: rule->clear_terms(); return rule->set_action(admin::v1::ACTION_DENY);
      case 6:
        if (allow) rule->add_redact(OneOf(kPaths));
        if (!allow) rule->set_when(Condition());
        return;
      case 7: return rule->mutable_terms()->set_onward(random_.Below(2));
      default: {
        const std::string name = rule->name();
        *rule = Rule();
        rule->set_name(name);
      }
    }
  }

  test::Random& random_;
  int next_ = 0;
};

struct TestRecord {
  std::string stored;
  event::Record record() const { return event::Record(base::Sequence(1), stored); }
};

TestRecord RandomRecord(test::Random& random) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("1");
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type(random.Below(2) == 0 ? "dev.cdevents.build.finished.0.3.0"
                                      : "dev.cdevents.service.deployed.0.3.0");
  for (const char* name : {"a", "b", "n"}) {
    if (random.Below(3) == 0) continue;
    (*event.mutable_attributes())[name].set_ce_string(absl::StrCat(random.Below(4)));
  }
  std::string data = R"({"context":{"chainId":"c"},"subject":{"content":{"user":"bob"}},)"
                     R"("customData":{"team":{"lead":"ann","size":3},"cost":1)";
  if (random.Below(3) == 0) data.append(absl::StrCat(R"(,"x":")", std::string(400, 'x'), "\""));
  event.set_binary_data(data + "}}");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_classification(kLabels[random.Below(4)]);
  if (random.Below(2) == 0) {
    stored.mutable_terms()->set_onward(random.Below(3));
    if (random.Below(2) == 0) stored.mutable_terms()->add_groups(kGroups[random.Below(3)]);
  }
  return {stored.SerializeAsString()};
}

// How little is left of a value: 0 all, 1 a pseudonym, 2 nothing.
int ReductionOf(const Outgoing* outgoing, absl::string_view leaf) {
  const auto within = [&](const std::vector<std::string>& pointers) {
    return std::any_of(pointers.begin(), pointers.end(),
                       [&](const std::string& pointer) { return absl::StartsWith(leaf, pointer); });
  };
  if (outgoing == nullptr) return 0;
  return within(outgoing->withheld) ? 2 : within(outgoing->substituted) ? 1 : 0;
}

struct Left {
  bool allow = false;
  std::vector<int> reductions;
  uint32_t onward = 0;
  std::vector<std::string> groups;
  std::string classification;
};

class Decider {
 public:
  Left Decide(const CompiledPolicy& policy, const event::Record& record) {
    event_.Reset(record);
    const Decision decision = DecideExport(&policy, event_,
                                           {.own_domain = "alpha.example",
                                            .environment = environment_.get(),
                                            .keys = &keys_,
                                            .transformer = &transformer_});
    Left left;
    left.allow = decision.allow;
    if (!decision.allow) return left;
    for (const char* leaf : kLeaves)
      left.reductions.push_back(ReductionOf(decision.outgoing, leaf));
    left.onward = decision.terms.onward;
    for (const absl::string_view group : decision.terms.groups) left.groups.emplace_back(group);
    left.classification = std::string(decision.terms.classification);
    return left;
  }

 private:
  static EnvironmentPtr MakeEnvironment() {
    storage::v1::DecisionEnvironment stored;
    for (const char* group : {"in@a.example", "too@a.example"}) {
      stored.add_groups()->set_group(group);
      stored.mutable_groups(stored.groups_size() - 1)->add_members("beta.example");
    }
    return Environment::Make(stored, 1);
  }

  filter::EventContext event_;
  const EnvironmentPtr environment_ = MakeEnvironment();
  const Keyring keys_{{{.version = 1, .start_nanos = INT64_MIN, .secret = std::string(32, 'k')}}};
  EventTransformer transformer_;
};

// Whether `after` gives the peer nothing that `before` does not.
std::string MoreIn(const Left& after, const Left& before) {
  if (!after.allow) return "";
  if (!before.allow) return "it was denied";
  for (size_t i = 0; i < after.reductions.size(); ++i) {
    if (after.reductions[i] < before.reductions[i]) return absl::StrCat("more of ", kLeaves[i]);
  }
  if (after.onward > before.onward) return "onward";
  const auto stricter =
      Classifications::BuiltIn().Stricter(after.classification, before.classification);
  if (!stricter || *stricter != after.classification) return "classification";
  if (before.groups.empty()) return "";
  if (after.groups.empty()) return "no groups";
  for (const std::string& group : after.groups) {
    if (std::find(before.groups.begin(), before.groups.end(), group) == before.groups.end()) {
      return "groups";
    }
  }
  return "";
}

TEST(WideningPropertyTest, WhatIsNotNamedGivesThePeerNothingMore) {
  test::Random random(20260101);
  PolicyGenerator generator(random);
  Decider decider;
  std::vector<TestRecord> records;
  for (int i = 0; i < 300; ++i) records.push_back(RandomRecord(random));
  int narrowing = 0;
  int widening = 0;
  for (int round = 0; round < 4000; ++round) {
    const admin::v1::Policy before = generator.Policy();
    admin::v1::Policy after = before;
    generator.Change(&after);
    const auto old_policy = CompiledPolicy::Compile(before, 1);
    const auto new_policy = CompiledPolicy::Compile(after, 2);
    if (!old_policy.ok() || !new_policy.ok()) continue;
    const std::vector<std::string> why = WhyWidens(&before, after);
    bool more = false;
    for (const TestRecord& stored : records) {
      const event::Record record = stored.record();
      const std::string what =
          MoreIn(decider.Decide(**new_policy, record), decider.Decide(**old_policy, record));
      more = more || !what.empty();
      ASSERT_TRUE(what.empty() || !why.empty()) << what << "\n"
                                                << before.DebugString() << "\n"
                                                << after.DebugString();
    }
    narrowing += why.empty() ? 1 : 0;
    widening += more ? 1 : 0;
  }
  // Both were there to be confused.
  EXPECT_GT(narrowing, 100);
  EXPECT_GT(widening, 100);
}

}  // namespace
}  // namespace cdgate::policy
