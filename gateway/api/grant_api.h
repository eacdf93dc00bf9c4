// Grants and subscriptions over gRPC.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server.
class GrantApi {
 public:
  GrantApi(state::Store& store, base::Executor& pool) : store_(store), pool_(pool) {}

  absl::Status Register(rpc::Router& router);

 private:
  void Apply(const rpc::Call& call, const admin::v1::ApplyGrantRequest& request,
             const rpc::Reply<admin::v1::Grant>& reply);
  void DeleteGrant(const rpc::Call& call, const admin::v1::DeleteGrantRequest& request,
                   const rpc::Reply<admin::v1::DeleteGrantResponse>& reply);
  absl::StatusOr<admin::v1::ListGrantsResponse> List(
      const admin::v1::ListGrantsRequest& request) const;
  absl::StatusOr<admin::v1::ListSubscriptionsResponse> ListSubscriptions(
      const admin::v1::ListSubscriptionsRequest& request) const;
  void DeleteSubscription(const rpc::Call& call,
                          const admin::v1::DeleteSubscriptionRequest& request,
                          const rpc::Reply<admin::v1::DeleteSubscriptionResponse>& reply);

  state::Store& store_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
