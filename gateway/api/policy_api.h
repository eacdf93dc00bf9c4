// Policies over gRPC: CheckPolicy, ApplyPolicy, GetPolicy, ListPolicies, ListPolicyVersions.
//
//   PolicyApi policies(store, pool);
//   CDGATE_RETURN_IF_ERROR(policies.Register(router));
//
// A policy is in force once ApplyPolicy has answered, from effective_sequence of that answer
// on; every version stays readable, with its author and text. What is refused leaves the
// last good version in force: INVALID_POLICY naming the first fault by its path (CheckPolicy
// tells all of them), PLAN_REQUIRED where neither a plan nor unplanned is given,
// ETAG_MISMATCH where base_version is not in force any more. NOT_FOUND for a peer without a
// policy, or a version that never was.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// A version of a policy as the store has it. LOG_CORRUPT where it is not one.
absl::StatusOr<admin::v1::PolicyVersion> ToPolicyVersion(const state::StoredResource& resource);

// Thread-safe; outlives the router's server, and what it is given outlives both.
class PolicyApi {
 public:
  PolicyApi(state::Store& store, base::Executor& pool) : store_(store), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::CheckPolicyResponse> Check(
      const admin::v1::CheckPolicyRequest& request) const;
  void Apply(const rpc::Call& call, const admin::v1::ApplyPolicyRequest& request,
             const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply);
  absl::StatusOr<admin::v1::PolicyVersion> Get(const admin::v1::GetPolicyRequest& request) const;
  absl::StatusOr<admin::v1::ListPoliciesResponse> List(
      const admin::v1::ListPoliciesRequest& request) const;
  absl::StatusOr<admin::v1::ListPolicyVersionsResponse> ListVersions(
      const admin::v1::ListPolicyVersionsRequest& request) const;

  state::Store& store_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
