// Policies over gRPC: CheckPolicy, ApplyPolicy, GetPolicy, ListPolicies, ListPolicyVersions.
//
//   PolicyApi policies(store, book, pool);
//   CDGATE_RETURN_IF_ERROR(policies.Register(router));
//
// A policy is in force once ApplyPolicy has answered, from effective_sequence of that answer
// on; every version stays readable, with its author and text. It is applied by the hash of its
// plan, or unplanned, which is recorded. Past events that are offered with it (backfill) become
// a replay job in the same commit, and a plan that was used is gone with it.
//
// What is refused leaves the last good version in force: INVALID_POLICY naming the first fault
// by its path (CheckPolicy tells all of them), PLAN_REQUIRED where neither a plan nor unplanned
// is given, PLAN_UNKNOWN, PLAN_STALE, ETAG_MISMATCH where base_version is not in force any
// more; where the domain has widening changes approved, APPROVAL_REQUIRED and
// APPROVER_NOT_INDEPENDENT. NOT_FOUND for a peer without a policy, or a version that never was.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/api/plan_book.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// A version of a policy as the store has it. LOG_CORRUPT where it is not one.
absl::StatusOr<admin::v1::PolicyVersion> ToPolicyVersion(const state::StoredResource& resource);

// Thread-safe; outlives the router's server, and what it is given outlives both.
class PolicyApi {
 public:
  PolicyApi(state::Store& store, const PlanBook& book, base::Executor& pool)
      : store_(store), book_(book), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  // What ApplyPolicy will do.
  struct Change {
    state::Proposal proposal = {};  // the policy's edit first
    std::string peer = {};
    // All but the version.
    std::shared_ptr<admin::v1::ApplyPolicyResponse> response = nullptr;
    bool planned = false;
  };

  absl::StatusOr<admin::v1::CheckPolicyResponse> Check(
      const admin::v1::CheckPolicyRequest& request) const;
  void Apply(const rpc::Call& call, const admin::v1::ApplyPolicyRequest& request,
             const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply);
  absl::StatusOr<Change> PlannedChange(const std::string& author,
                                       const admin::v1::ApplyPolicyRequest& request) const;
  absl::StatusOr<Change> UnplannedChange(const std::string& author,
                                         const admin::v1::ApplyPolicyRequest& request) const;
  void Propose(Change change, const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply);
  absl::StatusOr<admin::v1::PolicyVersion> Get(const admin::v1::GetPolicyRequest& request) const;
  absl::StatusOr<admin::v1::ListPoliciesResponse> List(
      const authz::PeerScope& scope, const admin::v1::ListPoliciesRequest& request) const;
  absl::StatusOr<admin::v1::ListPolicyVersionsResponse> ListVersions(
      const admin::v1::ListPolicyVersionsRequest& request) const;

  state::Store& store_;
  const PlanBook& book_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
