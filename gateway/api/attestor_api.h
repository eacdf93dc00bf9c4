// Whose statements count, over gRPC: ListAttestors, GetAttestor.
//
//   AttestorApi attestors(registry, clock, pool);
//   CDGATE_RETURN_IF_ERROR(attestors.Register(router));
//
// INVALID_ARGUMENT naming the field; NOT_FOUND; AMBIGUOUS_ID where several key ids begin as the
// one asked for.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/trust.pb.h"
#include "federation/session/attestor_registry.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server.
class AttestorApi {
 public:
  // All outlive it.
  AttestorApi(session::AttestorRegistry& registry, const base::Clock& clock, base::Executor& pool)
      : registry_(registry), clock_(clock), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::ListAttestorsResponse> List(
      const admin::v1::ListAttestorsRequest& request) const;
  absl::StatusOr<admin::v1::GetAttestorResponse> Get(
      const admin::v1::GetAttestorRequest& request) const;

  session::AttestorRegistry& registry_;
  const base::Clock& clock_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
