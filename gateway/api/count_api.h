// What never arrived of other domains' events, over gRPC: CountOrigin.
//
//   CountApi counts(exchange, pool);
//   CDGATE_RETURN_IF_ERROR(counts.Register(router));
//
// Errors are those of manager::CountAsker::Ask. That nobody answers is an answer.
#pragma once

#include "absl/status/status.h"
#include "cdgate/admin/v1/count.pb.h"
#include "federation/manager/count_exchange.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"

namespace cdgate::api {

// Commitments of one answer.
inline constexpr size_t kMaxMissingShown = 10'000;

// Thread-safe; outlives the router's server.
class CountApi {
 public:
  // Both outlive it.
  CountApi(manager::CountExchange& exchange, base::Executor& pool)
      : exchange_(exchange), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  manager::CountExchange& exchange_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
