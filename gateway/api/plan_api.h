// Plans over gRPC: PlanPolicy, GetPlan, ListPlans, ListPlanEvents, ApprovePlan.
//
//   PlanApi plans({.run = {...}, .store = store, .book = book, .pool = pool, .runs = runs});
//   CDGATE_RETURN_IF_ERROR(plans.Register(router));
//
// A plan is on disk when it is answered. Errors: those of ReadCandidate and PlanBook;
// INVALID_ARGUMENT for a field; TRIMMED where retention removed what a plan's list had;
// OVERLOADED where too many runs wait.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/api/plan_book.h"
#include "gateway/api/plan_run.h"
#include "gateway/api/policy_candidate.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// What is referred to outlives the API.
struct PlanApiDeps {
  PlanRunDeps run;
  state::Store& store;
  const PlanBook& book;
  base::Executor& pool;  // for what is answered at once
  base::Executor& runs;  // for what looks through the log
};

// Thread-safe; outlives the router's server.
class PlanApi {
 public:
  explicit PlanApi(PlanApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Plan(const rpc::Call& call, const admin::v1::PlanPolicyRequest& request,
            const rpc::Reply<admin::v1::Plan>& reply);
  // The plan, not yet kept, with its lists in `answer`.
  absl::StatusOr<storage::v1::PlannedChange> Make(const std::string& author,
                                                  const admin::v1::PlanPolicyRequest& request,
                                                  admin::v1::Plan* answer) const;
  absl::StatusOr<admin::v1::Plan> Get(const rpc::Call& call,
                                      const admin::v1::GetPlanRequest& request) const;
  absl::StatusOr<admin::v1::ListPlansResponse> List(
      const authz::PeerScope& scope, const admin::v1::ListPlansRequest& request) const;
  absl::StatusOr<admin::v1::ListPlanEventsResponse> ListEvents(
      const rpc::Call& call, const admin::v1::ListPlanEventsRequest& request) const;
  void Approve(const rpc::Call& call, const admin::v1::ApprovePlanRequest& request,
               const rpc::Reply<admin::v1::Plan>& reply);

  // Runs the plan of a policy again.
  absl::Status RunAgain(const storage::v1::PlannedChange& change, const PlanRange& range,
                        const PlanRun::Visitor& visit) const;

  const PlanApiDeps deps_;
};

// The part of our log from `since` on that the agreement with `peer` covers and the log still
// has, to its head; without a peer none. (blocks) Errors of Store::SequenceAt.
absl::StatusOr<PlanRange> RangeSince(const state::Store& store, absl::string_view peer,
                                     const admin::v1::Since* since);

}  // namespace cdgate::api
