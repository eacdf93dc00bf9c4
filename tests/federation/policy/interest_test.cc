#include "federation/policy/interest.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::policy {
namespace {

federation::v1::Interest Shown(const std::string& import_rules) {
  return BuildInterest(test::ParsePolicy("import { " + import_rules + " }"), 3);
}

bool Wants(const CompiledInterest& interest, test::TestEvent& event) {
  filter::EventContext context;
  context.Reset(event.parts());
  return interest.Wants(context);
}

TEST(InterestTest, ShowsConditionsAndNothingElse) {
  const federation::v1::Interest shown = Shown(R"(
      rules { name: "internal name" when: "HOPS() = 1" action: ACTION_ALLOW }
      rules { name: "b" action: ACTION_DENY keep: true })");
  EXPECT_EQ(shown.version(), 3u);
  ASSERT_EQ(shown.rules_size(), 2);
  EXPECT_EQ(shown.rules(0).when(), "HOPS() = 1");
  EXPECT_TRUE(shown.rules(0).allow());
  EXPECT_FALSE(shown.rules(1).allow());
  EXPECT_EQ(shown.SerializeAsString().find("internal"), std::string::npos);
}

TEST(InterestTest, ShowsNothingWhereThePolicySaysSo) {
  const federation::v1::Interest shown =
      Shown("interest: INTEREST_MODE_NONE rules { name: 'a' action: ACTION_ALLOW }");
  EXPECT_EQ(shown.version(), 0u);
  EXPECT_EQ(shown.rules_size(), 0);
  test::TestEvent event;
  EXPECT_TRUE(Wants(CompiledInterest::Compile(shown), event));
}

TEST(InterestTest, WithoutAnImportSectionNothingIsWanted) {
  const federation::v1::Interest shown = BuildInterest(test::ParsePolicy(""), 3);
  EXPECT_EQ(shown.version(), 3u);
  test::TestEvent event;
  EXPECT_FALSE(Wants(CompiledInterest::Compile(shown), event));
}

TEST(InterestTest, TheFirstRuleThatMatchesDecides) {
  const CompiledInterest interest = CompiledInterest::Compile(Shown(R"text(
      rules { name: "a" when: "STAGE() = 'operations'" action: ACTION_DENY }
      rules { name: "b" when: "SUBJECT_TYPE() IN ('incident', 'build')" action: ACTION_ALLOW })text"));
  EXPECT_EQ(interest.version(), 3u);
  test::TestEvent event;
  EXPECT_TRUE(Wants(interest, event));
  event.With("type", "dev.cdevents.incident.detected.0.3.0");
  EXPECT_FALSE(Wants(interest, event));
  event.With("type", "dev.cdevents.change.merged.0.3.0");
  EXPECT_FALSE(Wants(interest, event));
}

TEST(InterestTest, SeesTheEventAsItArrives) {
  const CompiledInterest interest = CompiledInterest::Compile(
      Shown("rules { name: 'a' when: 'HOPS() = 1' action: ACTION_ALLOW }"));
  test::TestEvent event;
  filter::EventContext context;
  context.Reset(event.parts());
  EXPECT_TRUE(interest.Wants(context));
  EXPECT_EQ(context.hops(), 0u);
}

TEST(InterestTest, AConditionThatFailsLeavesTheDecisionToTheImporter) {
  const CompiledInterest interest = CompiledInterest::Compile(
      Shown("rules { name: 'a' when: \"team = 'x'\" action: ACTION_DENY }"));
  test::TestEvent event;
  EXPECT_TRUE(Wants(interest, event));
}

TEST(InterestTest, WhatIsBeyondTheBoundsIsIgnored) {
  test::TestEvent event;
  federation::v1::Interest received;
  received.set_version(5);
  const auto ignored = [&] {
    const CompiledInterest interest = CompiledInterest::Compile(received);
    return interest.version() == 0 && Wants(interest, event);
  };
  EXPECT_FALSE(ignored());
  received.add_rules()->set_when("this is no CESQL");
  EXPECT_TRUE(ignored());
  received.mutable_rules(0)->set_when("id = '" + std::string(kMaxInterestBytes, 'x') + "'");
  EXPECT_TRUE(ignored());
  received.clear_rules();
  for (int i = 0; i < 100; ++i) {
    received.add_rules()->set_when(
        absl::StrCat("HOPS() + ", std::string(50, '('), "1", std::string(50, ')'), " = ", i));
  }
  EXPECT_FALSE(ignored());
  std::string many = "HOPS() = 1";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&many, " OR HOPS() = ", i);
  for (federation::v1::InterestRule& rule : *received.mutable_rules()) rule.set_when(many);
  EXPECT_TRUE(ignored());
}

TEST(InterestTest, ExpensiveConditionsDoNotHoldUpTheExporter) {
  federation::v1::Interest received;
  received.set_version(5);
  received.add_rules()->set_when("id LIKE '%_a_a_a_a_a_a_a_a_b'");
  test::TestEvent event;
  event.With("id", std::string(60000, 'a'));
  EXPECT_TRUE(Wants(CompiledInterest::Compile(received), event));
}

TEST(InterestTest, KnowsThatItIsPaused) {
  federation::v1::Interest received;
  EXPECT_FALSE(CompiledInterest::Compile(received).paused());
  received.set_paused(true);
  EXPECT_TRUE(CompiledInterest::Compile(received).paused());
}

}  // namespace
}  // namespace cdgate::policy
