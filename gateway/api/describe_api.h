// Says which types of events this gateway knows: EventsService.Describe.
//
//   DescribeApi describe(pool);
//   CDGATE_RETURN_IF_ERROR(describe.Register(router));
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"

namespace cdgate::api {

// What is known of the types that `request.type` stands for. INVALID_ARGUMENT where it is
// longer than 1,024 bytes.
absl::StatusOr<events::v1::DescribeResponse> DescribeTypes(
    const events::v1::DescribeRequest& request);

// Thread-safe; outlives the router's server. Works on `pool`.
class DescribeApi {
 public:
  explicit DescribeApi(base::Executor& pool) : pool_(pool) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  base::Executor& pool_;
};

}  // namespace cdgate::api
