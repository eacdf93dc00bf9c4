// Grants over gRPC: ApplyGrant, DeleteGrant, ListGrants.
//
//   GrantApi grants(store, gate, pool);
//   CDGATE_RETURN_IF_ERROR(grants.Register(router));
//
// What changes is on disk, under the caller's name, when it is answered; what is refused
// leaves everything as it was. INVALID_ARGUMENT and INVALID_FILTER naming what is wrong with
// a grant, APPROVAL_REQUIRED where it widens what crosses and a second person has to agree
// (widening_gate.h), ETAG_MISMATCH where somebody else changed it just now, NOT_FOUND for a
// name, errors of Store::Propose. validate_only checks and changes nothing.
#pragma once

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both.
class GrantApi {
 public:
  // `applied` is called once a change is on disk, before it is answered.
  GrantApi(state::Store& store, const WideningGate& gate, base::Executor& pool,
           std::function<void()> applied = nullptr)
      : store_(store), gate_(gate), pool_(pool), applied_(std::move(applied)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Apply(const rpc::Call& call, const admin::v1::ApplyGrantRequest& request,
             const rpc::Reply<admin::v1::Grant>& reply);
  void DeleteGrant(const rpc::Call& call, const admin::v1::DeleteGrantRequest& request,
                   const rpc::Reply<admin::v1::DeleteGrantResponse>& reply);
  absl::StatusOr<admin::v1::ListGrantsResponse> List(
      const admin::v1::ListGrantsRequest& request) const;

  state::Store& store_;
  const WideningGate& gate_;
  base::Executor& pool_;
  const std::function<void()> applied_;
};

}  // namespace cdgate::api
