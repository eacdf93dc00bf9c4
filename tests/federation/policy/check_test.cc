#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/support/status_matchers.h"

namespace cdgate::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

MATCHER(IsError, "") { return arg.error; }

std::vector<Finding> Check(const std::string& text) { return CheckPolicy(test::ParsePolicy(text)); }

// Findings of a policy with one export rule of these fields besides a name and ALLOW.
std::vector<Finding> CheckRule(const std::string& fields) {
  return Check(absl::StrCat("export { rules { name: 'r' action: ACTION_ALLOW ", fields, " } }"));
}

TEST(CheckPolicyTest, AGoodPolicyHasNoFindings) {
  EXPECT_THAT(Check(R"(
      peer: "beta.example"
      export {
        rules { name: "never incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
        rules { name: "releases" when: "type LIKE 'dev.cdevents.artifact.%'" action: ACTION_ALLOW
                links: LINK_HANDLING_KEEP terms { onward: 1 classification: "TLP:AMBER" } }
        limits { events_per_second: 500 burst: 2000 max_event_bytes: 65536
                 max_backlog { seconds: 604800 } }
        reasons_to_peer: REASONS_TO_PEER_CODE
      }
      import {
        rules { name: "beta's own" when: "ORIGIN() = 'beta.example'" action: ACTION_ALLOW }
        interest: INTEREST_MODE_RULES
      })"),
              IsEmpty());
}

TEST(CheckPolicyTest, ErrorsNameTheirPlace) {
  struct Case {
    const char* fields;
    const char* place;
    const char* message;
  };
  const Case cases[] = {
      {"links: LINK_HANDLING_KEEP when: \"type =\\n 'x' +\"", "error export.rules[0].when 2:7",
       "line 2, column 7: expected an attribute"},
      {"when: \"SUBJECT_TYPE()\"", "error export.rules[0].when 1:1",
       "a condition is true or false"},
      {"redact: 'subject..user'", "error export.rules[0].redact[0]", "empty name"},
      {"pseudonymise: '/a~2'", "error export.rules[0].pseudonymise[0]", "'~'"},
      {"redact: 'context.id'", "error export.rules[0].redact[0]", "known by"},
      {"redact: 'subject'", "error export.rules[0].redact[0]", "known by"},
      {"pseudonymise: 'context.timestamp'", "error export.rules[0].pseudonymise[0]", "known by"},
      {"redact: 'subject.type'", "error export.rules[0].redact[0]", "known by"},
      {"redact: 'context.chainId'", "error export.rules[0].redact[0]", "said by links"},
      {"pseudonymise: 'context.links.0.from.contextId'", "error export.rules[0].pseudonymise[0]",
       "said by links"},
      {"redact: 'customData.0'", "error export.rules[0].redact[0]", "element of an array"},
      {"redact: 'subject.content'", "error export.rules[0].redact[0]", "are invalid"},
      {"redact: 'subject.id'", "error export.rules[0].redact[0]", "are invalid"},
      {"redact: 'subject.content.environment' when: \"type = "
       "'dev.cdevents.service.deployed.0.3.0'\"",
       "error export.rules[0].redact[0]",
       "without subject.content.environment events of dev.cdevents.service.deployed.0.3.0 are "
       "invalid"},
      {"pseudonymise: 'customData'", "error export.rules[0].pseudonymise[0]",
       "an object or a text"},
      {"pseudonymise: 'subject.content.environment'", "error export.rules[0].pseudonymise[0]",
       "is an object in events of"},
      {"pseudonymise: 'subject.content.outcome'", "error export.rules[0].pseudonymise[0]",
       "one of 4 texts"},
      {"pseudonymise: 'subject.content.labels' when: \"SUBJECT_TYPE() = 'ticket'\"",
       "error export.rules[0].pseudonymise[0]", "is an array"},
      {"redact: 'customData.team' pseudonymise: 'customData.team'",
       "error export.rules[0].pseudonymise[0]", "is in redact[0] too"},
      {"terms { groups: 'core' }", "error export.rules[0].terms.groups[0]", "no group"},
      {"terms { groups: 'Core@eosc.example' }", "error export.rules[0].terms.groups[0]",
       "no group"},
      {"terms { groups: 'core@' }", "error export.rules[0].terms.groups[0]", "no group"},
      {"terms { classification: 'TLP:PURPLE' }", "error export.rules[0].terms.classification",
       "'TLP:PURPLE' is no label"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.fields);
    const std::vector<Finding> findings = CheckRule(test.fields);
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(test::PlacesOf(findings).front(), test.place);
    EXPECT_THAT(findings.front().message, HasSubstr(test.message));
    EXPECT_EQ(findings.front().rule, "r");
  }
}

TEST(CheckPolicyTest, RulesNeedNamesAndActions) {
  EXPECT_THAT(test::PlacesOf(Check(R"(
      export { rules { action: ACTION_DENY when: "HOPS() = 1" }
               rules { name: "a" when: "HOPS() = 2" }
               rules { name: "a" action: ACTION_DENY when: "HOPS() = 3" }
               rules { name: "b\n" action: ACTION_DENY when: "HOPS() = 4" } })")),
              ElementsAre("error export.rules[0].name", "error export.rules[1].action",
                          "error export.rules[2].name", "error export.rules[3].name"));
  // The two lists have names of their own.
  EXPECT_THAT(Check(R"(export { rules { name: "a" action: ACTION_DENY } }
                       import { rules { name: "a" action: ACTION_DENY } })"),
              IsEmpty());
}

TEST(CheckPolicyTest, NeedsAPeer) {
  admin::v1::Policy policy;
  EXPECT_THAT(test::PlacesOf(CheckPolicy(policy)), Contains("error peer"));
}

TEST(CheckPolicyTest, ErrorsOfTheSides) {
  EXPECT_THAT(test::PlacesOf(Check(R"(
      export { rules { name: "a" action: ACTION_DENY }
               limits { max_backlog { seconds: -1 } } })")),
              ElementsAre("error export.limits.max_backlog"));
  admin::v1::Policy policy = test::ParsePolicy(R"(
      export { rules { name: "a" action: ACTION_DENY } }
      import { rules { name: "a" action: ACTION_DENY } })");
  policy.mutable_export_()->set_reasons_to_peer(static_cast<admin::v1::ReasonsToPeer>(9));
  policy.mutable_import()->set_interest(static_cast<admin::v1::InterestMode>(9));
  policy.mutable_export_()->mutable_rules(0)->set_links(static_cast<admin::v1::LinkHandling>(9));
  EXPECT_THAT(test::PlacesOf(CheckPolicy(policy)),
              ElementsAre("error export.reasons_to_peer", "error export.rules[0].links",
                          "error import.interest"));
}

TEST(CheckPolicyTest, AtMostAThousandRules) {
  admin::v1::Policy policy = test::ParsePolicy("");
  for (int i = 0; i < 1001; ++i) {
    admin::v1::ExportRule* rule = policy.mutable_export_()->add_rules();
    rule->set_name(absl::StrCat("rule ", i));
    rule->set_when(absl::StrCat("HOPS() = ", i));
    rule->set_action(admin::v1::ACTION_DENY);
  }
  EXPECT_THAT(test::PlacesOf(CheckPolicy(policy)), ElementsAre("error export.rules"));
  policy.mutable_export_()->mutable_rules()->RemoveLast();
  EXPECT_THAT(CheckPolicy(policy), IsEmpty());
}

TEST(CheckPolicyTest, WarnsOfRulesThatAreNeverReached) {
  EXPECT_THAT(test::PlacesOf(Check(R"(
      import { rules { name: "a" when: "HOPS() = 1" action: ACTION_ALLOW }
               rules { name: "b" when: "HOPS() = 1" action: ACTION_DENY }
               rules { name: "c" when: "1 = 1" action: ACTION_ALLOW }
               rules { name: "d" when: "HOPS() = 2" action: ACTION_DENY } })")),
              ElementsAre("warning import.rules[1].when", "warning import.rules[3]"));
}

TEST(CheckPolicyTest, WarnsOfRulesThatNeverMatch) {
  EXPECT_THAT(test::PlacesOf(Check(R"(
      import { rules { name: "a" when: "HOPS() = 1 AND HOPS() = 2" action: ACTION_ALLOW }
               rules { name: "b" when: "ORIGIN() = 'gamma.example'" action: ACTION_ALLOW }
               rules { name: "c" when: "FALSE" action: ACTION_ALLOW } })")),
              ElementsAre("warning import.rules[0].when", "warning import.rules[1].when",
                          "warning import.rules[2].when"));
}

TEST(CheckPolicyTest, WarnsOfWhatAuthorsMayNotMean) {
  EXPECT_THAT(test::PlacesOf(Check("")), ElementsAre("warning "));
  EXPECT_THAT(test::PlacesOf(Check("export {} import {}")),
              ElementsAre("warning export.rules", "warning import.rules"));
  EXPECT_THAT(CheckRule(""), IsEmpty()) << "links become pseudonyms";
  EXPECT_THAT(test::PlacesOf(CheckRule("links: LINK_HANDLING_KEEP when: \"HOPS() = 1 AND "
                                       "CDEVENT('subject.content.user') = 'x'\"")),
              ElementsAre("warning export.rules[0].when 1:16"));
  EXPECT_THAT(test::PlacesOf(Check(R"(
      export { rules { name: "a" action: ACTION_DENY terms { onward: 1 } redact: "customData"
                       pseudonymise: "subject.source" links: LINK_HANDLING_DROP }
               limits { burst: 5 } }
      import { rules { name: "a" action: ACTION_ALLOW keep: true } })")),
              ElementsAre("warning export.limits.burst", "warning export.rules[0].redact",
                          "warning export.rules[0].pseudonymise", "warning export.rules[0].links",
                          "warning export.rules[0].terms", "warning import.rules[0].keep"));
}

TEST(CheckPolicyTest, WarnsWhereTheInterestIsTooLargeToShow) {
  admin::v1::Policy policy = test::ParsePolicy("");
  for (int i = 0; i < 100; ++i) {
    admin::v1::ImportRule* rule = policy.mutable_import()->add_rules();
    rule->set_name(absl::StrCat("rule ", i));
    rule->set_when(absl::StrCat("source = '/", i, "/", std::string(700, 'x'), "'"));
    rule->set_action(admin::v1::ACTION_ALLOW);
  }
  EXPECT_THAT(test::PlacesOf(CheckPolicy(policy)), ElementsAre("warning import.interest"));
  policy.mutable_import()->set_interest(admin::v1::INTEREST_MODE_NONE);
  EXPECT_THAT(CheckPolicy(policy), IsEmpty());
}

TEST(CheckFieldsTest, WhatAnEventCanDoWithoutMayGo) {
  EXPECT_THAT(CheckRule("redact: ['customData', 'subject.source', 'context.schemaUri', "
                        "'subject.content.change.source', 'customDataContentType'] "
                        "when: \"SUBJECT_TYPE() = 'artifact'\""),
              IsEmpty());
  // The environment is required of a service, and optional for a test.
  EXPECT_THAT(CheckRule("redact: 'subject.content.environment' "
                        "when: \"type = 'dev.cdevents.pipelinerun.started.0.3.0'\""),
              Not(Contains(IsError())));
}

TEST(CheckFieldsTest, AnyTextMayBecomeAPseudonym) {
  EXPECT_THAT(CheckRule("pseudonymise: ['subject.id', 'subject.source', 'customData.user', "
                        "'subject.content.creator', 'subject.content.assignees.0', "
                        "'subject.content.uri', 'subject.content.ticketType'] "
                        "when: \"SUBJECT_TYPE() = 'ticket'\""),
              IsEmpty());
}

TEST(CheckFieldsTest, OnlyTypesThatTheRuleCanMatchRestrict) {
  constexpr char kRedact[] = "redact: 'subject.content.change' ";
  EXPECT_THAT(CheckRule(kRedact), Contains(IsError()));
  EXPECT_THAT(CheckRule(absl::StrCat(kRedact, "when: \"SUBJECT_TYPE() = 'incident'\"")),
              Not(Contains(IsError())));
  EXPECT_THAT(CheckRule(absl::StrCat(kRedact, "when: \"STAGE() = 'ci'\"")), Contains(IsError()));
}

TEST(CheckFieldsTest, WarnsOfWhatNoEventHas) {
  const std::vector<Finding> findings =
      CheckRule("redact: 'subject.content.user' when: \"SUBJECT_TYPE() = 'incident'\"");
  EXPECT_THAT(test::PlacesOf(findings), ElementsAre("warning export.rules[0].redact[0]"));
  EXPECT_THAT(findings.front().message, HasSubstr("has subject.content.user"));
  // Of what is in custom events nothing is known.
  EXPECT_THAT(
      CheckRule("redact: 'subject.content.user' when: \"type = 'dev.cdeventsx.t-s.p.0.1.0'\""),
      IsEmpty());
}

TEST(CheckFieldsTest, WarnsOfWhatAnotherPathCovers) {
  const std::vector<Finding> findings = CheckRule(
      "redact: ['customData.team', 'customData.team', 'customData.team.lead'] "
      "pseudonymise: ['/customData/team/size', 'customData.user', 'customData.user']");
  EXPECT_THAT(test::PlacesOf(findings),
              ElementsAre("warning export.rules[0].redact[1]", "warning export.rules[0].redact[2]",
                          "warning export.rules[0].pseudonymise[0]",
                          "warning export.rules[0].pseudonymise[2]"));
  EXPECT_THAT(findings[0].message, HasSubstr("redact[0] is the same"));
  EXPECT_THAT(findings[1].message, HasSubstr("redact[0] is above it"));
}

TEST(CheckFieldsTest, WarnsOfFieldsThatAConditionReadsUnguardedByType) {
  const auto check = [](const std::string& type) {
    return Check(absl::StrCat("import { rules { name: 'r' action: ACTION_ALLOW when: \"type = '",
                              type, "' AND CDEVENT('subject.content.environment.id') = 'e'\" } }"));
  };
  EXPECT_THAT(check("dev.cdevents.service.deployed.0.3.0"), IsEmpty()) << "it is required";
  const std::vector<Finding> findings = check("dev.cdevents.testcaserun.skipped.0.2.0");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].error);
  EXPECT_EQ(findings[0].line, 1u);
  EXPECT_THAT(findings[0].message,
              HasSubstr("HAS_CDEVENT('subject.content.environment.id') AND ..."));
  EXPECT_THAT(findings[0].message, HasSubstr("events of dev.cdevents.testcaserun.skipped.0.2.0"));
}

TEST(CheckGroupsTest, WarnsWhereThePeerIsNoMember) {
  storage::v1::DecisionEnvironment stored;
  storage::v1::GroupMembers* group = stored.add_groups();
  group->set_group("core@eosc.example");
  group->add_members("beta.example");
  group->set_expire_time_nanos(1000);
  const EnvironmentPtr environment = Environment::Make(stored, 1);
  const auto check = [&](const char* groups, absl::Time now) {
    const admin::v1::Policy policy = test::ParsePolicy(absl::StrCat(
        "export { rules { name: 'r' action: ACTION_ALLOW terms { groups: ", groups, " } } }"));
    return test::PlacesOf(CheckPolicy(policy, {.environment = environment.get(), .now = now}));
  };
  EXPECT_THAT(check("'core@eosc.example'", absl::FromUnixNanos(999)), IsEmpty());
  EXPECT_THAT(check("['other@eosc.example', 'core@eosc.example']", absl::FromUnixNanos(999)),
              IsEmpty());
  EXPECT_THAT(check("'core@eosc.example'", absl::FromUnixNanos(1000)),
              ElementsAre("warning export.rules[0].terms.groups"));
  EXPECT_THAT(check("'other@eosc.example'", absl::UnixEpoch()),
              ElementsAre("warning export.rules[0].terms.groups"));
}

TEST(CheckTransitTest, ListsThirdDomains) {
  const auto check = [](const char* transit) {
    const admin::v1::Policy policy = test::ParsePolicy(
        absl::StrCat("export { rules { name: 'a' action: ACTION_DENY } transit: ", transit, " }"));
    return test::PlacesOf(CheckPolicy(policy, {.own_domain = "alpha.example"}));
  };
  EXPECT_THAT(check("'gamma.example'"), IsEmpty());
  EXPECT_THAT(check("['gamma.example', 'gamma.example']"),
              ElementsAre("warning export.transit[1]"));
  EXPECT_THAT(
      check("['a b', 'alpha.example', 'beta.example']"),
      ElementsAre("error export.transit[0]", "error export.transit[1]", "error export.transit[2]"));
}

TEST(CheckTransitTest, OriginsThatMayCrossAreNoMistake) {
  EXPECT_THAT(test::PlacesOf(Check(R"(
      import { rules { name: "a" when: "ORIGIN() = 'gamma.example'" action: ACTION_ALLOW }
               rules { name: "b" when: "ORIGIN() = 'delta.example'" action: ACTION_ALLOW }
               transit: "gamma.example" })")),
              ElementsAre("warning import.rules[1].when"));
}

TEST(CheckPolicyTest, WarnsOfRulesThatOthersShadow) {
  const std::vector<Finding> findings = Check(R"(
      import { rules { name: "a" when: "STAGE() = 'ci'" action: ACTION_ALLOW }
               rules { name: "b" when: "stage() = 'ci' AND HOPS() = 2" action: ACTION_DENY }
               rules { name: "c" when: "HOPS() = 2 AND STAGE() = 'ci'" action: ACTION_DENY }
               rules { name: "d" when: "HOPS() = 2 OR STAGE() = 'ci'" action: ACTION_DENY } })");
  EXPECT_THAT(test::PlacesOf(findings),
              ElementsAre("warning import.rules[1].when", "warning import.rules[2].when"));
  EXPECT_THAT(findings[0].message, HasSubstr("never reached: import.rules[0]"));
  EXPECT_THAT(findings[1].message, HasSubstr("never matches: import.rules[0]"));
}

TEST(CompiledPolicyTest, RefusesWithTheFirstErrorAndAllFindings) {
  std::vector<Finding> findings;
  const auto compiled = CompiledPolicy::Compile(
      test::ParsePolicy("export { rules { name: 'r' action: ACTION_ALLOW redact: 'subject.id' } "
                        "transit: 'gamma.example' }"),
      1, &findings);
  EXPECT_THAT(compiled, test::HasReasonAndMessage(
                            base::Reason::kInvalidPolicy,
                            HasSubstr("export.rules[0].redact[0]: without subject.id events of")));
  EXPECT_THAT(test::PlacesOf(findings), ElementsAre("error export.rules[0].redact[0]"));
  const admin::v1::PolicyFinding proto = ToProto(findings[0]);
  EXPECT_TRUE(proto.error());
  EXPECT_EQ(proto.path(), "export.rules[0].redact[0]");
  EXPECT_EQ(proto.rule(), "r");
}

TEST(CompiledPolicyTest, HoldsWhatItWasMadeOf) {
  const auto policy = test::CompilePolicy(R"(
      export { rules { name: "a" action: ACTION_DENY } limits { events_per_second: 5 }
               reasons_to_peer: REASONS_TO_PEER_FULL })");
  EXPECT_EQ(policy->peer(), "beta.example");
  EXPECT_EQ(policy->version(), 7u);
  EXPECT_EQ(policy->exports().limits.events_per_second(), 5u);
  EXPECT_EQ(policy->reasons_to_peer(), admin::v1::REASONS_TO_PEER_FULL);
  EXPECT_EQ(test::CompilePolicy("")->reasons_to_peer(), admin::v1::REASONS_TO_PEER_NONE);
}

TEST(ClassificationsTest, ComparesWithinAScale) {
  const Classifications& known = Classifications::BuiltIn();
  EXPECT_TRUE(known.Knows(""));
  EXPECT_TRUE(known.Knows("TLP:RED"));
  EXPECT_TRUE(known.Knows("restricted"));
  EXPECT_FALSE(known.Knows("tlp:red"));
  EXPECT_EQ(known.Stricter("TLP:RED", "TLP:CLEAR"), "TLP:RED");
  EXPECT_EQ(known.Stricter("public", "internal"), "internal");
  EXPECT_EQ(known.Stricter("", "internal"), "internal");
  EXPECT_EQ(known.Stricter("TLP:RED", "internal"), std::nullopt);
  EXPECT_EQ(known.Stricter("TLP:RED", "other"), std::nullopt);
  const Classifications own(std::vector<std::vector<std::string>>{{"open", "closed"}});
  EXPECT_FALSE(own.Knows("TLP:RED"));
}

}  // namespace
}  // namespace cdgate::policy
