// Tracing over gRPC: the events of a chain that this domain holds, and what their links lead to.
//
//   TraceApi trace(store, log, index, grants, pool);
//   CDGATE_RETURN_IF_ERROR(trace.Register(router));
//
// Links are followed by the index of identities, one lookup each, however old what they name is.
// The events of a chain are found by a walk from the newest on, 20,000 events a call, between the
// times that the request names (docs/adr/0032-searches-that-walk.md).
// A caller sees what its grants cover; anything else is, to it, not held. INVALID_ARGUMENT for what
// a request may not say, NOT_FOUND and AMBIGUOUS_ID for the event that it names, WRONG_EPOCH.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/executor.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/search_index.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both. Works on
// `pool`, since it reads the disk.
class TraceApi {
 public:
  TraceApi(const state::Store& store, const eventlog::EventLog& log,
           const eventlog::SearchIndex& index, const authz::GrantRegistry& grants,
           base::Executor& pool)
      : store_(store), log_(log), index_(index), grants_(grants), pool_(pool) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<events::v1::TraceResponse> Trace(const rpc::Call& call,
                                                  const events::v1::TraceRequest& request) const;

  const state::Store& store_;
  const eventlog::EventLog& log_;
  const eventlog::SearchIndex& index_;
  const authz::GrantRegistry& grants_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
