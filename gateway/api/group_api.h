// Groups over gRPC: ApplyGroup, DeleteGroup, ListGroups.
//
//   GroupApi groups("alpha.example", store, keeper, gate, clock, pool);
//   CDGATE_RETURN_IF_ERROR(groups.Register(router));
//
// A change is in force for every decision once it is answered: the group and the environment
// that follows from it are one commit, under the caller's name. What is refused leaves
// everything as it was: INVALID_ARGUMENT naming what is wrong, NOT_FOUND for a name, errors
// of EnvironmentKeeper::Apply; APPROVAL_REQUIRED where it gets members, or keeps them for
// longer, and a second person has to agree (widening_gate.h). validate_only checks everything
// and changes nothing. A group that is applied as it is makes no version.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/manager/environment_keeper.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Groups that a gateway may have.
inline constexpr size_t kMaxGroups = 1000;

// Thread-safe; outlives the router's server, and what it is given outlives both.
class GroupApi {
 public:
  // `domain`: ours.
  GroupApi(std::string domain, state::Store& store, manager::EnvironmentKeeper& keeper,
           const WideningGate& gate, const base::Clock& clock, base::Executor& pool)
      : domain_(std::move(domain)),
        store_(store),
        keeper_(keeper),
        gate_(gate),
        clock_(clock),
        pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Apply(const rpc::Call& call, const admin::v1::ApplyGroupRequest& request,
             const rpc::Reply<admin::v1::Group>& reply);
  void ApplyAdmitted(const admin::v1::Group& group, state::Proposal admitted,
                     const rpc::Reply<admin::v1::Group>& reply);
  void Delete(const rpc::Call& call, const admin::v1::DeleteGroupRequest& request,
              const rpc::Reply<admin::v1::DeleteGroupResponse>& reply);
  absl::StatusOr<admin::v1::ListGroupsResponse> List(
      const admin::v1::ListGroupsRequest& request) const;

  const std::string domain_;
  state::Store& store_;
  manager::EnvironmentKeeper& keeper_;
  const WideningGate& gate_;
  const base::Clock& clock_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
