// What shows whose an event is, over gRPC: GetEventProof.
//
//   ProofApi proofs(domain, store, attestors, grants, pool);
//   CDGATE_RETURN_IF_ERROR(proofs.Register(router));
//
// A caller gets it of the events that it may read, as with GetEvent (event_queries.h), and with the
// same errors.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "cdgate/events/v1/proof.pb.h"
#include "federation/session/attestor_registry.h"
#include "federation/session/statement_source.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both. Works on `pool`,
// since it reads the disk.
class ProofApi {
 public:
  // `domain` is ours; `sign_origin`: what StatementSource asks.
  ProofApi(std::string domain, session::StatementSource::SignOrigin sign_origin,
           const state::Store& store, session::AttestorRegistry& attestors,
           const authz::GrantRegistry& grants, base::Executor& pool)
      : domain_(std::move(domain)),
        sign_origin_(std::move(sign_origin)),
        store_(store),
        attestors_(attestors),
        grants_(grants),
        pool_(pool) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<events::v1::GetEventProofResponse> Get(
      const rpc::Call& call, const events::v1::GetEventProofRequest& request) const;
  // The sender's own is the last of those that would go on with the event.
  void SetStatements(const state::EventRef& ref, federation::v1::EventFile* file) const;
  void AddAttestors(federation::v1::EventFile* file) const;

  const std::string domain_;
  const session::StatementSource::SignOrigin sign_origin_;
  const state::Store& store_;
  session::AttestorRegistry& attestors_;
  const authz::GrantRegistry& grants_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
