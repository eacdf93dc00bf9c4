// Says which types of events this gateway knows: EventsService.Describe.
//
//   DescribeApi describe(store, pool);
//   CDGATE_RETURN_IF_ERROR(describe.Register(router));
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// What is known of the types that `request.type` stands for. INVALID_ARGUMENT where it is
// longer than 1,024 bytes.
absl::StatusOr<events::v1::DescribeResponse> DescribeTypes(
    const events::v1::DescribeRequest& request);

// Thread-safe; outlives the router's server, and what it is given outlives both. Works on
// `pool`.
class DescribeApi {
 public:
  DescribeApi(const state::Store& store, base::Executor& pool) : store_(store), pool_(pool) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<events::v1::DescribeResponse> Describe(
      const events::v1::DescribeRequest& request) const;

  const state::Store& store_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
