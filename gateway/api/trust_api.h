// Whom the gateway trusts, over gRPC: ListTrust, AddDenial, DeleteDenial, ListDenials.
//
//   TrustApi trust({.domain = "alpha.example", .store = store, .trust = registry, .gate = gate,
//                   .clock = clock, .pool = pool, .applied = [this] { ApplyResources(); }});
//   CDGATE_RETURN_IF_ERROR(trust.Register(router));
//
// A denial is on disk and in force when it is answered. INVALID_ARGUMENT naming the field,
// also for a denial of our own domain or of the caller, which would lock out who could end it;
// ALREADY_EXISTS, NOT_FOUND, APPROVAL_REQUIRED, errors of Store::Propose. What is refused
// leaves everything as it was.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/trust/deny_list.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/trust.pb.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// The entry as trust::DenyList takes it: hexadecimal in lower case, without colons and leading
// zeros. INVALID_ARGUMENT where it names nobody; the rest trust::CheckDenial says.
absl::StatusOr<trust::Denial> DenialOf(const admin::v1::Denial& denial);

// Also of PeerBundleApi (peer_bundle_api.h). All outlive both.
struct TrustApiDeps {
  std::string domain;  // ours
  state::Store& store;
  const trust::TrustRegistry& trust;
  const trust::TrustRegistry& origins;  // whose statements count, and who may not connect
  const WideningGate& gate;
  const base::Clock& clock;
  base::Executor& pool;
  std::function<void()> applied;  // called once a change is on disk, before it is answered
};

// Thread-safe; outlives the router's server.
class TrustApi {
 public:
  explicit TrustApi(TrustApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::ListTrustResponse> ListTrust() const;
  absl::StatusOr<admin::v1::Denial> NewDenial(const rpc::Call& call,
                                              const admin::v1::Denial& asked) const;
  void Add(const rpc::Call& call, const admin::v1::AddDenialRequest& request,
           const rpc::Reply<admin::v1::AddDenialResponse>& reply);
  void Delete(const rpc::Call& call, const admin::v1::DeleteDenialRequest& request,
              const rpc::Reply<admin::v1::DeleteDenialResponse>& reply);
  absl::StatusOr<admin::v1::ListDenialsResponse> List(
      const admin::v1::ListDenialsRequest& request) const;

  const TrustApiDeps deps_;
};

}  // namespace cdgate::api
