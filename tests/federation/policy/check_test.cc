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
      {"redact: 'customData'", "error export.rules[0].redact", "cannot remove fields"},
      {"pseudonymise: 'subject.content.user'", "error export.rules[0].pseudonymise",
       "cannot make pseudonyms"},
      {"links: LINK_HANDLING_DROP", "error export.rules[0].links", "can only KEEP"},
      {"links: LINK_HANDLING_PSEUDONYMISE", "error export.rules[0].links", "can only KEEP"},
      {"terms { groups: 'core@eosc.example' }", "error export.rules[0].terms.groups", "no groups"},
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
      export { rules { name: "a" action: ACTION_DENY } transit: "gamma.example"
               limits { max_backlog { seconds: -1 } } }
      import { rules { name: "a" action: ACTION_DENY } transit: "gamma.example" })")),
              ElementsAre("error export.transit", "error export.limits.max_backlog",
                          "error import.transit"));
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
  EXPECT_THAT(test::PlacesOf(CheckRule("")), ElementsAre("warning export.rules[0].links"));
  EXPECT_THAT(test::PlacesOf(CheckRule("links: LINK_HANDLING_KEEP when: \"HOPS() = 1 AND "
                                       "CDEVENT('subject.content.user') = 'x'\"")),
              ElementsAre("warning export.rules[0].when 1:16"));
  EXPECT_THAT(test::PlacesOf(Check(R"(
      export { rules { name: "a" action: ACTION_DENY terms { onward: 1 } } limits { burst: 5 } }
      import { rules { name: "a" action: ACTION_ALLOW keep: true } })")),
              ElementsAre("warning export.limits.burst", "warning export.rules[0].terms",
                          "warning import.rules[0].keep"));
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

TEST(CompiledPolicyTest, RefusesWithTheFirstErrorAndAllFindings) {
  std::vector<Finding> findings;
  const auto compiled = CompiledPolicy::Compile(
      test::ParsePolicy("export { rules { name: 'r' action: ACTION_ALLOW redact: 'customData' } }"),
      1, &findings);
  EXPECT_THAT(compiled, test::HasReasonAndMessage(base::Reason::kInvalidPolicy,
                                                  HasSubstr("export.rules[0].redact: this release "
                                                            "cannot remove fields")));
  EXPECT_THAT(test::PlacesOf(findings),
              ElementsAre("error export.rules[0].redact", "warning export.rules[0].links"));
  const admin::v1::PolicyFinding proto = ToProto(findings[0]);
  EXPECT_TRUE(proto.error());
  EXPECT_EQ(proto.path(), "export.rules[0].redact");
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
