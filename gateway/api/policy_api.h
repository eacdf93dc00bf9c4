// Policies over gRPC: check, apply, read, list.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// A version of a policy as the store has it.
absl::StatusOr<admin::v1::PolicyVersion> ToPolicyVersion(const state::StoredResource& resource);

// Thread-safe; outlives the router's server.
class PolicyApi {
 public:
  PolicyApi(state::Store& store, base::Executor& pool) : store_(store), pool_(pool) {}

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
