// Decisions about records, which can be changed on their way out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "gateway/event/recovered.h"
#include "tests/federation/policy/policy_event.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/support/random.h"

namespace cdgate::policy {
namespace {

using base::Reason;
using ::testing::ElementsAre;

constexpr char kData[] =
    R"({"context":{"chainId":"c"},"subject":{"id":"s","content":{"user":"bob"}},"customData":1})";

class OutgoingDecisionTest : public testing::Test {
 protected:
  Decision Export(const CompiledPolicy& policy) {
    context_.Reset(event_.record());
    return DecideExport(&policy, context_,
                        {.own_domain = "alpha.example",
                         .interest = interest_ ? &*interest_ : nullptr,
                         .environment = environment_.get(),
                         .keys = keys_ ? &*keys_ : nullptr,
                         .transformer = &transformer_});
  }
  Decision ExportBy(const std::string& fields) {
    policy_ = test::CompilePolicy(
        absl::StrCat("export { rules { name: 'all' action: ACTION_ALLOW ", fields, " } }"));
    return Export(*policy_);
  }
  // The importer takes what these import rules take.
  void Show(const std::string& rules) {
    interest_ = CompiledInterest::Compile(
        BuildInterest(test::ParsePolicy(absl::StrCat("import { ", rules, " }")), 3));
  }
  void SetGroups(const std::vector<std::string>& groups, absl::Time end = absl::UnixEpoch()) {
    storage::v1::DecisionEnvironment stored;
    for (const std::string& group : groups) {
      storage::v1::GroupMembers* members = stored.add_groups();
      members->set_group(group);
      members->add_members("beta.example");
      members->set_expire_time_nanos(absl::ToUnixNanos(end));
    }
    environment_ = Environment::Make(stored, 2);
  }

  test::PolicyEvent event_{kData};
  filter::EventContext context_;
  EventTransformer transformer_;
  EnvironmentPtr environment_ = Environment::BuiltIn();
  std::optional<Keyring> keys_{
      std::vector<Keyring::Key>{{.version = 1, .start_nanos = 0, .secret = "secret"}}};
  std::optional<CompiledInterest> interest_;
  std::shared_ptr<const CompiledPolicy> policy_;
};

TEST_F(OutgoingDecisionTest, LinksBecomePseudonymsUnlessTheRuleSaysOtherwise) {
  const Decision decision = ExportBy("");
  ASSERT_TRUE(decision.allow);
  ASSERT_NE(decision.outgoing, nullptr);
  EXPECT_THAT(decision.outgoing->substituted, ElementsAre("/context/chainId"));
  EXPECT_EQ(ExportBy("links: LINK_HANDLING_KEEP").outgoing, nullptr);
  EXPECT_THAT(ExportBy("links: LINK_HANDLING_DROP").outgoing->withheld,
              ElementsAre("/context/chainId"));
}

TEST_F(OutgoingDecisionTest, WhatCannotBeDoneIsNotSent) {
  keys_.reset();
  EXPECT_EQ(ExportBy("").reason, Reason::kTransformationUnavailable);
  EXPECT_EQ(ExportBy("").outgoing, nullptr);
  EXPECT_TRUE(ExportBy("links: LINK_HANDLING_DROP").allow);
  event_.cloud_event().set_binary_data("no JSON");
  EXPECT_EQ(ExportBy("links: LINK_HANDLING_DROP").reason, Reason::kTransformationUnavailable);
}

TEST_F(OutgoingDecisionTest, TheImporterJudgesWhatItGets) {
  Show(
      "rules { name: 'no users' when: \"HAS_CDEVENT('subject.content.user')\" "
      "action: ACTION_DENY } rules { name: 'rest' action: ACTION_ALLOW }");
  EXPECT_EQ(ExportBy("links: LINK_HANDLING_KEEP").reason, Reason::kNotWanted);
  const Decision decision = ExportBy("redact: 'subject.content.user'");
  EXPECT_TRUE(decision.allow);
  EXPECT_NE(decision.outgoing, nullptr);
  Show(
      "rules { name: 'bob' when: \"CDEVENT('subject.content.user', '') = 'bob'\" "
      "action: ACTION_ALLOW }");
  EXPECT_TRUE(ExportBy("links: LINK_HANDLING_KEEP").allow);
  EXPECT_EQ(ExportBy("pseudonymise: 'subject.content.user'").reason, Reason::kNotWanted);
}

TEST_F(OutgoingDecisionTest, WhatTheImporterNeverTakesIsNotTransformed) {
  Show("rules { name: 'cd' when: \"STAGE() = 'cd'\" action: ACTION_ALLOW }");
  keys_.reset();  // a transformation would fail
  EXPECT_EQ(ExportBy("").reason, Reason::kNotWanted);
}

TEST_F(OutgoingDecisionTest, RegulationsHaveToBeKnown) {
  EXPECT_TRUE(ExportBy("").allow);
  event_.attributes()["dataregulation"].set_ce_string("GDPR,HIPAA");
  EXPECT_TRUE(ExportBy("").allow);
  event_.attributes()["dataregulation"].set_ce_string("GDPR,SECRET");
  EXPECT_EQ(ExportBy("").reason, Reason::kClassificationUnknown);
  event_.attributes()["dataregulation"].set_ce_integer(5);
  EXPECT_EQ(ExportBy("").reason, Reason::kClassificationUnknown);
}

TEST_F(OutgoingDecisionTest, GroupsOfARuleNeedThePeer) {
  constexpr char kFields[] = "terms { groups: ['a@x.example', 'b@x.example'] }";
  EXPECT_EQ(ExportBy(kFields).reason, Reason::kTermsExceeded);
  SetGroups({"b@x.example"});
  const Decision decision = ExportBy(kFields);
  EXPECT_TRUE(decision.allow);
  EXPECT_THAT(decision.terms.groups, ElementsAre("a@x.example", "b@x.example"));
  // Of the time at which the event was accepted.
  SetGroups({"b@x.example"}, absl::FromUnixNanos(1000));
  EXPECT_EQ(ExportBy(kFields).reason, Reason::kTermsExceeded);
  SetGroups({"b@x.example"}, absl::FromUnixNanos(1001));
  EXPECT_TRUE(ExportBy(kFields).allow);
}

TEST_F(OutgoingDecisionTest, GroupsOnlyGetFewer) {
  SetGroups({"a@x.example", "b@x.example"});
  event_.stored().mutable_terms()->set_onward(1);
  event_.stored().mutable_terms()->add_groups("b@x.example");
  EXPECT_THAT(ExportBy("").terms.groups, ElementsAre("b@x.example"));
  EXPECT_THAT(ExportBy("terms { groups: ['a@x.example', 'b@x.example'] }").terms.groups,
              ElementsAre("b@x.example"));
  EXPECT_EQ(ExportBy("terms { groups: 'a@x.example' }").reason, Reason::kTermsExceeded);
  event_.stored().mutable_terms()->set_onward(0);
  EXPECT_EQ(ExportBy("").reason, Reason::kTermsExceeded);
}

// One of ours that a peer gave back after our log had lost it.
TEST_F(OutgoingDecisionTest, NotToWhoGaveItBack) {
  event_.stored().set_publisher(event::RecoveredFrom("beta.example"));
  EXPECT_EQ(ExportBy("").reason, Reason::kSplitHorizon);
  event_.stored().set_publisher(event::RecoveredFrom("gamma.example"));
  EXPECT_TRUE(ExportBy("").allow);
}

// An event of gamma that came through delta.
class TransitDecisionTest : public OutgoingDecisionTest {
 protected:
  void SetUp() override {
    event_.stored().set_origin("gamma.example");
    event_.stored().set_received_from("delta.example");
    event_.stored().add_path("gamma.example");
    event_.stored().add_path("delta.example");
    event_.stored().add_statements("of gamma");
    event_.stored().add_statements("of gamma, to delta");
    event_.stored().set_import_leaf("of delta, to us");
    event_.stored().mutable_terms()->set_onward(2);
  }

  const std::shared_ptr<const CompiledPolicy> policy_ = test::CompilePolicy(
      "export { rules { name: 'all' action: ACTION_ALLOW terms { onward: 5 } } "
      "transit: 'gamma.example' } "
      "import { rules { name: 'all' action: ACTION_ALLOW } transit: 'gamma.example' }");
};

TEST_F(TransitDecisionTest, PassesOnWhatTransitLists) {
  EXPECT_EQ(ExportBy("").reason, Reason::kTransitNotAllowed);
  const Decision decision = Export(*policy_);
  EXPECT_TRUE(decision.allow) << base::ReasonText(decision.reason);
  EXPECT_EQ(decision.terms.onward, 1u);
  EXPECT_TRUE(DecideImport(policy_.get(), context_, {.peer = "beta.example"}).allow);
}

TEST_F(TransitDecisionTest, NotBackToWhereItCameThrough) {
  for (const char* domain : {"beta.example", "delta.example"}) {
    event_.stored().set_path(1, domain);
    EXPECT_EQ(Export(*policy_).allow, std::string(domain) != "beta.example") << domain;
  }
  event_.stored().set_path(1, "beta.example");
  EXPECT_EQ(Export(*policy_).reason, Reason::kSplitHorizon);
}

TEST_F(TransitDecisionTest, NotWithoutStatements) {
  event_.stored().set_import_leaf("");
  EXPECT_EQ(Export(*policy_).reason, Reason::kAttestationUnproven);
  event_.stored().set_import_leaf("of delta, to us");
  event_.stored().mutable_statements()->RemoveLast();
  EXPECT_EQ(Export(*policy_).reason, Reason::kAttestationUnproven);
}

TEST_F(TransitDecisionTest, NoFurtherThanItsTermsAllow) {
  event_.stored().mutable_terms()->set_onward(0);
  EXPECT_EQ(Export(*policy_).reason, Reason::kTermsExceeded);
  event_.stored().clear_terms();
  EXPECT_EQ(Export(*policy_).reason, Reason::kTermsExceeded);
}

TEST_F(TransitDecisionTest, NotForEver) {
  while (event_.stored().path_size() < static_cast<int>(kMaxHops)) {
    event_.stored().add_path("gamma.example");
  }
  EXPECT_EQ(Export(*policy_).reason, Reason::kHopsExceeded);
}

// Rules that read the kind of an event, and more than that.
class InterestByKindTest : public testing::TestWithParam<int> {};

TEST_P(InterestByKindTest, SaysWhatWantsSays) {
  test::Random random(static_cast<uint64_t>(GetParam()));
  filter::EventContext context;
  int known = 0;
  for (int round = 0; round < 200; ++round) {
    std::string rules;
    for (size_t i = 0, n = random.Below(5); i < n; ++i) {
      absl::StrAppend(&rules, "rules { name: 'r", i, "' when: \"",
                      random.Pick({"SUBJECT_TYPE() = 'build'", "source = '/a'", "source LIKE '%b'",
                                   "PREDICATE() != 'finished'", "HOPS() = 1", "id = 'e1'",
                                   "CDEVENT('subject.id', '') = 's'", "team = 'red'", "TRUE"}),
                      "\" action: ", random.Pick({"ACTION_ALLOW", "ACTION_DENY"}), " }");
    }
    const CompiledInterest interest = CompiledInterest::Compile(
        BuildInterest(test::ParsePolicy(absl::StrCat("import { ", rules, " }")), 1));
    RuleMemo memo;
    for (int i = 0; i < 20; ++i) {
      test::PolicyEvent event(kData, random.Pick({"dev.cdevents.build.finished.0.3.0",
                                                  "dev.cdevents.build.started.0.3.0",
                                                  "dev.cdevents.change.merged.0.3.0"}));
      event.cloud_event().set_source(random.Pick({"/a", "/b"}));
      event.cloud_event().set_id(random.Pick({"e1", "e2"}));
      context.Reset(event.record());
      const std::optional<bool> by_kind = interest.WantsByKind(context);
      const bool wants = interest.Wants(context);
      ASSERT_EQ(by_kind.value_or(wants), wants) << rules;
      ASSERT_EQ(interest.WantsByKind(context, &memo), by_kind) << rules;
      ASSERT_EQ(interest.Wants(context, &memo), wants) << rules;
      known += by_kind.has_value() ? 1 : 0;
    }
  }
  EXPECT_GT(known, 1000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, InterestByKindTest, testing::Range(1, 4));

}  // namespace
}  // namespace cdgate::policy
