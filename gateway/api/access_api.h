// Who may do what, over gRPC: ExplainAccess, ListAccess.
//
//   AccessApi access({.domain = "alpha.example", .store = store, .grants = grants,
//                     .deny = deny, .pool = pool});
//   CDGATE_RETURN_IF_ERROR(access.Register(router));
//
// The verdict is that of the code that decides calls (authz::Grants::Explain, the deny list);
// nothing is judged a second time here. Operators and auditors whose grants are for all peers
// ask about anybody, others about themselves: NOT_GRANTED and SCOPE_NOT_GRANTED otherwise.
// INVALID_ARGUMENT naming the field; NOT_FOUND for a token.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "cdgate/admin/v1/access.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"
#include "gateway/rpc/server.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// All outlive the API.
struct AccessApiDeps {
  std::string domain;  // our own
  const state::Store& store;
  const authz::GrantRegistry& grants;
  rpc::DenyList deny;  // optional
  base::Executor& pool;
};

// Thread-safe; outlives the router's server.
class AccessApi {
 public:
  explicit AccessApi(AccessApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::ExplainAccessResponse> Explain(
      const rpc::Call& call, const admin::v1::ExplainAccessRequest& request) const;
  absl::StatusOr<admin::v1::ListAccessResponse> List(
      const rpc::Call& call, const admin::v1::ListAccessRequest& request) const;
  absl::StatusOr<authz::Principal> PrincipalOf(const std::string& id) const;
  // Whether the caller may ask about `principal`.
  absl::Status MayAsk(const authz::Grants& grants, const rpc::Call& call,
                      const authz::Principal& principal) const;
  authz::Grants::Verdict Judge(const authz::Grants& grants,
                               const authz::Grants::Question& question) const;

  const AccessApiDeps deps_;
};

// The row of a method as people write it: "/package.Service/Method", the same without the
// first '/', "Method" where one service alone has it, "publish", "subscribe". INVALID_ARGUMENT.
absl::StatusOr<const authz::MethodRow*> FindMethodNamed(absl::string_view name);

}  // namespace cdgate::api
