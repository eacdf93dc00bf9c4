// The switch that stops all exports of this gateway, over gRPC.
//
//   ExportApi exports({.store = store, .gate = gate, .pool = pool, .started_frozen = ...});
//   CDGATE_RETURN_IF_ERROR(exports.Register(router));
//
// Stopping is a fact of the store (session/export_stop.h), so it holds across restarts and is in
// the history of resources; sessions follow it within milliseconds. Resuming widens what crosses:
// APPROVAL_REQUIRED where a second person has to agree (widening_gate.h). Both are idempotent.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

struct ExportApiDeps {
  state::Store& store;
  const WideningGate& gate;
  base::Executor& pool;
  // Whether this run began frozen and is so still; and what ends that. From any thread.
  std::function<bool()> started_frozen;
  std::function<void()> unfreeze;
};

// The switch as it stands. One that nobody ever turned is not stopped. LOG_CORRUPT.
absl::StatusOr<admin::v1::ExportSwitch> ExportSwitchOf(const state::ResourceSnapshot& resources);

// Thread-safe; outlives the router's server, and what `deps` refers to outlives both.
class ExportApi {
 public:
  explicit ExportApi(ExportApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::ExportSwitch> Get() const;
  void Stop(const rpc::Call& call, const admin::v1::StopExportsRequest& request,
            const rpc::Reply<admin::v1::ExportSwitch>& reply);
  void Resume(const rpc::Call& call, const rpc::Reply<admin::v1::ExportSwitch>& reply);
  // Answers with the switch as it is then.
  void Propose(state::Proposal proposal, std::function<void()> then,
               const rpc::Reply<admin::v1::ExportSwitch>& reply);

  const ExportApiDeps deps_;
};

}  // namespace cdgate::api
