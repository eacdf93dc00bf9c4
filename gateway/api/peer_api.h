// Peers and the gateway's status over gRPC: the admin methods of invites, peers and status,
// and EnrolmentService.Enrol, which strangers call.
//
//   PeerApi peers({.domain = "alpha.example", ..., .enrolment = enrolment, .pool = pool,
//                  .facts = {...}});
//   CDGATE_RETURN_IF_ERROR(peers.Register(router));
//
// What changes is on disk, under the caller's name, when it is answered; what is refused
// leaves everything as it was. Enrolment's own errors are in federation/manager/enrolment.h;
// besides: NOT_FOUND for a domain that is no peer, ETAG_MISMATCH where somebody else changed
// the peer in between, CERTIFICATE_MISSING where a stranger shows none. FreezePeer and
// ResumePeer are idempotent. A new agreement and the end of a freeze widen what crosses: where a
// second person has to agree, APPROVAL_REQUIRED (widening_gate.h). RemovePeer also forgets where
// the link stood, so that a later agreement begins from nothing; events that were exchanged stay
// where they are.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/manager/enrolment.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// How far a peer is behind our log.
struct ExportLag {
  uint64_t events = 0;
  absl::Duration age;                                 // of the oldest of them
  absl::Time loss_expected = absl::InfiniteFuture();  // when retention removes it
};

// Of those that settled, what retention removed before the peer got it.
uint64_t LostEvents(const state::PeerCounters& counters);

// What the running gateway adds to its resources. Called from any thread.
struct PeerFacts {
  std::function<admin::v1::LinkStatus(absl::string_view domain)> link;
  std::function<ExportLag(absl::string_view domain)> lag;
  // What is not as it should be, in sentences.
  std::function<std::vector<std::string>()> problems;
  // When our own certificate ends.
  std::function<absl::Time()> certificate_expiry;
};

struct PeerApiDeps {
  std::string domain;
  std::string instance;
  std::string software;
  absl::Time start_time;
  state::Store& store;
  const eventlog::EventLog& log;
  manager::Enrolment& enrolment;
  const WideningGate& gate;
  base::Executor& pool;
  PeerFacts facts;
};

// Thread-safe; outlives the router's server, and what `deps` refers to outlives both.
class PeerApi {
 public:
  explicit PeerApi(PeerApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::Status RegisterEnrolment(rpc::Router& router);
  absl::StatusOr<uint64_t> ReplayLeft(const std::string& peer) const;
  absl::StatusOr<admin::v1::PeerStatus> StatusOf(const state::StoredResource& resource) const;
  absl::StatusOr<admin::v1::PeerStatus> Get(const admin::v1::GetPeerRequest& request) const;
  // Of the peers in `scope` alone.
  absl::StatusOr<admin::v1::ListPeersResponse> List(
      const authz::PeerScope& scope, const admin::v1::ListPeersRequest& request) const;
  absl::StatusOr<admin::v1::GetStatusResponse> Status(const authz::PeerScope& scope) const;
  void Approve(const rpc::Call& call, const admin::v1::ApprovePeerRequest& request,
               const rpc::Reply<admin::v1::Peer>& reply);
  void SetFrozen(const rpc::Call& call, const std::string& domain, bool frozen,
                 const rpc::Reply<admin::v1::Peer>& reply);
  void Remove(const std::string& author, const std::string& domain,
              const rpc::Reply<admin::v1::RemovePeerResponse>& reply);

  const PeerApiDeps deps_;
};

}  // namespace cdgate::api
