#include "gateway/api/plan_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/paging.h"
#include "gateway/api/plan_summary.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kPlan[] = "/cdgate.admin.v1.AdminService/PlanPolicy";
constexpr char kGet[] = "/cdgate.admin.v1.AdminService/GetPlan";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListPlans";
constexpr char kListEvents[] = "/cdgate.admin.v1.AdminService/ListPlanEvents";
constexpr char kApprove[] = "/cdgate.admin.v1.AdminService/ApprovePlan";

absl::StatusOr<admin::v1::Peer> PeerNamed(const state::Store& store, absl::string_view domain) {
  const state::ResourcePtr found = store.Resources()->Find(state::kPeerKind, domain);
  if (found != nullptr) return found->As<admin::v1::Peer>();
  admin::v1::Peer none;
  none.set_domain(std::string(domain));
  return none;
}

PlanRange RangeOf(const storage::v1::PlannedChange& change) {
  return {base::Sequence(change.first_sequence()), base::Sequence(change.last_sequence())};
}

// The peer that a plan is about; empty for what concerns the gateway as a whole.
std::string PeerOf(const storage::v1::PlannedChange& change) {
  return change.kind() == state::kPolicyKind || change.kind() == state::kPeerKind ? change.name()
                                                                                  : "";
}

storage::v1::PlannedChange ChangeTo(const PolicyCandidate& candidate, bool backfill) {
  storage::v1::PlannedChange change;
  change.set_kind(state::kPolicyKind);
  change.set_name(candidate.policy.peer());
  change.set_candidate(DeterministicBytes(candidate.policy));
  change.set_source(candidate.source);
  change.set_restored_version(candidate.restored_version);
  change.set_backfill(backfill);
  *change.mutable_widens() = {candidate.widens.begin(), candidate.widens.end()};
  return change;
}

// What the run came to. Past events that are offered let more cross, however narrow the policy.
void AddRun(const PlanRange& range, PlanSummary* summary, storage::v1::PlannedChange* change) {
  change->set_first_sequence(range.first.value());
  change->set_last_sequence(range.last.value());
  change->set_newly(summary->events(admin::v1::PLAN_LIST_KIND_NEWLY));
  change->set_no_longer(summary->events(admin::v1::PLAN_LIST_KIND_NO_LONGER));
  change->set_more_content(summary->events(admin::v1::PLAN_LIST_KIND_MORE_CONTENT));
  change->set_identities_digest(summary->IdentitiesDigest());
  if (!change->backfill() || change->newly() == 0) return;
  change->add_widens(absl::StrCat("backfill: ", change->newly(), " past events are offered"));
}

}  // namespace

absl::StatusOr<PlanRange> RangeSince(const state::Store& store, absl::string_view peer,
                                     const admin::v1::Since* since) {
  PlanRange range{base::Sequence(1), base::Sequence(0)};
  if (store.Resources()->Find(state::kPeerKind, peer) == nullptr) return range;
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer agreement, PeerNamed(store, peer));
  range.last = store.head().sequence;
  range.first = std::max(
      {base::Sequence(agreement.agreed_sequence()), store.first().sequence, base::Sequence(1)});
  if (since == nullptr) return range;
  if (since->has_time()) {
    CDGATE_ASSIGN_OR_RETURN(const base::Sequence from, store.SequenceAt(FromProto(since->time())));
    range.first = std::max(range.first, from);
  } else {
    range.first = std::max(range.first, base::Sequence(since->sequence()));
  }
  return range;
}

absl::Status PlanApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<PlanPolicyRequest, admin::v1::Plan>(
      kPlan, deps_.runs, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Plan(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetPlanRequest, admin::v1::Plan>(
      kGet, deps_.runs,
      [this](const rpc::Call& call, const auto& request) { return Get(call, request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListPlansRequest, ListPlansResponse>(
      kList, deps_.pool,
      [this](const rpc::Call& call, const auto& request) { return List(call.peers, request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListPlanEventsRequest, ListPlanEventsResponse>(
      kListEvents, deps_.runs,
      [this](const rpc::Call& call, const auto& request) { return ListEvents(call, request); })));
  return router.Register(OnPoolAsync<ApprovePlanRequest, admin::v1::Plan>(
      kApprove, deps_.pool, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Approve(call, request, reply);
      }));
}

absl::StatusOr<storage::v1::PlannedChange> PlanApi::Make(
    const std::string& author, const admin::v1::PlanPolicyRequest& request,
    admin::v1::Plan* answer) const {
  CDGATE_ASSIGN_OR_RETURN(const PolicyCandidate candidate,
                          ReadCandidate(deps_.store, CandidateOf(request), deps_.book.context()));
  storage::v1::PlannedChange change = ChangeTo(candidate, request.backfill());
  // What it is based on is noted before anything is decided by it.
  deps_.book.Date(author, &change);
  if (change.base_version() != candidate.base_version) {
    return base::MakeError(base::Reason::kEtagMismatch,
                           absl::StrCat("the policy for ", change.name(),
                                        " has changed meanwhile; make the plan again"));
  }
  CDGATE_ASSIGN_OR_RETURN(
      const PlanRange range,
      RangeSince(deps_.store, change.name(), request.has_since() ? &request.since() : nullptr));
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer peer, PeerNamed(deps_.store, change.name()));
  PlanSummary summary;
  PlanRun run(deps_.run, peer, candidate.compiled, request.backfill());
  CDGATE_RETURN_IF_ERROR(run.Over(range, [&](const Difference& difference) {
    summary.Add(difference);
    return true;
  }));
  AddRun(range, &summary, &change);
  *answer = deps_.book.Describe({.hash = HashOf(change), .change = change});
  summary.Describe(answer);
  AddFindings(candidate.findings, answer);
  return change;
}

void PlanApi::Plan(const rpc::Call& call, const admin::v1::PlanPolicyRequest& request,
                   const rpc::Reply<admin::v1::Plan>& reply) {
  admin::v1::Plan answer;
  const auto change = Make(call.principal.id, request, &answer);
  if (!change.ok()) return reply(change.status());
  state::Proposal proposal;
  proposal.resources.push_back(deps_.book.Entry(*change));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [reply, answer](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(answer);
      });
  if (!queued.ok()) reply(queued);
}

absl::Status PlanApi::RunAgain(const storage::v1::PlannedChange& change, const PlanRange& range,
                               const PlanRun::Visitor& visit) const {
  admin::v1::Policy policy;
  if (!policy.ParseFromString(change.candidate())) {
    return base::MakeError(base::Reason::kLogCorrupt, "the plan's candidate is no policy");
  }
  const std::string none;
  CDGATE_ASSIGN_OR_RETURN(
      const PolicyCandidate candidate,
      ReadCandidate(deps_.store, {policy, none, 0, 0, none}, deps_.book.context()));
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer peer, PeerNamed(deps_.store, change.name()));
  CDGATE_RETURN_IF_ERROR(
      PlanRun(deps_.run, peer, candidate.compiled, change.backfill()).Over(range, visit));
  // What changed meanwhile may have decided a part of it.
  return deps_.book.CheckFresh(change);
}

absl::StatusOr<admin::v1::Plan> PlanApi::Get(const rpc::Call& call,
                                             const admin::v1::GetPlanRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const StoredPlan plan, deps_.book.Find(request.hash()));
  CDGATE_RETURN_IF_ERROR(call.MayReach(PeerOf(plan.change)));
  admin::v1::Plan answer = deps_.book.Describe(plan);
  if (answer.stale() || plan.change.kind() != state::kPolicyKind) return answer;
  PlanSummary summary;
  const absl::Status again = RunAgain(plan.change, RangeOf(plan.change), [&](const Difference& d) {
    summary.Add(d);
    return true;
  });
  // The totals stay where the events are no longer there to be counted.
  if (again.ok()) summary.Describe(&answer);
  return answer;
}

absl::StatusOr<admin::v1::ListPlansResponse> PlanApi::List(
    const authz::PeerScope& scope, const admin::v1::ListPlansRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string last, ReadPageToken(kList, request.page_token()));
  size_t skip = 0;
  if (!last.empty() && !absl::SimpleAtoi(last, &skip)) skip = 0;
  CDGATE_ASSIGN_OR_RETURN(std::vector<StoredPlan> plans, deps_.book.List("", SIZE_MAX));
  plans.erase(std::remove_if(plans.begin(), plans.end(),
                             [this, &scope](const StoredPlan& plan) {
                               return !scope.Covers(PeerOf(plan.change)) ||
                                      !deps_.book.CheckFresh(plan.change).ok();
                             }),
              plans.end());
  std::sort(plans.begin(), plans.end(), [](const StoredPlan& a, const StoredPlan& b) {
    return std::make_pair(b.change.create_time_nanos(), b.hash) <
           std::make_pair(a.change.create_time_nanos(), a.hash);
  });
  admin::v1::ListPlansResponse response;
  const size_t end = std::min(plans.size(), skip + size);
  for (size_t i = std::min(skip, plans.size()); i < end; ++i) {
    *response.add_plans() = deps_.book.Describe(plans[i]);
  }
  if (end < plans.size()) response.set_next_page_token(MakePageToken(kList, absl::StrCat(end)));
  return response;
}

absl::StatusOr<admin::v1::ListPlanEventsResponse> PlanApi::ListEvents(
    const rpc::Call& call, const admin::v1::ListPlanEventsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  if (request.list() < admin::v1::PLAN_LIST_KIND_NEWLY ||
      request.list() > admin::v1::PLAN_LIST_KIND_MORE_CONTENT) {
    return base::MakeError(base::Reason::kInvalidArgument, "list: say which of the three lists",
                           {{"field", "list"}});
  }
  CDGATE_ASSIGN_OR_RETURN(const StoredPlan plan, deps_.book.FindFresh(request.hash()));
  CDGATE_RETURN_IF_ERROR(call.MayReach(PeerOf(plan.change)));
  if (plan.change.kind() != state::kPolicyKind) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("the plan of a ", plan.change.kind(), " has no events"));
  }
  const std::string arguments =
      absl::StrCat(kListEvents, " ", base::HexEncode(plan.hash), " ", request.list());
  CDGATE_ASSIGN_OR_RETURN(const std::string last, ReadPageToken(arguments, request.page_token()));
  PlanRange range = RangeOf(plan.change);
  uint64_t after = 0;
  if (!last.empty() && absl::SimpleAtoi(last, &after)) range.first = base::Sequence(after + 1);
  admin::v1::ListPlanEventsResponse response;
  CDGATE_RETURN_IF_ERROR(RunAgain(plan.change, range, [&](const Difference& difference) {
    if (difference.list == request.list()) *response.add_events() = difference.ToProto(true);
    return static_cast<size_t>(response.events_size()) < size;
  }));
  if (static_cast<size_t>(response.events_size()) == size) {
    const uint64_t end = response.events(response.events_size() - 1).event().sequence();
    response.set_next_page_token(MakePageToken(arguments, absl::StrCat(end)));
  }
  return response;
}

void PlanApi::Approve(const rpc::Call& call, const admin::v1::ApprovePlanRequest& request,
                      const rpc::Reply<admin::v1::Plan>& reply) {
  const auto plan = deps_.book.FindFresh(request.hash());
  if (!plan.ok()) return reply(plan.status());
  if (absl::Status may = call.MayReach(PeerOf(plan->change)); !may.ok()) return reply(may);
  if (absl::Status may = PlanBook::CheckApprover(*plan, call.principal.id); !may.ok()) {
    return reply(may);
  }
  state::Proposal proposal;
  proposal.resources.push_back(deps_.book.Approval(*plan, call.principal.id));
  const std::string hash = plan->hash;
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [this, reply, hash](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        const auto approved = deps_.book.Find(hash);
        if (!approved.ok()) return reply(approved.status());
        reply(deps_.book.Describe(*approved));
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api
