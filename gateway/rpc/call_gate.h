// The second gate: what stands between a call and its handler (guarded.h). The first one
// is AuthMetadataGate (connection_gate.h), which knows the connection only.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "gateway/rpc/call.h"
#include "gateway/rpc/call_auditor.h"
#include "gateway/rpc/connection.h"
#include "gateway/rpc/guard.h"
#include "gateway/rpc/principal_rates.h"
#include "gateway/rpc/router.h"
#include "gateway/rpc/server.h"

namespace grpc {
class GenericCallbackServerContext;
}

namespace cdgate::rpc {

// One listener's, or one local user's. Thread-safe; what it refers to outlives it.
class CallGate {
 public:
  struct Options {
    authz::Listener listener;
    const Router& router;
    const authz::GrantRegistry& grants;
    Guard& guard;
    DenyList deny;
    BearerResolver bearer;
    // On the local listener: who connects here.
    std::shared_ptr<const ConnectionIdentity> local;
    int max_streams;
    const std::atomic<bool>& draining;
    CallAuditor* auditor = nullptr;   // optional
    PrincipalRates* rates = nullptr;  // optional
  };
  explicit CallGate(Options options) : options_(std::move(options)) {}

  // The call's connection; null on the local listener, and where it is over.
  ConnectionPtr ConnectionOf(const grpc::GenericCallbackServerContext& context) const;

  struct Admitted {
    CallPtr call;
    const Router::Entry* entry;
  };
  // What the call may be, or why it may not: DRAINING, UNREACHABLE where its connection is
  // over, CONNECTION_ABUSE, METHOD_UNKNOWN, UNAUTHENTICATED_CALL, what Guard::CheckTrust says,
  // the deny list's reason, IDENTITY_TOKEN_INVALID or EXPIRED, RATE_EXCEEDED, WRONG_LISTENER,
  // NOT_GRANTED, SCOPE_NOT_GRANTED. The auditor is told of those that were refused for what they
  // are, not of those that came too late.
  absl::StatusOr<Admitted> Admit(const grpc::GenericCallbackServerContext& context,
                                 Connection* connection) const;

  authz::Listener listener() const { return options_.listener; }
  CallAuditor* auditor() const { return options_.auditor; }

 private:
  // `*who`: whoever calls, as far as it is known.
  absl::StatusOr<Admitted> Judge(const grpc::GenericCallbackServerContext& context,
                                 Connection* connection, std::string* who) const;
  absl::Status CheckConnection(Connection* connection) const;
  // The call's token; null where it has none. The call is never made as the connection where
  // its token is not good.
  absl::StatusOr<BearerPtr> BearerOf(const grpc::GenericCallbackServerContext& context) const;

  const Options options_;
};

}  // namespace cdgate::rpc
