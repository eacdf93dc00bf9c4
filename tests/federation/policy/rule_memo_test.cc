#include "federation/policy/rule_memo.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::policy {
namespace {

// Counts how often each rule is tried.
class RuleMemoTest : public testing::Test {
 protected:
  using Outcome = RuleMemo::Outcome;

  // Rule 0 is for artifacts, rule 1 for the subject "wanted", rule 2 for all.
  std::optional<size_t> Decide(uint64_t serial = 1) {
    event_.Reset(parts_.parts());
    const auto decided = memo_.FirstToDecide(serial, 3, event_, [&](size_t i) {
      ++tried_[i];
      const bool matched = i == 0   ? event_.subject_type() == "artifact"
                           : i == 1 ? event_.Find("subject")->string() == "wanted"
                                    : true;
      return matched ? Outcome::kMatched : Outcome::kPassed;
    });
    return decided ? std::optional<size_t>(decided->rule) : std::nullopt;
  }

  test::TestEvent parts_;
  filter::EventContext event_;
  RuleMemo memo_;
  std::vector<int> tried_ = {0, 0, 0};
};

TEST_F(RuleMemoTest, WhatTypeAndSourceSettleIsTriedOnce) {
  parts_.With("type", "dev.cdevents.build.finished.0.3.0").With("subject", "other");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Decide(), 2u);
  EXPECT_EQ(tried_, (std::vector<int>{1, 5, 1}));
  parts_.With("subject", "wanted");
  EXPECT_EQ(Decide(), 1u) << "what reads more is always tried";
  parts_.With("type", "dev.cdevents.artifact.packaged.0.3.0");
  EXPECT_EQ(Decide(), 0u);
  EXPECT_EQ(Decide(), 0u);
  EXPECT_EQ(tried_[0], 2);
}

TEST_F(RuleMemoTest, AnotherListIsAnotherMatter) {
  parts_.With("type", "dev.cdevents.artifact.packaged.0.3.0");
  EXPECT_EQ(Decide(1), 0u);
  EXPECT_EQ(Decide(2), 0u);
  EXPECT_EQ(tried_[0], 2);
}

TEST_F(RuleMemoTest, ManyKindsAndLongOnesAreDecidedAlike) {
  parts_.With("subject", "other");
  for (size_t i = 0; i < 3 * RuleMemo::kMaxKinds; ++i) {
    parts_.With("source", absl::StrCat("/s/", i));
    EXPECT_EQ(Decide(), 2u);
  }
  parts_.With("source", std::string(5000, 's'));
  EXPECT_EQ(Decide(), 2u);
  EXPECT_EQ(Decide(), 2u);
}

TEST(RuleMemoSerialTest, IsGivenOnce) { EXPECT_NE(RuleMemo::NewSerial(), RuleMemo::NewSerial()); }

// Conditions that read all there is to be read, some of them with errors.
constexpr const char* kConditions[] = {
    "type LIKE 'dev.cdevents.build.%'",
    "SUBJECT_TYPE() = 'artifact'",
    "PREDICATE() = 'finished' AND source LIKE '%b%'",
    "SUBJECT_TYPE() = 'build' AND subject = 's1'",
    "subject IN ('s2', 's3')",
    "EXISTS team",
    "EXISTS team AND team = 'red'",
    "team = 'blue'",
    "ORIGIN() = 'beta.example'",
    "PLANE() = 'operations'",
    "HOPS() > 0",
    "CLASSIFICATION() = 'TLP:RED'",
    "HAS_CDEVENT('subject.content.user')",
    "CDEVENT('subject.content.user') = 'bob'",
    "id = 'e1'",
    "STAGE() = 'ci' OR time = 'never'",
    "NOT (source = '/a') AND LENGTH(type) > 30",
};

// Rules in random order over random events, decided with a memo that is kept, and without.
class MemoAgreesTest : public testing::TestWithParam<int> {
 protected:
  MemoAgreesTest() : random_(static_cast<unsigned>(GetParam())) {}

  size_t Below(size_t n) { return random_() % n; }
  std::string OneOf(std::vector<const char*> texts) { return texts[Below(texts.size())]; }

  std::string RandomRules(absl::string_view more = "") {
    std::string rules;
    for (size_t i = 0, n = 1 + Below(8); i < n; ++i) {
      absl::StrAppend(&rules, "rules { name: \"r", i, "\" when: \"",
                      kConditions[Below(std::size(kConditions))],
                      "\" action: ", Below(2) == 0 ? "ACTION_ALLOW" : "ACTION_DENY", more, " }\n");
    }
    return rules;
  }

  test::TestEvent RandomEvent() {
    test::TestEvent event;
    event.With("type", OneOf({"dev.cdevents.build.finished.0.3.0",
                              "dev.cdevents.artifact.packaged.0.3.0", "com.example.other"}));
    event.With("source", OneOf({"/a", "/b"})).With("id", OneOf({"e1", "e2"}));
    if (Below(2) == 0) event.With("subject", OneOf({"s1", "s2", "s4"}));
    if (Below(2) == 0) event.With("team", OneOf({"red", "blue"}));
    event.WithData(OneOf({R"({"subject":{"content":{"user":"bob"}}})", R"({"context":{}})"}));
    event.fields().origin = event.Keep(OneOf({"alpha.example", "beta.example"}));
    event.fields().plane = event.Keep(OneOf({"", "operations"}));
    event.fields().classification = event.Keep(OneOf({"", "TLP:RED"}));
    event.fields().hops = static_cast<uint32_t>(Below(2));
    return event;
  }

  std::mt19937 random_;
};

TEST_P(MemoAgreesTest, WithTryingEveryRule) {
  DecisionMemo import_memo;
  DecisionMemo memo;  // kept over all policies, as a session keeps it
  filter::EventContext event;
  for (int round = 0; round < 20; ++round) {
    const std::string rules = RandomRules();
    const auto policy = test::CompilePolicy(absl::StrCat(
        "export { ", RandomRules(" links: LINK_HANDLING_KEEP"), "} import { ", rules, "}"));
    const CompiledInterest interest = CompiledInterest::Compile(
        BuildInterest(test::ParsePolicy(absl::StrCat("import { ", rules, "}")), 1));
    for (int i = 0; i < 200; ++i) {
      test::TestEvent parts = RandomEvent();
      event.Reset(parts.parts());
      const ExportContext out{.own_domain = "alpha.example", .interest = &interest};
      const Decision plain = DecideExport(policy.get(), event, out);
      const Decision kept =
          DecideExport(policy.get(), event,
                       {.own_domain = "alpha.example", .interest = &interest, .memo = &memo});
      ASSERT_EQ(kept.reason, plain.reason);
      ASSERT_EQ(kept.rule, plain.rule);
      event.Reset(parts.parts());
      const Decision taken = DecideImport(policy.get(), event, {.peer = "beta.example"});
      const Decision again =
          DecideImport(policy.get(), event, {.peer = "beta.example", .memo = &import_memo});
      ASSERT_EQ(again.reason, taken.reason);
      ASSERT_EQ(again.rule, taken.rule);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MemoAgreesTest, testing::Range(1, 6));

}  // namespace
}  // namespace cdgate::policy
