// Looking events up over gRPC: GetEvent by identity, ListEvents by page.
//
//   EventQueries queries(store, log, index, grants, pool);
//   CDGATE_RETURN_IF_ERROR(queries.Register(router));
//
// A caller sees the events that the caller's grants cover as they are now; any other is
// NOT_FOUND to it, as if it did not exist. ListEvents also ends a page early, after 20,000
// events looked at or 3 MiB, so that what fits little holds no thread; an empty page with a
// token is not the end. Times are found by a search in the log, about 30 reads; the rest is
// a walk (docs/adr/0032-searches-that-walk.md). INVALID_ARGUMENT for a page size, a time or a
// token, INVALID_FILTER, WRONG_EPOCH, errors of the log.
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
class EventQueries {
 public:
  EventQueries(const state::Store& store, const eventlog::EventLog& log,
               const eventlog::SearchIndex& index, const authz::GrantRegistry& grants,
               base::Executor& pool)
      : store_(store), log_(log), index_(index), grants_(grants), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<events::v1::DeliveredEvent> Get(const rpc::Call& call,
                                                 const events::v1::GetEventRequest& request) const;
  absl::StatusOr<events::v1::ListEventsResponse> List(
      const rpc::Call& call, const events::v1::ListEventsRequest& request) const;

  const state::Store& store_;
  const eventlog::EventLog& log_;
  const eventlog::SearchIndex& index_;
  const authz::GrantRegistry& grants_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
