// The keys of pseudonyms over gRPC: RotatePseudonyms.
//
// From the answer's effective_sequence on a peer's pseudonyms are made with a new key; what was
// accepted before keeps its pseudonyms, also when it is sent again. NO_AGREEMENT for a domain
// that is no peer.
#pragma once

#include "absl/status/status.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both.
class PseudonymApi {
 public:
  PseudonymApi(state::Store& store, const session::PseudonymKeeper& keeper, base::Executor& pool)
      : store_(store), keeper_(keeper), pool_(pool) {}

  // Adds its method, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Rotate(const rpc::Call& call, const admin::v1::RotatePseudonymsRequest& request,
              const rpc::Reply<admin::v1::RotatePseudonymsResponse>& reply);

  state::Store& store_;
  const session::PseudonymKeeper& keeper_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
