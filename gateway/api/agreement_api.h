// Agreements over their life, over gRPC: how long they hold, what was noted of the peer, what
// crossed under them, and what was lost to retention before it could.
//
//   AgreementApi agreements(store, log, gate, clock, pool);
//   CDGATE_RETURN_IF_ERROR(agreements.Register(router));
//
// What changes is on disk, under the caller's name, when it is answered. A later end lets more
// cross, so it widens: where a second person has to agree, APPROVAL_REQUIRED (widening_gate.h).
// NOT_FOUND for a domain that is no peer, INVALID_ARGUMENT naming the field, ETAG_MISMATCH where
// somebody else changed the peer in between.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "federation/manager/invite.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// The furthest away that an end may be.
inline constexpr absl::Duration kGreatestLifetime = invite::kGreatestLifetime;

// The end that a request asks for. INVALID_ARGUMENT where it says none, or one that is not after
// `now` or too far away. Pure.
absl::StatusOr<absl::Time> EndAskedFor(const admin::v1::RenewPeerRequest& request, absl::Time now);

// `peer` with what the request changes. INVALID_ARGUMENT naming the field. Pure.
absl::StatusOr<admin::v1::Peer> Updated(admin::v1::Peer peer,
                                        const admin::v1::UpdatePeerRequest& request);

// Thread-safe; outlives the router's server, and what it is given outlives both.
class AgreementApi {
 public:
  AgreementApi(state::Store& store, const eventlog::EventLog& log, const WideningGate& gate,
               const base::Clock& clock, base::Executor& pool)
      : store_(store), log_(log), gate_(gate), clock_(clock), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Renew(const rpc::Call& call, const admin::v1::RenewPeerRequest& request,
             const rpc::Reply<admin::v1::Peer>& reply);
  void Update(const rpc::Call& call, const admin::v1::UpdatePeerRequest& request,
              const rpc::Reply<admin::v1::Peer>& reply);
  void Change(const rpc::Call& call, const state::StoredResource& before, admin::v1::Peer peer,
              const WideningGate::Reasons& reasons, const rpc::Reply<admin::v1::Peer>& reply);
  // (blocks)
  absl::StatusOr<admin::v1::GetHoldingsResponse> Holdings(
      const admin::v1::GetHoldingsRequest& request) const;
  // (blocks)
  absl::StatusOr<admin::v1::ListLostEventsResponse> ListLost(
      const admin::v1::ListLostEventsRequest& request) const;

  state::Store& store_;
  const eventlog::EventLog& log_;
  const WideningGate& gate_;
  const base::Clock& clock_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
