// Looking events up over gRPC: one by identity, many by page.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/executor.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server.
class EventQueries {
 public:
  EventQueries(const state::Store& store, const eventlog::EventLog& log,
               const authz::GrantRegistry& grants, base::Executor& pool)
      : store_(store), log_(log), grants_(grants), pool_(pool) {}

  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<events::v1::DeliveredEvent> Get(const rpc::Call& call,
                                                 const events::v1::GetEventRequest& request) const;
  absl::StatusOr<events::v1::ListEventsResponse> List(
      const rpc::Call& call, const events::v1::ListEventsRequest& request) const;

  const state::Store& store_;
  const eventlog::EventLog& log_;
  const authz::GrantRegistry& grants_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
