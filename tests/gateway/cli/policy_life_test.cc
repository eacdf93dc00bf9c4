// The verbs of a policy's life, against a gateway that answers what the test tells it to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kPolicy[] =
    "kind: policy\n"
    "peer: beta.example\n"
    "export:\n"
    "  rules:\n"
    "    - {name: all, action: ALLOW, links: KEEP}\n";

std::string Hash(char c) { return std::string(32, c); }

admin::v1::Plan PlanOf(char c) {
  admin::v1::Plan plan;
  plan.set_hash(Hash(c));
  plan.set_kind("policy");
  plan.set_name("beta.example");
  plan.set_base_version(3);
  plan.set_author("spiffe://alpha.example/user/ann");
  plan.mutable_expire_time()->set_seconds(1767323045);
  plan.add_widens("export.rules[0] (all): allows what no ALLOW rule allowed before");
  plan.set_first_sequence(2);
  plan.set_last_sequence(40);
  plan.set_backfill(true);
  plan.mutable_newly()->set_events(2);
  auto& count = *plan.mutable_newly()->add_counts();
  count.set_type("dev.cdevents.build.finished.0.3.0");
  count.set_source("/alpha/ci");
  count.set_events(2);
  auto& sample = *plan.mutable_newly()->add_samples();
  sample.mutable_event()->set_sequence(7);
  sample.mutable_event()->set_id("e-7");
  sample.set_reason_before("no_rule");
  sample.set_rule_after("all@4");
  sample.set_reason_after("allowed_by_rule");
  sample.add_leaks("/customData/mail");
  plan.set_candidate(kPolicy);
  return plan;
}

class PolicyLifeTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, input);
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }
  std::string Write(const std::string& name, const std::string& content) {
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File(name), content));
    return dir_.File(name);
  }
  void AnswerApplied() {
    admin::v1::ApplyPolicyResponse answer;
    answer.mutable_version()->set_version(4);
    answer.mutable_version()->set_effective_sequence(101);
    answer.set_backfill_first(2);
    answer.set_backfill_last(40);
    gateway_.Answer("ApplyPolicy", answer);
  }
  void AnswerPolicy(uint64_t version, const std::string& source) {
    admin::v1::PolicyVersion answer;
    answer.set_version(version);
    answer.set_author("ann");
    answer.set_source(source);
    answer.mutable_policy()->set_peer("beta.example");
    gateway_.Answer("GetPolicy", answer);
  }

  FakeGateway gateway_;
  test::TempDir dir_;
};

TEST_F(PolicyLifeTest, PlanShowsWhatWouldChangeAndWhatComesNext) {
  gateway_.Answer("PlanPolicy", PlanOf('a'));
  const CliRun run = Run({"policy", "plan", "-", "--since", "12", "--backfill"}, kPolicy);
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/cli/testdata/policy_plan.txt", run.out));
  const auto request = Last<admin::v1::PlanPolicyRequest>("PlanPolicy");
  EXPECT_EQ(request.since().sequence(), 12u);
  EXPECT_TRUE(request.backfill());
  EXPECT_THAT(request.source(), HasSubstr("- {name: all"));
}

TEST_F(PolicyLifeTest, PlanNamesTheApproverAsNext) {
  admin::v1::Plan plan = PlanOf('a');
  plan.set_needs_approval(true);
  gateway_.Answer("PlanPolicy", plan);
  EXPECT_THAT(Run({"policy", "plan", "--peer", "beta.example", "--restore", "2"}).out,
              HasSubstr("another principal runs cdgate policy approve 6161"));
  const auto request = Last<admin::v1::PlanPolicyRequest>("PlanPolicy");
  EXPECT_EQ(request.restore_version(), 2u);
  EXPECT_EQ(request.peer(), "beta.example");
}

TEST_F(PolicyLifeTest, PlanWantsFilesOrAVersion) {
  EXPECT_EQ(Run({"policy", "plan"}).code, kExitUsage);
  EXPECT_EQ(Run({"policy", "plan", "--restore", "2"}).code, kExitUsage);
  EXPECT_EQ(Run({"policy", "plan", "-", "--peer", "x", "--restore", "2"}, kPolicy).code,
            kExitUsage);
  EXPECT_EQ(Run({"policy", "plan", "-", "--since", "yesterday"}, kPolicy).code, kExitUsage);
}

TEST_F(PolicyLifeTest, IdentitiesListsEveryEvent) {
  gateway_.Answer("PlanPolicy", PlanOf('a'));
  admin::v1::ListPlanEventsResponse events;
  events.add_events()->mutable_event()->set_id("one-of-all");
  gateway_.Answer("ListPlanEvents", events);
  EXPECT_THAT(Run({"policy", "plan", "-", "--identities"}, kPolicy).out, HasSubstr("one-of-all"));
  EXPECT_EQ(Last<admin::v1::ListPlanEventsRequest>("ListPlanEvents").hash(), Hash('a'));
}

TEST_F(PolicyLifeTest, PlansAreListedAndNamedByTheBeginningOfTheirHash) {
  admin::v1::ListPlansResponse all;
  *all.add_plans() = PlanOf('a');
  *all.add_plans() = PlanOf('b');
  all.mutable_plans(1)->set_approved_by("bob");
  gateway_.Answer("ListPlans", all);
  EXPECT_THAT(Run({"policy", "plans"}).out,
              AllOf(HasSubstr("6161616161616161"), HasSubstr("policy beta.example"),
                    HasSubstr("not needed"), HasSubstr("bob")));
  EXPECT_THAT(Run({"policy", "plans", "62626262"}).out, HasSubstr("name: all"));
  gateway_.Answer("ApprovePlan", PlanOf('b'));
  EXPECT_THAT(Run({"policy", "approve", "62626262"}).out,
              AllOf(HasSubstr("approved policy beta.example"), HasSubstr("--plan 6262")));
  EXPECT_EQ(Last<admin::v1::ApprovePlanRequest>("ApprovePlan").hash(), Hash('b'));
  EXPECT_EQ(Run({"policy", "approve", "626262"}).code, kExitUsage) << "too short";
  EXPECT_EQ(Run({"policy", "approve", "99999999"}).code, kExitNo);
  *all.add_plans() = PlanOf('b');
  gateway_.Answer("ListPlans", all);
  EXPECT_EQ(Run({"policy", "approve", "62626262"}).code, kExitUsage) << "several";
}

TEST_F(PolicyLifeTest, ApplyTakesAPlanAlone) {
  gateway_.Answer("GetPlan", PlanOf('a'));
  AnswerApplied();
  const CliRun run = Run({"policy", "apply", "--plan", base::HexEncode(Hash('a'))});
  EXPECT_EQ(run.out,
            "policy for beta.example version 4 decides from sequence 101\n"
            "past events are offered: sequences 2 to 40\n");
  const auto request = Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy");
  EXPECT_EQ(request.plan(), Hash('a'));
  EXPECT_FALSE(request.unplanned());
  EXPECT_FALSE(request.has_policy());
  EXPECT_EQ(Run({"policy", "apply"}).code, kExitUsage);
  EXPECT_EQ(Run({"policy", "apply", "-", "--backfill", "30d"}, kPolicy).code, kExitUsage);
}

TEST_F(PolicyLifeTest, ApplyUnplannedCanOfferPastEvents) {
  AnswerApplied();
  EXPECT_EQ(Run({"policy", "apply", "-", "--unplanned", "--backfill", "9"}, kPolicy).code,
            kExitDone);
  EXPECT_EQ(Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy").backfill().sequence(), 9u);
}

TEST_F(PolicyLifeTest, RollbackRestoresAVersion) {
  AnswerApplied();
  EXPECT_EQ(Run({"policy", "rollback", "beta.example", "2", "--unplanned"}).code, kExitDone);
  auto request = Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy");
  EXPECT_EQ(request.restore_version(), 2u);
  EXPECT_EQ(request.peer(), "beta.example");
  EXPECT_TRUE(request.unplanned());
  gateway_.Answer("GetPlan", PlanOf('a'));
  AnswerPolicy(2, "");
  EXPECT_EQ(
      Run({"policy", "rollback", "beta.example", "2", "--plan", base::HexEncode(Hash('a'))}).code,
      kExitDone);
  request = Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy");
  EXPECT_EQ(request.plan(), Hash('a'));
  EXPECT_EQ(request.policy().peer(), "beta.example");
}

TEST_F(PolicyLifeTest, DiffComparesWithAFileAndFailsWhereTheyDiffer) {
  AnswerPolicy(3, "kind: policy\npeer: beta.example\n");
  const CliRun run = Run({"policy", "diff", "beta.example", "--to", Write("b.yaml", kPolicy)});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.out, AllOf(HasSubstr("--- beta.example version 3 by ann\n"),
                             HasSubstr("+export:\n"), Not(HasSubstr("-peer"))));
  AnswerPolicy(3, kPolicy);
  const CliRun same = Run({"policy", "diff", "beta.example", "--to", dir_.File("b.yaml")});
  EXPECT_EQ(same.code, kExitDone);
  EXPECT_THAT(same.out, IsEmpty());
}

TEST_F(PolicyLifeTest, HistoryShowsPlansApproversAndWhatWasRestored) {
  admin::v1::ListPolicyVersionsResponse answer;
  auto& version = *answer.add_versions();
  version.mutable_policy()->set_peer("beta.example");
  version.set_version(4);
  version.set_plan(Hash('a'));
  version.set_approved_by("bob");
  version.set_restored_version(2);
  gateway_.Answer("ListPolicyVersions", answer);
  EXPECT_THAT(Run({"policy", "history", "beta.example"}).out,
              AllOf(HasSubstr("6161616161616161"), HasSubstr("bob"), HasSubstr("RESTORES")));
}

TEST_F(PolicyLifeTest, PseudonymsGetANewKey) {
  admin::v1::RotatePseudonymsResponse answer;
  answer.set_version(2);
  answer.set_effective_sequence(9);
  gateway_.Answer("RotatePseudonyms", answer);
  EXPECT_EQ(Run({"policy", "rotate-pseudonyms", "beta.example"}).out,
            "pseudonyms for beta.example have key 2 from sequence 9 on\n");
}

// --- apply -f

constexpr char kGrant[] =
    "kind: grant\nname: j\nprincipal: spiffe://a.example/service/j\n"
    "role: PUBLISHER\n";

TEST_F(PolicyLifeTest, ApplyChangesOnlyWhatDiffers) {
  admin::v1::ListGrantsResponse grants;
  auto& grant = *grants.add_grants();
  grant.set_name("j");
  grant.set_principal("spiffe://a.example/service/j");
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  gateway_.Answer("ListGrants", grants);
  AnswerPolicy(3, "kind: policy\npeer: beta.example\n");
  AnswerApplied();
  Write("a.yaml", kGrant);
  Write("b.yaml", kPolicy);
  const CliRun dry = Run({"apply", "-f", dir_.path(), "--dry-run"});
  EXPECT_EQ(dry.code, kExitNo) << dry.err;
  EXPECT_THAT(dry.out,
              AllOf(HasSubstr("grant j: unchanged\n"),
                    HasSubstr("policy beta.example: changed (dry run)\n"), HasSubstr("+export:")));
  EXPECT_TRUE(Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy").validate_only());

  const CliRun unsaid = Run({"apply", "-f", dir_.path()});
  EXPECT_EQ(unsaid.code, kExitNo);
  EXPECT_THAT(unsaid.err, HasSubstr("plan_required"));
  const CliRun run = Run({"apply", "-f", dir_.path(), "--unplanned"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_FALSE(Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy").validate_only());
  admin::v1::ApplyGrantRequest none;
  EXPECT_FALSE(gateway_.LastRequest("ApplyGrant", &none)) << "it is as it should be";
}

TEST_F(PolicyLifeTest, NothingIsAppliedWhereOneIsWrong) {
  gateway_.Answer("ListGrants", admin::v1::ListGrantsResponse());
  gateway_.Answer("ApplyGrant", admin::v1::Grant());
  gateway_.Fail("GetPolicy", base::MakeError(base::Reason::kNotFound, "none"));
  gateway_.Fail("ApplyPolicy", base::MakeError(base::Reason::kInvalidPolicy, "bad rule"));
  Write("a.yaml", kGrant);
  Write("b.yaml", kPolicy);
  const CliRun run = Run({"apply", "-f", dir_.path(), "--unplanned"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_THAT(run.err, HasSubstr("policy beta.example: bad rule"));
  EXPECT_TRUE(Last<admin::v1::ApplyGrantRequest>("ApplyGrant").validate_only());
  EXPECT_THAT(run.out, IsEmpty());
}

TEST_F(PolicyLifeTest, APolicyOfAFolderGoesByItsPlan) {
  gateway_.Answer("GetPlan", PlanOf('a'));
  AnswerPolicy(3, "");
  AnswerApplied();
  Write("b.yaml", kPolicy);
  const CliRun run = Run({"apply", "-f", dir_.path(), "--plan", base::HexEncode(Hash('a'))});
  EXPECT_EQ(run.out, "policy beta.example: changed\n") << run.err;
  EXPECT_EQ(Last<admin::v1::ApplyPolicyRequest>("ApplyPolicy").plan(), Hash('a'));
}

}  // namespace
}  // namespace cdgate::cli
