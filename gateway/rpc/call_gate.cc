#include "gateway/rpc/call_gate.h"

#include <grpcpp/impl/codegen/async_generic_service.h>
#include <grpcpp/security/auth_context.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/address.h"

namespace cdgate::rpc {
namespace {

using base::MakeError;
using base::Reason;

absl::Time DeadlineOf(const grpc::GenericCallbackServerContext& context) {
  const auto deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture()
                                                                  : absl::FromChrono(deadline);
}

constexpr size_t kMaxMethodBytes = 256;

// Whether the call was refused for who made it or for what it is.
bool IsRefusal(const absl::Status& status) {
  const auto reason = base::ReasonOf(status);
  return reason != Reason::kDraining && reason != Reason::kUnreachable;
}

}  // namespace

ConnectionPtr CallGate::ConnectionOf(const grpc::GenericCallbackServerContext& context) const {
  if (options_.local != nullptr) return nullptr;
  return options_.guard.Find(CanonicalPeer(context.peer()));
}

absl::StatusOr<CallGate::Admitted> CallGate::Admit(
    const grpc::GenericCallbackServerContext& context, Connection* connection) const {
  std::string who;
  auto admitted = Judge(context, connection, &who);
  if (!admitted.ok() && options_.auditor != nullptr && IsRefusal(admitted.status())) {
    options_.auditor->OnRefused({.method = context.method().substr(0, kMaxMethodBytes),
                                 .listener = options_.listener,
                                 .principal = std::move(who),
                                 .peer_address = context.peer()},
                                admitted.status());
  }
  return admitted;
}

absl::StatusOr<CallGate::Admitted> CallGate::Judge(
    const grpc::GenericCallbackServerContext& context, Connection* connection,
    std::string* who) const {
  if (options_.draining) return MakeError(Reason::kDraining, "the gateway is shutting down");
  CDGATE_RETURN_IF_ERROR(CheckConnection(connection));
  const Router::Entry* entry = options_.router.Find(context.method());
  if (entry == nullptr) {
    const std::string method = base::Shorten(context.method());
    return MakeError(Reason::kMethodUnknown, absl::StrCat("there is no method ", method),
                     {{"method", method}});
  }
  std::shared_ptr<const ConnectionIdentity> identity = options_.local;
  if (identity == nullptr) {
    CDGATE_ASSIGN_OR_RETURN(identity, connection->Identify(*context.auth_context()));
    *who = identity->principal.id;
    CDGATE_RETURN_IF_ERROR(options_.guard.CheckTrust(*connection, *identity));
  }
  *who = identity->principal.id;
  if (options_.deny) CDGATE_RETURN_IF_ERROR(options_.deny(identity->principal));
  CDGATE_ASSIGN_OR_RETURN(BearerPtr bearer, BearerOf(context));
  if (bearer != nullptr && options_.deny) CDGATE_RETURN_IF_ERROR(options_.deny(bearer->principal));
  const authz::Principal& principal = bearer == nullptr ? identity->principal : bearer->principal;
  *who = principal.id;
  // Refused ones count as well. On the enrolment listener nobody knows yet who it is.
  if (options_.rates != nullptr && options_.listener != authz::Listener::kEnrolment) {
    CDGATE_RETURN_IF_ERROR(options_.rates->TakeCall(principal));
  }
  const auto grants = options_.grants.Current();
  CDGATE_RETURN_IF_ERROR(grants->MayCall(principal, *entry->row, options_.listener));
  auto call = std::make_shared<Call>(Call{.method = context.method(),
                                          .listener = options_.listener,
                                          .principal = principal,
                                          .certificate = identity->certificate,
                                          .peer_address = context.peer(),
                                          .deadline = DeadlineOf(context),
                                          .bearer = std::move(bearer),
                                          .row = entry->row,
                                          .peers = grants->ScopeOf(principal, *entry->row)});
  // Nobody could look which peer it is about.
  if (entry->row->reach == authz::Reach::kRequest && !entry->guarded.reads_request()) {
    CDGATE_RETURN_IF_ERROR(call->MayReach(""));
  }
  return Admitted{std::move(call), entry};
}

absl::StatusOr<BearerPtr> CallGate::BearerOf(
    const grpc::GenericCallbackServerContext& context) const {
  const auto [first, end] = context.client_metadata().equal_range("authorization");
  if (first == end) return BearerPtr();
  if (options_.listener != authz::Listener::kApi) {
    return MakeError(Reason::kUnauthenticatedCall,
                     absl::StrCat("the ", authz::ListenerName(options_.listener),
                                  " listener takes no tokens: dial the api listener"));
  }
  if (std::next(first) != end) {
    return MakeError(Reason::kUnauthenticatedCall, "the call has two Authorizations");
  }
  const absl::string_view value(first->second.data(), first->second.size());
  CDGATE_ASSIGN_OR_RETURN(const absl::string_view token, BearerTokenOf(value));
  if (options_.bearer) return options_.bearer(token);
  return MakeError(Reason::kIdentityTokenInvalid,
                   "the call has a bearer token, and no identity provider is configured here");
}

absl::Status CallGate::CheckConnection(Connection* connection) const {
  if (options_.local != nullptr) return absl::OkStatus();
  if (connection == nullptr) return MakeError(Reason::kUnreachable, "the connection is over");
  options_.guard.CheckStreams(*connection);
  if (connection->was_cut()) return MakeError(Reason::kUnreachable, "the connection was cut");
  // gRPC holds honest clients to the limit; a call that is just being answered may still count.
  const int limit = 2 * options_.max_streams;
  if (connection->counters.Unanswered() <= limit) return absl::OkStatus();
  return MakeError(Reason::kConnectionAbuse, absl::StrCat("more than ", limit, " calls at once"));
}

}  // namespace cdgate::rpc
