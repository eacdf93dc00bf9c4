// What this gateway tells a peer of their agreement, over gRPC: PeeringService.GetAgreement.
//
// It answers about the domain that asks and no other, and says nothing of events, rules or people.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/peering.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// What the running gateway adds to its resources. Called from any thread.
struct PeeringFacts {
  std::function<bool()> started_frozen;
  // Why what came from the peer waits; OK: it does not.
  std::function<absl::Status(absl::string_view peer)> import_stall;
};

// Whether a policy lets anything out, and takes anything: whether a rule allows something.
bool ExportsSomething(const admin::v1::Policy& policy);
bool ImportsSomething(const admin::v1::Policy& policy);

// Thread-safe; outlives the router's server, and what it is given outlives both.
class PeeringApi {
 public:
  PeeringApi(const state::Store& store, const base::Clock& clock, base::Executor& pool,
             PeeringFacts facts)
      : store_(store), clock_(clock), pool_(pool), facts_(std::move(facts)) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<federation::v1::GetAgreementResponse> Get(
      const std::string& peer, const federation::v1::GetAgreementRequest& request) const;

  const state::Store& store_;
  const base::Clock& clock_;
  base::Executor& pool_;
  const PeeringFacts facts_;
};

}  // namespace cdgate::api
