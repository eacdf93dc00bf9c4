#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "federation/policy/policy.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::policy {
namespace {

using base::Reason;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kReleases[] = R"(
    export {
      rules { name: "never incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
      rules { name: "releases" when: "STAGE() = 'ci'" action: ACTION_ALLOW links: LINK_HANDLING_KEEP
              terms { onward: 2 classification: "TLP:AMBER" } }
    }
    import {
      rules { name: "secrets" when: "source LIKE '%secret%'" action: ACTION_DENY keep: true }
      rules { name: "beta's own" when: "ORIGIN() = 'beta.example'" action: ACTION_ALLOW }
    })";

class DecideTest : public testing::Test {
 protected:
  DecideTest() { event_.WithData(R"({"context":{"specversion":"0.5.1"}})"); }

  // Of an event that is no record nothing can be changed: the rules keep links.
  Decision Export(const CompiledPolicy* policy) {
    context_.Reset(event_.parts());
    return DecideExport(policy, context_, {.own_domain = "alpha.example", .interest = interest_});
  }
  // As the engine decided that could not transform.
  Decision ExportByFirstEngine(const CompiledPolicy* policy) {
    context_.Reset(event_.parts());
    return DecideExport(
        policy, context_,
        {.own_domain = "alpha.example", .interest = interest_, .engine_version = 1});
  }
  Decision Import(const CompiledPolicy* policy) {
    context_.Reset(event_.parts());
    return DecideImport(policy, context_, {.peer = "beta.example"});
  }
  void FromBeta() { event_.fields().origin = "beta.example"; }

  test::TestEvent event_;
  filter::EventContext context_;
  const CompiledInterest* interest_ = nullptr;
};

TEST_F(DecideTest, WithoutAPolicyNothingCrosses) {
  EXPECT_FALSE(Export(nullptr).allow);
  EXPECT_EQ(Export(nullptr).reason, Reason::kNoPolicy);
  FromBeta();
  EXPECT_FALSE(Import(nullptr).allow);
  EXPECT_EQ(Import(nullptr).reason, Reason::kNoPolicy);
}

TEST_F(DecideTest, UnknownTypesAreTakenWhereThePolicySaysSo) {
  FromBeta();
  event_.fields().unknown_type = true;
  constexpr char kAllow[] = R"(import { rules { name: "all" action: ACTION_ALLOW } })";
  EXPECT_EQ(Import(test::CompilePolicy(kAllow).get()).reason, Reason::kUnknownType);
  constexpr char kAccepting[] =
      R"(import { rules { name: "all" action: ACTION_ALLOW } accept_unknown: true })";
  EXPECT_TRUE(Import(test::CompilePolicy(kAccepting).get()).allow);
  // It is a permission, not a rule.
  const auto nothing = test::CompilePolicy("import { accept_unknown: true }");
  EXPECT_EQ(Import(nothing.get()).reason, Reason::kNoRule);
  event_.fields().unknown_type = false;
  EXPECT_TRUE(Import(test::CompilePolicy(kAllow).get()).allow);
}

TEST_F(DecideTest, AnEmptyPolicyLetsNothingCross) {
  const auto policy = test::CompilePolicy("");
  EXPECT_EQ(Export(policy.get()).reason, Reason::kNoRule);
  FromBeta();
  EXPECT_EQ(Import(policy.get()).reason, Reason::kNoRule);
}

TEST_F(DecideTest, TheFirstRuleThatMatchesDecides) {
  const auto policy = test::CompilePolicy(kReleases);
  Decision decision = Export(policy.get());
  EXPECT_TRUE(decision.allow);
  EXPECT_EQ(decision.reason, Reason::kAllowedByRule);
  EXPECT_EQ(decision.rule, "releases@7");
  EXPECT_EQ(decision.terms.onward, 2u);
  EXPECT_EQ(decision.terms.classification, "TLP:AMBER");

  event_.With("type", "dev.cdevents.incident.detected.0.3.0");
  decision = Export(policy.get());
  EXPECT_FALSE(decision.allow);
  EXPECT_EQ(decision.reason, Reason::kDeniedByRule);
  EXPECT_EQ(decision.rule, "never incidents@7");

  event_.With("type", "dev.cdevents.change.merged.0.3.0");
  decision = Export(policy.get());
  EXPECT_EQ(decision.reason, Reason::kNoRule);
  EXPECT_EQ(decision.rule, "");
}

TEST_F(DecideTest, ImportKeepsWhatTheRuleSays) {
  const auto policy = test::CompilePolicy(kReleases);
  FromBeta();
  EXPECT_TRUE(Import(policy.get()).allow);
  EXPECT_FALSE(Import(policy.get()).keep);
  event_.With("source", "/beta/secret/x");
  const Decision decision = Import(policy.get());
  EXPECT_FALSE(decision.allow);
  EXPECT_EQ(decision.rule, "secrets@7");
  EXPECT_TRUE(decision.keep);
}

TEST_F(DecideTest, OnlyTheSendersOwnEventsCross) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } }
         import { rules { name: "all" action: ACTION_ALLOW } })");
  EXPECT_TRUE(Export(policy.get()).allow);
  EXPECT_EQ(Import(policy.get()).reason, Reason::kTransitNotAllowed);
  FromBeta();
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTransitNotAllowed);
  EXPECT_TRUE(Import(policy.get()).allow);
  event_.fields().origin = "gamma.example";
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTransitNotAllowed);
  EXPECT_EQ(Import(policy.get()).reason, Reason::kTransitNotAllowed);
  event_.fields().origin = "";
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTransitNotAllowed);
}

TEST_F(DecideTest, AConditionThatFailsDeniesThatEventOnly) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "team" when: "team = 'core'" action: ACTION_DENY }
                  rules { name: "rest" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } })");
  const Decision decision = Export(policy.get());
  EXPECT_FALSE(decision.allow);
  EXPECT_EQ(decision.reason, Reason::kFilterError);
  EXPECT_EQ(decision.rule, "team@7");
  event_.With("team", "other");
  EXPECT_TRUE(Export(policy.get()).allow);
}

TEST_F(DecideTest, LargeEventsAreWithheld) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } limits { max_event_bytes: 1000 } }
         import { rules { name: "all" action: ACTION_ALLOW } limits { max_event_bytes: 500 } })");
  event_.fields().byte_size = 1000;
  EXPECT_TRUE(Export(policy.get()).allow);
  event_.fields().byte_size = 1001;
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTooLarge);
  FromBeta();
  EXPECT_EQ(Import(policy.get()).reason, Reason::kTooLarge);
  event_.fields().byte_size = 500;
  EXPECT_TRUE(Import(policy.get()).allow);
}

TEST_F(DecideTest, UnknownClassificationsDoNotCross) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } }
         import { rules { name: "all" action: ACTION_ALLOW } })");
  event_.fields().classification = "TLP:AMBER+STRICT";
  EXPECT_TRUE(Export(policy.get()).allow);
  event_.fields().classification = "TLP:PURPLE";
  EXPECT_EQ(Export(policy.get()).reason, Reason::kClassificationUnknown);
  EXPECT_EQ(Export(policy.get()).rule, "all@7");
  event_.fields().classification = "";
  event_.With("dataclassification", "eyes only");
  EXPECT_EQ(Export(policy.get()).reason, Reason::kClassificationUnknown);
  FromBeta();
  EXPECT_EQ(Import(policy.get()).reason, Reason::kClassificationUnknown);
  event_.With("dataclassification", "internal");
  EXPECT_TRUE(Import(policy.get()).allow);
  storage::v1::Terms terms;
  terms.set_classification("TLP:PURPLE");
  event_.fields().terms = &terms;
  EXPECT_EQ(Import(policy.get()).reason, Reason::kClassificationUnknown);
}

TEST_F(DecideTest, TheFirstEngineWithheldWhatNamesOtherEvents) {
  const auto kept = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } })");
  const auto unset =
      test::CompilePolicy(R"(export { rules { name: "all" action: ACTION_ALLOW } })");
  EXPECT_TRUE(ExportByFirstEngine(unset.get()).allow);
  event_.WithData(R"({"context":{"chainId":"c"}})");
  EXPECT_TRUE(ExportByFirstEngine(kept.get()).allow);
  EXPECT_EQ(ExportByFirstEngine(unset.get()).reason, Reason::kTransformationUnavailable);
  EXPECT_EQ(ExportByFirstEngine(unset.get()).rule, "all@7");
  event_.WithData(R"({"context":{"links":[{"linkType":"END"}]}})");
  EXPECT_EQ(ExportByFirstEngine(unset.get()).reason, Reason::kTransformationUnavailable);
  // What the second finds out about, it did not look at.
  event_.With("dataregulation", "SECRET");
  EXPECT_TRUE(ExportByFirstEngine(kept.get()).allow);
  EXPECT_EQ(Export(kept.get()).reason, Reason::kClassificationUnknown);
  event_.With("dataregulation", "");
  event_.WithData("not JSON");
  EXPECT_EQ(ExportByFirstEngine(unset.get()).reason, Reason::kInvalidJson);
}

TEST_F(DecideTest, TermsOnlyGetNarrower) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP
                          terms { onward: 3 classification: "TLP:GREEN" } } }
         import { rules { name: "all" action: ACTION_ALLOW } })");
  storage::v1::Terms terms;
  event_.fields().terms = &terms;
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTermsExceeded);
  terms.set_onward(2);
  terms.set_classification("TLP:AMBER");
  EXPECT_EQ(Export(policy.get()).terms.onward, 1u);
  EXPECT_EQ(Export(policy.get()).terms.classification, "TLP:AMBER");
  terms.set_onward(9);
  terms.set_classification("");
  EXPECT_EQ(Export(policy.get()).terms.onward, 3u);
  EXPECT_EQ(Export(policy.get()).terms.classification, "TLP:GREEN");
  // Labels of two scales cannot be compared.
  terms.set_classification("internal");
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTermsExceeded);
  // Nobody is known to be in a group.
  terms.set_classification("");
  terms.add_groups("core@eosc.example");
  EXPECT_EQ(Export(policy.get()).reason, Reason::kTermsExceeded);
  FromBeta();
  EXPECT_EQ(Import(policy.get()).reason, Reason::kTermsExceeded);
}

TEST_F(DecideTest, WhatTheImporterRefusesIsNotSent) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "all" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } })");
  federation::v1::Interest shown;
  shown.set_version(4);
  shown.add_rules()->set_when("STAGE() = 'cd'");
  shown.mutable_rules(0)->set_allow(true);
  const CompiledInterest interest = CompiledInterest::Compile(shown);
  interest_ = &interest;
  const Decision decision = Export(policy.get());
  EXPECT_FALSE(decision.allow);
  EXPECT_EQ(decision.reason, Reason::kNotWanted);
  EXPECT_EQ(decision.rule, "all@7");
  event_.With("type", "dev.cdevents.service.deployed.0.3.0");
  EXPECT_TRUE(Export(policy.get()).allow);
}

TEST_F(DecideTest, InterestNeverWidens) {
  const auto policy = test::CompilePolicy(kReleases);
  const CompiledInterest everything;
  interest_ = &everything;
  event_.With("type", "dev.cdevents.incident.detected.0.3.0");
  EXPECT_EQ(Export(policy.get()).reason, Reason::kDeniedByRule);
}

TEST_F(DecideTest, ExplainsRuleByRule) {
  const auto policy = test::CompilePolicy(
      R"(export { rules { name: "incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
                  rules { name: "team" when: "team = 'core'" action: ACTION_ALLOW links: LINK_HANDLING_KEEP }
                  rules { name: "rest" action: ACTION_ALLOW links: LINK_HANDLING_KEEP } })");
  context_.Reset(event_.parts());
  std::vector<RuleTrace> trace;
  Decision decision = DecideExport(policy.get(), context_, {.own_domain = "alpha.example"}, &trace);
  EXPECT_EQ(decision.reason, Reason::kFilterError);
  ASSERT_EQ(trace.size(), 2u);
  EXPECT_EQ(trace[0].rule, "incidents");
  EXPECT_EQ(trace[0].when, "SUBJECT_TYPE() = 'incident'");
  EXPECT_EQ(trace[0].verdict, RuleTrace::Verdict::kNoMatch);
  ASSERT_EQ(trace[0].values.size(), 1u);
  EXPECT_EQ(trace[0].values[0].expression, "SUBJECT_TYPE()");
  EXPECT_EQ(trace[0].values[0].value, "'build'");
  EXPECT_EQ(trace[1].verdict, RuleTrace::Verdict::kError);
  EXPECT_EQ(trace[1].error, "line 1, column 1: the event has no attribute team");

  event_.With("team", "other");
  context_.Reset(event_.parts());
  trace.clear();
  decision = DecideExport(policy.get(), context_, {.own_domain = "alpha.example"}, &trace);
  EXPECT_EQ(decision.rule, "rest@7");
  ASSERT_EQ(trace.size(), 3u);
  const admin::v1::RuleTrace last = ToProto(trace[2]);
  EXPECT_EQ(last.rule(), "rest");
  EXPECT_EQ(last.when(), "");
  EXPECT_EQ(last.verdict(), "match");
  EXPECT_EQ(ToProto(trace[1]).verdict(), "no match");
  EXPECT_EQ(ToProto(trace[1]).values(0).value(), "'other'");
}

// Invariant 1: with every part of a policy missing or broken in turn, nothing crosses.
TEST_F(DecideTest, NoBrokenPolicyLetsAnythingCross) {
  for (const char* text : {
           "export { rules { name: 'a' action: ACTION_ALLOW when: 'type LIKE' } }",
           "export { rules { name: 'a' } }",
           "export { rules { action: ACTION_ALLOW links: LINK_HANDLING_KEEP } }",
           "export { rules { name: 'a' action: ACTION_ALLOW redact: 'subject.id' } }",
           "export { transit: 'beta.example' rules { name: 'a' action: ACTION_ALLOW links: "
           "LINK_HANDLING_KEEP } }",
       }) {
    EXPECT_FALSE(CompiledPolicy::Compile(test::ParsePolicy(text), 1).ok()) << text;
  }
  const auto import_only =
      test::CompilePolicy("import { rules { name: 'all' action: ACTION_ALLOW } }");
  EXPECT_FALSE(Export(import_only.get()).allow);
  const auto export_only = test::CompilePolicy(
      "export { rules { name: 'all' action: ACTION_ALLOW links: LINK_HANDLING_KEEP } }");
  FromBeta();
  EXPECT_FALSE(Import(export_only.get()).allow);
}

}  // namespace
}  // namespace cdgate::policy
