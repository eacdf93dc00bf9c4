// Gives a peer back what it sent us, after it lost it: RecoveryService.FetchBack on the peers
// listener.
//
//   FetchBackApi fetch_back({.store = store, .log = log, .attestors = registry, ...});
//   CDGATE_RETURN_IF_ERROR(fetch_back.Register(router));
//
// Only events whose origin is the domain that asks, and that it sent us itself, and only as they
// came: no more than it gave. Each request is answered by one page, which reads a bounded part of
// the log and may be empty; where the stream stands is with the stream, so the peer learns nothing
// of our log. One stream for each peer at a time.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::session {
class AttestorRegistry;
}  // namespace cdgate::session

namespace cdgate::api {

// All outlive the server.
struct FetchBackApiDeps {
  std::string domain;  // ours
  const state::Store& store;
  const eventlog::EventLog& log;
  session::AttestorRegistry& attestors;
  base::Clock& clock;
  base::Executor& pool;
  // Whether this run makes no link at all. From any thread.
  std::function<bool()> started_frozen;
};

// Thread-safe; outlives the router's server.
class FetchBackApi {
 public:
  explicit FetchBackApi(FetchBackApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  class Stream;
  // Peers that fetch, shared with their streams.
  struct Busy {
    base::Mutex mu;
    std::set<std::string> peers CDGATE_GUARDED_BY(mu);
  };

  // Whether `peer` may have anything from us now.
  absl::Status CheckAgreement(const std::string& peer, const std::string& agreement_id) const;
  void Accept(rpc::ServerStreamPtr stream);

  const FetchBackApiDeps deps_;
  const std::shared_ptr<Busy> busy_ = std::make_shared<Busy>();
};

}  // namespace cdgate::api
