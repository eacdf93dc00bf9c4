// Access tokens of the HTTP ingress over gRPC: CreateToken, ListTokens, DeleteToken.
//
//   TokenApi tokens(store, clock, random, pool);
//   CDGATE_RETURN_IF_ERROR(tokens.Register(router));
//
// A token is on disk, under its author's name, when its secret is answered; the secret is
// in that answer and nowhere else. INVALID_ARGUMENT naming the field; NOT_FOUND for a
// token or grant that does not exist; ALREADY_EXISTS for a name in use; errors of
// Store::Propose. What is refused leaves everything as it was.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server, and what it is given outlives both.
class TokenApi {
 public:
  TokenApi(state::Store& store, const base::Clock& clock, base::Random& random,
           base::Executor& pool)
      : store_(store), clock_(clock), random_(random), pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  void Create(const rpc::Call& call, const admin::v1::CreateTokenRequest& request,
              const rpc::Reply<admin::v1::CreateTokenResponse>& reply);
  void DeleteToken(const rpc::Call& call, const admin::v1::DeleteTokenRequest& request,
                   const rpc::Reply<admin::v1::DeleteTokenResponse>& reply);
  absl::StatusOr<admin::v1::ListTokensResponse> List(
      const admin::v1::ListTokensRequest& request) const;
  absl::StatusOr<admin::v1::Token> NewToken(const rpc::Call& call,
                                            const admin::v1::CreateTokenRequest& request) const;
  absl::Status CheckGrant(const std::string& name) const;

  state::Store& store_;
  const base::Clock& clock_;
  base::Random& random_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
