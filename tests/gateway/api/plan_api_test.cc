// The life of a policy: planned, approved, applied, rolled back; and what else is held back
// until a second person agrees.
#include "gateway/api/plan_api.h"

#include <google/protobuf/text_format.h>

#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/api/admin_test.h"
#include "tests/gateway/state/published.h"

namespace cdgate::api {
namespace {

using admin::v1::ApplyPolicyRequest;
using admin::v1::ApplyPolicyResponse;
using admin::v1::PlanPolicyRequest;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kBeta[] = "beta.example";
constexpr char kNothing[] = "export { }";
constexpr char kOdd[] = R"(export { rules { name: 'odd' when: "id LIKE 'odd-%'"
    action: ACTION_ALLOW links: LINK_HANDLING_KEEP } })";
constexpr char kAll[] =
    "export { rules { name: 'all' action: ACTION_ALLOW links: LINK_HANDLING_KEEP } }";
constexpr char kOnward[] = R"(export { rules { name: 'odd' when: "id LIKE 'odd-%'"
    action: ACTION_ALLOW links: LINK_HANDLING_KEEP terms { onward: 1 } } })";

class PlanApiTest : public AdminTest {
 protected:
  explicit PlanApiTest(PlanSettings settings = {.domain = "alpha.example"})
      : AdminTest(std::move(settings)) {
    Store(state::kPeerKind, kBeta, PeerText("domain: 'beta.example' agreed_sequence: 2"));
    for (const char* id : {"before", "odd-1", "even-2", "odd-3", "even-4"}) Publish(id);
  }

  static std::string PeerText(const std::string& text) {
    admin::v1::Peer peer;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &peer));
    peer.set_state(admin::v1::PEER_STATE_APPROVED);
    return peer.SerializeAsString();
  }
  state::Outcome Propose(state::Proposal proposal) {
    const test::Answer<state::Outcome> answer;
    const auto take = answer.Taker();
    CDGATE_EXPECT_OK(alpha_.store().Propose(
        std::move(proposal), [take](state::Outcome outcome) { take(std::move(outcome)); }));
    return answer.Wait().value();
  }
  void Store(const std::string& kind, const std::string& name, const std::string& value) {
    state::Proposal proposal;
    proposal.resources.push_back({.kind = kind, .name = name, .value = value, .author = "test"});
    CDGATE_EXPECT_OK(Propose(std::move(proposal)).status);
  }
  void Publish(const std::string& id) {
    const std::string bytes =
        test::Published(id, R"({"customData":{"mail":"ann@alpha.example"}})", clock_.Now())
            .SerializeAsString();
    state::Proposal proposal;
    proposal.events.push_back(state::MakeNewEvent(
        bytes, alpha_.store().identities().Of("alpha.example", "/ci/builds", id)));
    CDGATE_EXPECT_OK(Propose(std::move(proposal)).status);
  }

  static admin::v1::Policy PolicyOf(const std::string& text) {
    admin::v1::Policy policy;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy));
    policy.set_peer(kBeta);
    return policy;
  }
  absl::StatusOr<admin::v1::Plan> Plan(const PlanPolicyRequest& request,
                                       const authz::Principal& who = Root()) {
    return Call<admin::v1::Plan>(who, "PlanPolicy", request);
  }
  absl::StatusOr<admin::v1::Plan> Plan(const std::string& text, bool backfill = false,
                                       const authz::Principal& who = Root()) {
    PlanPolicyRequest request;
    *request.mutable_policy() = PolicyOf(text);
    request.set_backfill(backfill);
    return Plan(request, who);
  }
  absl::StatusOr<ApplyPolicyResponse> Apply(const ApplyPolicyRequest& request,
                                            const authz::Principal& who = Root()) {
    return Call<ApplyPolicyResponse>(who, "ApplyPolicy", request);
  }
  absl::StatusOr<ApplyPolicyResponse> ApplyPlan(const std::string& hash,
                                                const authz::Principal& who = Root()) {
    ApplyPolicyRequest request;
    request.set_plan(hash);
    return Apply(request, who);
  }
  absl::StatusOr<ApplyPolicyResponse> ApplyUnplanned(const std::string& text) {
    ApplyPolicyRequest request;
    *request.mutable_policy() = PolicyOf(text);
    request.set_unplanned(true);
    return Apply(request);
  }
  absl::StatusOr<admin::v1::Plan> Approve(const std::string& hash, const authz::Principal& who) {
    admin::v1::ApprovePlanRequest request;
    request.set_hash(hash);
    return Call<admin::v1::Plan>(who, "ApprovePlan", request);
  }
  std::vector<std::string> EventsOf(const std::string& hash, admin::v1::PlanListKind list,
                                    int page = 1) {
    admin::v1::ListPlanEventsRequest request;
    request.set_hash(hash);
    request.set_list(list);
    request.set_page_size(page);
    std::vector<std::string> ids;
    do {
      const auto answer =
          Call<admin::v1::ListPlanEventsResponse>(Root(), "ListPlanEvents", request);
      if (!answer.ok()) return {answer.status().ToString()};
      for (const auto& event : answer->events()) ids.push_back(event.event().id());
      request.set_page_token(answer->next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }
  storage::v1::ReplayJobs Jobs() {
    const auto stored = alpha_.store().Resources()->Find(state::kReplayKind, kBeta);
    return stored == nullptr ? storage::v1::ReplayJobs()
                             : stored->As<storage::v1::ReplayJobs>().value();
  }
};

TEST_F(PlanApiTest, SaysWhatWouldNewlyCrossFromTheAgreementOn) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd, /*backfill=*/true));
  EXPECT_EQ(plan.hash().size(), 32u);
  EXPECT_EQ(plan.first_sequence(), 2u);
  EXPECT_EQ(plan.last_sequence(), 5u);
  EXPECT_EQ(plan.newly().events(), 2u);
  ASSERT_EQ(plan.newly().counts_size(), 1);
  EXPECT_EQ(plan.newly().counts(0).events(), 2u);
  ASSERT_EQ(plan.newly().samples_size(), 2);
  EXPECT_EQ(plan.newly().samples(0).event().id(), "odd-1");
  EXPECT_EQ(plan.newly().samples(0).reason_before(), "no_policy");
  EXPECT_EQ(plan.newly().samples(0).rule_after(), "odd@1");
  EXPECT_THAT(plan.newly().samples(0).leaks(), ElementsAre("/customData/mail"));
  EXPECT_EQ(plan.no_longer().events(), 0u);
  EXPECT_THAT(plan.widens(),
              ElementsAre(HasSubstr("export.rules[0] (odd)"), HasSubstr("2 past events")));
  EXPECT_FALSE(plan.needs_approval());
  EXPECT_THAT(EventsOf(plan.hash(), admin::v1::PLAN_LIST_KIND_NEWLY),
              ElementsAre("odd-1", "odd-3"));
}

TEST_F(PlanApiTest, SaysWhatWouldNoLongerCrossAndWhatWithMore) {
  CDGATE_ASSERT_OK(ApplyUnplanned(kOdd));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto narrower, Plan(kNothing));
  EXPECT_EQ(narrower.no_longer().events(), 2u);
  EXPECT_THAT(narrower.widens(), IsEmpty());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto wider, Plan(kOnward));
  EXPECT_EQ(wider.newly().events(), 0u);
  EXPECT_EQ(wider.more_content().events(), 2u);
}

TEST_F(PlanApiTest, TheHashIsOverWhatWouldHappen) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd));
  EXPECT_EQ(Plan(kOdd)->hash(), plan.hash());
  EXPECT_NE(Plan(kOdd, true)->hash(), plan.hash());
  EXPECT_NE(Plan(kAll)->hash(), plan.hash());
  PlanPolicyRequest later;
  *later.mutable_policy() = PolicyOf(kOdd);
  later.mutable_since()->set_sequence(4);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto part, Plan(later));
  EXPECT_NE(part.hash(), plan.hash());
  EXPECT_EQ(part.newly().events(), 1u);
  Publish("odd-5");
  EXPECT_NE(Plan(kOdd)->hash(), plan.hash());
}

TEST_F(PlanApiTest, IsAppliedByItsHashAndGone) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd, true));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto applied, ApplyPlan(plan.hash()));
  EXPECT_EQ(applied.version().version(), 1u);
  EXPECT_EQ(applied.version().plan(), plan.hash());
  EXPECT_FALSE(applied.version().unplanned());
  EXPECT_EQ(applied.backfill_first(), 2u);
  EXPECT_EQ(applied.backfill_last(), 5u);
  ASSERT_EQ(Jobs().jobs_size(), 1);
  EXPECT_EQ(Jobs().jobs(0).number(), 1u);
  EXPECT_EQ(Jobs().jobs(0).policy_version(), 1u);
  EXPECT_THAT(ApplyPlan(plan.hash()), HasReason(Reason::kPlanUnknown));
}

TEST_F(PlanApiTest, WithoutBackfillNothingPastIsOffered) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto applied, ApplyPlan(plan.hash()));
  EXPECT_EQ(applied.backfill_first(), 0u);
  EXPECT_EQ(Jobs().jobs_size(), 0);
}

TEST_F(PlanApiTest, IsForThePolicyThatWasPlanned) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd));
  ApplyPolicyRequest request;
  request.set_plan(plan.hash());
  *request.mutable_policy() = PolicyOf(kAll);
  EXPECT_THAT(Apply(request), HasReason(Reason::kInvalidArgument));
  *request.mutable_policy() = PolicyOf(kOdd);
  request.set_validate_only(true);
  CDGATE_EXPECT_OK(Apply(request));
  request.set_validate_only(false);
  CDGATE_EXPECT_OK(Apply(request));
  EXPECT_THAT(ApplyPlan("short"), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(ApplyPlan(std::string(32, 'x')), HasReason(Reason::kPlanUnknown));
}

TEST_F(PlanApiTest, IsStaleWhenWhatItIsBasedOnChanged) {
  CDGATE_ASSERT_OK_AND_ASSIGN(auto plan, Plan(kOdd));
  CDGATE_ASSERT_OK(ApplyUnplanned(kNothing));
  EXPECT_THAT(ApplyPlan(plan.hash()),
              HasReasonAndMessage(Reason::kPlanStale, HasSubstr("version 1 is in force")));
  EXPECT_THAT(EventsOf(plan.hash(), admin::v1::PLAN_LIST_KIND_NEWLY),
              ElementsAre(HasSubstr("stale")));

  CDGATE_ASSERT_OK_AND_ASSIGN(plan, Plan(kOdd));
  Grant(Ann(), admin::v1::ROLE_AUDITOR);
  EXPECT_THAT(ApplyPlan(plan.hash()), HasReasonAndMessage(Reason::kPlanStale, HasSubstr("grant")));

  CDGATE_ASSERT_OK_AND_ASSIGN(plan, Plan(kOdd));
  admin::v1::DeleteGrantRequest request;
  request.set_name(absl::StrCat("grant-", admin::v1::ROLE_AUDITOR));
  CDGATE_ASSERT_OK(Call<admin::v1::DeleteGrantResponse>(Root(), "DeleteGrant", request));
  EXPECT_THAT(ApplyPlan(plan.hash()), HasReason(Reason::kPlanStale));

  CDGATE_ASSERT_OK_AND_ASSIGN(plan, Plan(kOdd));
  Store(state::kEnvironmentKind, state::kEnvironmentName, "");
  EXPECT_THAT(ApplyPlan(plan.hash()), HasReasonAndMessage(Reason::kPlanStale, HasSubstr("groups")));

  CDGATE_ASSERT_OK_AND_ASSIGN(plan, Plan(kOdd));
  clock_.Advance(absl::Hours(24));
  EXPECT_THAT(ApplyPlan(plan.hash()), HasReasonAndMessage(Reason::kPlanStale, HasSubstr("time")));
  CDGATE_ASSERT_OK(RemoveStalePlans(alpha_.store(), book_));
  Publish("flush");
  EXPECT_THAT(alpha_.store().Resources()->List(state::kPlanKind), IsEmpty());
}

TEST_F(PlanApiTest, ListsWhatIsStillGoodNewestFirst) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, Plan(kOdd));
  clock_.Advance(absl::Seconds(1));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto second, Plan(kAll));
  admin::v1::ListPlansRequest request;
  request.set_page_size(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(auto page,
                              Call<admin::v1::ListPlansResponse>(Root(), "ListPlans", request));
  ASSERT_EQ(page.plans_size(), 1);
  EXPECT_EQ(page.plans(0).hash(), second.hash());
  EXPECT_EQ(page.plans(0).newly().events(), 4u);
  EXPECT_THAT(page.plans(0).candidate(), HasSubstr("name: all"));
  request.set_page_token(page.next_page_token());
  CDGATE_ASSERT_OK_AND_ASSIGN(page,
                              Call<admin::v1::ListPlansResponse>(Root(), "ListPlans", request));
  ASSERT_EQ(page.plans_size(), 1);
  EXPECT_EQ(page.plans(0).hash(), first.hash());
  EXPECT_EQ(page.next_page_token(), "");
  admin::v1::GetPlanRequest get;
  get.set_hash(first.hash());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto again, Call<admin::v1::Plan>(Root(), "GetPlan", get));
  EXPECT_EQ(again.newly().samples_size(), 2);
  CDGATE_ASSERT_OK(ApplyUnplanned(kNothing));
  request.clear_page_token();
  CDGATE_ASSERT_OK_AND_ASSIGN(page,
                              Call<admin::v1::ListPlansResponse>(Root(), "ListPlans", request));
  EXPECT_EQ(page.plans_size(), 0);
}

TEST_F(PlanApiTest, AnEarlierVersionIsRestored) {
  CDGATE_ASSERT_OK(ApplyUnplanned(kOdd));
  CDGATE_ASSERT_OK(ApplyUnplanned(kNothing));
  ApplyPolicyRequest request;
  request.set_unplanned(true);
  request.set_restore_version(1);
  request.set_peer(kBeta);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto restored, Apply(request));
  EXPECT_EQ(restored.version().version(), 3u);
  EXPECT_EQ(restored.version().restored_version(), 1u);
  EXPECT_EQ(restored.version().policy().export_().rules_size(), 1);
  request.set_restore_version(9);
  EXPECT_THAT(Apply(request), HasReason(Reason::kNotFound));

  PlanPolicyRequest plan;
  plan.set_restore_version(2);
  plan.set_peer(kBeta);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto planned, Plan(plan));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto back, ApplyPlan(planned.hash()));
  EXPECT_EQ(back.version().restored_version(), 2u);
}

TEST_F(PlanApiTest, UnplannedChangesCanOfferPastEventsToo) {
  ApplyPolicyRequest request;
  *request.mutable_policy() = PolicyOf(kOdd);
  request.set_unplanned(true);
  request.mutable_backfill()->set_sequence(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto applied, Apply(request));
  EXPECT_EQ(applied.backfill_first(), 2u) << "nothing from before the agreement";
  EXPECT_EQ(applied.backfill_last(), 5u);
  request.mutable_backfill()->set_sequence(4);
  CDGATE_ASSERT_OK(Apply(request));
  ASSERT_EQ(Jobs().jobs_size(), 2);
  EXPECT_EQ(Jobs().jobs(1).number(), 2u);
  EXPECT_EQ(Jobs().jobs(1).first_sequence(), 4u);
}

// --- where a second person has to agree

class ApprovalTest : public PlanApiTest {
 protected:
  ApprovalTest() : PlanApiTest({.domain = "alpha.example", .approve_widening = true}) {}

  static authz::Principal Bob() { return User("bob"); }
  static authz::Principal Cid() { return User("cid"); }
  // Bob approves; ann and cid write policies.
  void GivePeopleRoles() {
    Grant(Bob(), admin::v1::ROLE_POLICY_APPROVER);
    StoreGrant("ann", Ann(), admin::v1::ROLE_POLICY_AUTHOR);
    StoreGrant("cid", Cid(), admin::v1::ROLE_POLICY_AUTHOR);
    StoreGrant("bob-too", Bob(), admin::v1::ROLE_POLICY_AUTHOR);
  }
  void StoreGrant(const std::string& name, const authz::Principal& who, admin::v1::Role role) {
    admin::v1::Grant grant;
    grant.set_name(name);
    grant.set_principal(who.id);
    grant.set_role(role);
    Store(state::kGrantKind, name, grant.SerializeAsString());
  }
  static std::string PlanIn(const absl::Status& status) {
    for (const auto& [key, value] : base::MetadataOf(status)) {
      if (key == "plan") return base::HexDecode(value).value();
    }
    return "";
  }
};

TEST_F(ApprovalTest, WideningIsAppliedOnlyWhenSomebodyElseApproved) {
  GivePeopleRoles();
  EXPECT_THAT(ApplyUnplanned(kOdd),
              HasReasonAndMessage(Reason::kApprovalRequired, HasSubstr("cdgate policy plan")));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd, false, Ann()));
  EXPECT_TRUE(plan.needs_approval());
  const auto refused = ApplyPlan(plan.hash(), Ann());
  EXPECT_THAT(refused, HasReason(Reason::kApprovalRequired));
  EXPECT_EQ(PlanIn(refused.status()), plan.hash());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto approved, Approve(plan.hash(), Bob()));
  EXPECT_EQ(approved.approved_by(), Bob().id);
  EXPECT_THAT(ApplyPlan(plan.hash(), Bob()), HasReason(Reason::kApproverNotIndependent));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto applied, ApplyPlan(plan.hash(), Cid()));
  EXPECT_EQ(applied.version().approved_by(), Bob().id);
  EXPECT_EQ(applied.version().author(), Cid().id);
}

TEST_F(ApprovalTest, ItsAuthorCannotApproveIt) {
  GivePeopleRoles();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd, false, Bob()));
  EXPECT_THAT(Approve(plan.hash(), Bob()), HasReason(Reason::kApproverNotIndependent));
  EXPECT_THAT(Approve(plan.hash(), Ann()), HasReason(Reason::kNotGranted));
  EXPECT_THAT(Approve(std::string(32, 'x'), Bob()), HasReason(Reason::kPlanUnknown));
}

TEST_F(ApprovalTest, PlanningAgainTakesTheApprovalBack) {
  GivePeopleRoles();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto plan, Plan(kOdd, false, Ann()));
  CDGATE_ASSERT_OK(Approve(plan.hash(), Bob()));
  CDGATE_ASSERT_OK(Plan(kOdd, false, Bob()));
  EXPECT_THAT(ApplyPlan(plan.hash(), Ann()), HasReason(Reason::kApprovalRequired));
}

TEST_F(ApprovalTest, ANarrowingNeedsNobody) {
  Store(state::kPolicyKind, kBeta, PolicyOf(kAll).SerializeAsString());
  CDGATE_EXPECT_OK(ApplyUnplanned(kNothing));
}

TEST_F(ApprovalTest, PastEventsAreAWideningOfTheirOwn) {
  GivePeopleRoles();
  Store(state::kPolicyKind, kBeta, PolicyOf(kNothing).SerializeAsString());
  ApplyPolicyRequest request;
  *request.mutable_policy() = PolicyOf(kNothing);
  request.set_unplanned(true);
  request.mutable_backfill()->set_sequence(1);
  EXPECT_THAT(Apply(request), HasReason(Reason::kApprovalRequired));
}

TEST_F(ApprovalTest, WithoutAnApproverOnlyThatRoleCanBeGiven) {
  admin::v1::ApplyGrantRequest request;
  request.mutable_grant()->set_name("ann");
  request.mutable_grant()->set_principal(Ann().id);
  request.mutable_grant()->set_role(admin::v1::ROLE_POLICY_AUTHOR);
  EXPECT_THAT(Call<admin::v1::Grant>(Root(), "ApplyGrant", request),
              HasReasonAndMessage(Reason::kApprovalRequired, HasSubstr("policy_approver")));
  request.mutable_grant()->set_role(admin::v1::ROLE_AUDITOR);
  CDGATE_EXPECT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  request.mutable_grant()->set_role(admin::v1::ROLE_POLICY_APPROVER);
  CDGATE_EXPECT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  request.mutable_grant()->set_principal(Bob().id);
  EXPECT_THAT(Call<admin::v1::Grant>(Root(), "ApplyGrant", request),
              HasReason(Reason::kApprovalRequired));
}

TEST_F(ApprovalTest, AGrantWaitsAsAPlan) {
  GivePeopleRoles();
  admin::v1::ApplyGrantRequest request;
  request.mutable_grant()->set_name("olga");
  request.mutable_grant()->set_principal(User("olga").id);
  request.mutable_grant()->set_role(admin::v1::ROLE_OPERATOR);
  const auto held = Call<admin::v1::Grant>(Root(), "ApplyGrant", request);
  EXPECT_THAT(held, HasReason(Reason::kApprovalRequired));
  const std::string hash = PlanIn(held.status());
  ASSERT_EQ(hash.size(), 32u);
  EXPECT_EQ(PlanIn(Call<admin::v1::Grant>(Root(), "ApplyGrant", request).status()), hash);
  EXPECT_THAT(ApplyPlan(hash, Ann()), HasReason(Reason::kInvalidArgument));
  CDGATE_ASSERT_OK(Approve(hash, Bob()));
  CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  const auto stored = alpha_.store().Resources()->Find(state::kGrantKind, "olga");
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->approved_by, Bob().id);
  EXPECT_EQ(stored->plan, hash);
  EXPECT_THAT(Approve(hash, Bob()), HasReason(Reason::kPlanUnknown));
}

TEST_F(ApprovalTest, TheEndOfAFreezeWaitsAndTheFreezeDoesNot) {
  GivePeopleRoles();
  admin::v1::FreezePeerRequest freeze;
  freeze.set_domain(kBeta);
  CDGATE_ASSERT_OK(Call<admin::v1::Peer>(Root(), "FreezePeer", freeze));
  admin::v1::ResumePeerRequest resume;
  resume.set_domain(kBeta);
  const auto held = Call<admin::v1::Peer>(Root(), "ResumePeer", resume);
  EXPECT_THAT(held, HasReason(Reason::kApprovalRequired));
  CDGATE_ASSERT_OK(Approve(PlanIn(held.status()), Bob()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto peer, Call<admin::v1::Peer>(Root(), "ResumePeer", resume));
  EXPECT_FALSE(peer.frozen());
}

TEST_F(ApprovalTest, NewMembersOfAGroupWait) {
  GivePeopleRoles();
  admin::v1::ApplyGroupRequest request;
  request.mutable_group()->set_name("core");
  request.mutable_group()->add_members(kBeta);
  const auto held = Call<admin::v1::Group>(Root(), "ApplyGroup", request);
  EXPECT_THAT(held, HasReason(Reason::kApprovalRequired));
  Publish("the plan is on disk with it");
  CDGATE_ASSERT_OK(Approve(PlanIn(held.status()), Bob()));
  CDGATE_EXPECT_OK(Call<admin::v1::Group>(Root(), "ApplyGroup", request));
}

TEST_F(ApprovalTest, ANewAgreementWaits) {
  GivePeopleRoles();
  admin::v1::Peer pending;
  pending.set_domain("gamma.example");
  pending.set_bundle_pem(beta_.ca().bundle_pem());
  pending.set_state(admin::v1::PEER_STATE_PENDING);
  Store(state::kPeerKind, "gamma.example", pending.SerializeAsString());
  admin::v1::ApprovePeerRequest request;
  request.set_domain("gamma.example");
  const auto held = Call<admin::v1::Peer>(Root(), "ApprovePeer", request);
  EXPECT_THAT(held, HasReason(Reason::kApprovalRequired));
  Publish("the plan is on disk with it");
  CDGATE_ASSERT_OK(Approve(PlanIn(held.status()), Bob()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto peer,
                              Call<admin::v1::Peer>(Root(), "ApprovePeer", request));
  EXPECT_EQ(peer.state(), admin::v1::PEER_STATE_APPROVED);
}

}  // namespace
}  // namespace cdgate::api
