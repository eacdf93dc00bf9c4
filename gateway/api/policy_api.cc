#include "gateway/api/policy_api.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api/paging.h"
#include "gateway/api/plan_api.h"
#include "gateway/api/policy_candidate.h"
#include "gateway/api/policy_replay.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kCheck[] = "/cdgate.admin.v1.AdminService/CheckPolicy";
constexpr char kApply[] = "/cdgate.admin.v1.AdminService/ApplyPolicy";
constexpr char kGet[] = "/cdgate.admin.v1.AdminService/GetPolicy";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListPolicies";
constexpr char kListVersions[] = "/cdgate.admin.v1.AdminService/ListPolicyVersions";

absl::Status CheckRequest(const admin::v1::ApplyPolicyRequest& request) {
  using base::MakeError;
  using base::Reason;
  const bool planned = !request.plan().empty();
  if (planned &&
      (request.unplanned() || request.has_backfill() || request.restore_version() != 0)) {
    return MakeError(Reason::kInvalidArgument,
                     "a plan says for itself what is applied; leave out unplanned, backfill and "
                     "restore_version",
                     {{"field", "plan"}});
  }
  if (planned || request.unplanned() || request.validate_only()) return absl::OkStatus();
  return MakeError(Reason::kPlanRequired,
                   "a policy is applied with the hash of its plan, or with --unplanned");
}

// The edit of the policy and what is to be answered, from what both ways have.
state::ResourceEdit EditOf(const std::string& author, const PolicyCandidate& candidate) {
  state::ResourceEdit edit;
  edit.kind = state::kPolicyKind;
  edit.name = candidate.policy.peer();
  edit.value = candidate.policy.SerializeAsString();
  // What was compared with what is in force must not meet another version.
  edit.expected_version = candidate.base_version;
  edit.author = author;
  edit.source = candidate.source;
  edit.restored_version = candidate.restored_version;
  return edit;
}

// The policy, the plan or the replay jobs changed between the look and the commit.
absl::Status AsStale(const absl::Status& status) {
  const auto reason = base::ReasonOf(status);
  if (reason != base::Reason::kEtagMismatch && reason != base::Reason::kAlreadyExists &&
      reason != base::Reason::kNotFound) {
    return status;
  }
  return base::MakeError(base::Reason::kPlanStale,
                         absl::StrCat("the plan was overtaken: ", status.message()));
}

absl::Status WidensUnplanned(const PolicyCandidate& candidate, absl::string_view why) {
  return base::MakeError(
      base::Reason::kApprovalRequired,
      absl::StrCat("the policy for ", candidate.policy.peer(), " widens what crosses (", why,
                   "), which is approved by a second person here; make a plan with cdgate policy "
                   "plan, have it approved, and apply it by its hash"),
      {{"kind", "policy"}, {"name", candidate.policy.peer()}});
}

}  // namespace

absl::StatusOr<admin::v1::PolicyVersion> ToPolicyVersion(const state::StoredResource& resource) {
  admin::v1::PolicyVersion out;
  CDGATE_ASSIGN_OR_RETURN(*out.mutable_policy(), resource.As<admin::v1::Policy>());
  out.set_version(resource.version);
  out.set_base_version(resource.base_version);
  out.set_author(resource.author);
  *out.mutable_apply_time() = ToProto(resource.commit_time);
  out.set_effective_sequence(resource.effective_sequence.value());
  out.set_unplanned(resource.unplanned);
  out.set_source(resource.source);
  out.set_plan(resource.plan);
  out.set_approved_by(resource.approved_by);
  out.set_restored_version(resource.restored_version);
  return out;
}

absl::Status PolicyApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<CheckPolicyRequest, CheckPolicyResponse>(
      kCheck, pool_, [this](const rpc::Call&, const auto& request) { return Check(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApplyPolicyRequest, ApplyPolicyResponse>(
      kApply, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Apply(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetPolicyRequest, PolicyVersion>(
      kGet, pool_, [this](const rpc::Call&, const auto& request) { return Get(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListPoliciesRequest, ListPoliciesResponse>(
      kList, pool_,
      [this](const rpc::Call& call, const auto& request) { return List(call.peers, request); })));
  return router.Register(OnPool<ListPolicyVersionsRequest, ListPolicyVersionsResponse>(
      kListVersions, pool_,
      [this](const rpc::Call&, const auto& request) { return ListVersions(request); }));
}

absl::StatusOr<admin::v1::CheckPolicyResponse> PolicyApi::Check(
    const admin::v1::CheckPolicyRequest& request) const {
  const auto findings = FindingsOf(request.policy(), *store_.Resources(), book_.context());
  admin::v1::CheckPolicyResponse response;
  response.set_valid(FirstError(findings).ok());
  AddFindings(findings, &response);
  return response;
}

void PolicyApi::Apply(const rpc::Call& call, const admin::v1::ApplyPolicyRequest& request,
                      const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return reply(status);
  auto change = request.plan().empty() ? UnplannedChange(call.principal.id, request)
                                       : PlannedChange(call.principal.id, request);
  if (!change.ok()) return reply(change.status());
  if (absl::Status may = call.MayReach(change->peer); !may.ok()) return reply(may);
  if (request.validate_only()) return reply(*change->response);
  Propose(*std::move(change), reply);
}

absl::StatusOr<PolicyApi::Change> PolicyApi::PlannedChange(
    const std::string& author, const admin::v1::ApplyPolicyRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const StoredPlan plan, book_.FindFresh(request.plan()));
  const storage::v1::PlannedChange& planned = plan.change;
  if (planned.kind() != state::kPolicyKind ||
      (request.has_policy() && DeterministicBytes(request.policy()) != planned.candidate())) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("the plan is for another change, of the ", planned.kind(),
                                        " ", planned.name(), "; leave the policy out, or plan it"),
                           {{"field", "policy"}});
  }
  CDGATE_RETURN_IF_ERROR(book_.CheckApproved(plan, author));
  admin::v1::Policy policy;
  policy.ParseFromString(planned.candidate());
  const std::string none;
  CDGATE_ASSIGN_OR_RETURN(
      PolicyCandidate candidate,
      ReadCandidate(store_, {policy, planned.source(), request.base_version(), 0, none},
                    book_.context()));
  candidate.base_version = planned.base_version();
  candidate.restored_version = planned.restored_version();
  Change change{.peer = policy.peer(),
                .response = std::make_shared<admin::v1::ApplyPolicyResponse>(),
                .planned = true};
  *change.response->mutable_widens() = planned.widens();
  AddFindings(candidate.findings, change.response.get());
  change.proposal.resources.push_back(EditOf(author, candidate));
  PlanBook::Use(plan, author, &change.proposal);
  if (planned.backfill()) {
    const PlanRange range{base::Sequence(planned.first_sequence()),
                          base::Sequence(planned.last_sequence())};
    CDGATE_RETURN_IF_ERROR(
        AddReplay(store_, author, candidate, range, &change.proposal, change.response.get()));
  }
  return change;
}

absl::StatusOr<PolicyApi::Change> PolicyApi::UnplannedChange(
    const std::string& author, const admin::v1::ApplyPolicyRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const PolicyCandidate candidate,
                          ReadCandidate(store_, CandidateOf(request), book_.context()));
  // A check without either says what it finds; how it will be applied is seen then.
  const bool gated = book_.settings().approve_widening && request.unplanned();
  if (gated && !candidate.widens.empty()) {
    return WidensUnplanned(candidate, candidate.widens.front());
  }
  if (gated && request.has_backfill()) {
    return WidensUnplanned(candidate, "past events are offered");
  }
  Change change{.peer = candidate.policy.peer(),
                .response = std::make_shared<admin::v1::ApplyPolicyResponse>()};
  *change.response->mutable_widens() = {candidate.widens.begin(), candidate.widens.end()};
  AddFindings(candidate.findings, change.response.get());
  change.proposal.resources.push_back(EditOf(author, candidate));
  change.proposal.resources.back().unplanned = true;
  if (request.has_backfill()) {
    CDGATE_ASSIGN_OR_RETURN(const PlanRange range,
                            RangeSince(store_, change.peer, &request.backfill()));
    CDGATE_RETURN_IF_ERROR(
        AddReplay(store_, author, candidate, range, &change.proposal, change.response.get()));
  }
  return change;
}

void PolicyApi::Propose(Change change, const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply) {
  const auto done = [this, reply, response = change.response, peer = change.peer,
                     planned = change.planned](const state::Outcome& outcome) {
    if (!outcome.status.ok()) return reply(planned ? AsStale(outcome.status) : outcome.status);
    const auto applied = FindPolicy(store_, peer, outcome.versions.front());
    if (!applied.ok()) return reply(applied.status());
    auto version = ToPolicyVersion(**applied);
    if (!version.ok()) return reply(version.status());
    *response->mutable_version() = *std::move(version);
    reply(*response);
  };
  const absl::Status queued = store_.Propose(std::move(change.proposal), done);
  if (!queued.ok()) reply(queued);
}

absl::StatusOr<admin::v1::PolicyVersion> PolicyApi::Get(
    const admin::v1::GetPolicyRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const state::ResourcePtr found,
                          FindPolicy(store_, request.peer(), request.version()));
  return ToPolicyVersion(*found);
}

absl::StatusOr<admin::v1::ListPoliciesResponse> PolicyApi::List(
    const authz::PeerScope& scope, const admin::v1::ListPoliciesRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListPoliciesResponse response;
  const auto page = store_.Resources()->List(state::kPolicyKind, after, size);
  for (const auto& resource : page) {
    if (!scope.Covers(resource->name)) continue;
    CDGATE_ASSIGN_OR_RETURN(*response.add_policies(), ToPolicyVersion(*resource));
  }
  if (page.size() == size) response.set_next_page_token(MakePageToken(kList, page.back()->name));
  return response;
}

absl::StatusOr<admin::v1::ListPolicyVersionsResponse> PolicyApi::ListVersions(
    const admin::v1::ListPolicyVersionsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const auto history, store_.History(state::kPolicyKind, request.peer()));
  if (history.empty()) return FindPolicy(store_, request.peer(), 0).status();
  admin::v1::ListPolicyVersionsResponse response;
  for (const state::ResourcePtr& version : history) {
    if (version->deleted) continue;
    CDGATE_ASSIGN_OR_RETURN(*response.add_versions(), ToPolicyVersion(*version));
  }
  return response;
}

}  // namespace cdgate::api
