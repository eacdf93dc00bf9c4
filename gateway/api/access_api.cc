#include "gateway/api/access_api.h"

#include <google/protobuf/descriptor.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/request_peers.h"
#include "gateway/state/resources.h"

namespace cdgate::api {
namespace {

using authz::Listener;
using authz::MethodRow;
using authz::Principal;

constexpr char kExplain[] = "/cdgate.admin.v1.AccessService/ExplainAccess";
constexpr char kList[] = "/cdgate.admin.v1.AccessService/ListAccess";
// Whoever may read the grants of all may ask what they come to.
constexpr char kReadsGrants[] = "/cdgate.admin.v1.AdminService/ListGrants";
constexpr std::pair<absl::string_view, absl::string_view> kShortNames[] = {
    {"publish", "/cdgate.events.v1.EventsService/Publish"},
    {"subscribe", "/cdgate.events.v1.EventsService/Subscribe"}};

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat(field, ": ", what),
                         {{"field", std::string(field)}});
}

absl::StatusOr<Listener> ListenerOf(const std::string& name, const Principal& principal) {
  if (name.empty()) {
    return principal.kind == Principal::Kind::kLocal ? Listener::kLocal : Listener::kApi;
  }
  for (const Listener one :
       {Listener::kPeers, Listener::kApi, Listener::kEnrolment, Listener::kLocal}) {
    if (name == authz::ListenerName(one)) return one;
  }
  return Invalid("listener", absl::StrCat("\"", base::Shorten(name),
                                          "\" is none of api, local, peers, enrolment"));
}

// What a call of the method can name: a peer where its request has a place for one, or its
// handler looks.
absl::string_view PeerFor(const MethodRow& row, absl::string_view peer) {
  if (row.reach == authz::Reach::kHandler) return peer;
  const auto* const method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      absl::StrReplaceAll(row.method.substr(1), {{"/", "."}}));
  return method != nullptr && rpc::NamesPeer(*method->input_type()) ? peer : "";
}

std::string ReasonOf(const absl::Status& status) {
  return std::string(base::ReasonText(base::ReasonOf(status).value_or(base::Reason::kInternal)));
}

void AddRoles(const MethodRow& row, admin::v1::ExplainAccessResponse* response) {
  for (const authz::Role role : authz::AllRoles()) {
    if (row.roles.Has(role)) response->add_roles(std::string(authz::RoleName(role)));
  }
}

}  // namespace

absl::StatusOr<const MethodRow*> FindMethodNamed(absl::string_view name) {
  for (const auto& [shortcut, method] : kShortNames) {
    if (name == shortcut) return authz::FindMethod(method);
  }
  const std::string full = absl::StrCat("/", absl::StripPrefix(name, "/"));
  if (const MethodRow* row = authz::FindMethod(full)) return row;
  std::vector<const MethodRow*> found;
  for (const MethodRow& row : authz::MethodTable()) {
    if (!name.empty() && absl::EndsWith(row.method, full)) found.push_back(&row);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return Invalid("method", absl::StrCat("there is no method ", base::Shorten(name),
                                          "; cdgate can PRINCIPAL lists them all"));
  }
  return Invalid("method",
                 absl::StrCat(base::Shorten(name), " may be ",
                              absl::StrJoin(found, " or ", [](std::string* out, const auto* row) {
                                absl::StrAppend(out, row->method.substr(1));
                              })));
}

absl::Status AccessApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ExplainAccessRequest, ExplainAccessResponse>(
      kExplain, deps_.pool,
      [this](const rpc::Call& call, const auto& request) { return Explain(call, request); })));
  return router.Register(OnPool<ListAccessRequest, ListAccessResponse>(
      kList, deps_.pool,
      [this](const rpc::Call& call, const auto& request) { return List(call, request); }));
}

absl::StatusOr<Principal> AccessApi::PrincipalOf(const std::string& id) const {
  CDGATE_ASSIGN_OR_RETURN(Principal principal, Principal::Parse(id, deps_.domain));
  if (principal.kind != Principal::Kind::kToken) return principal;
  const std::string name(absl::StripPrefix(id, "token:"));
  const auto stored = deps_.store.Resources()->Find(state::kTokenKind, name);
  if (stored == nullptr) {
    return base::MakeError(
        base::Reason::kNotFound,
        absl::StrCat("no token is named ", base::Shorten(name), "; cdgate token list shows them"),
        {{"name", name}});
  }
  CDGATE_ASSIGN_OR_RETURN(const auto token, stored->As<admin::v1::Token>());
  return Principal::Token(deps_.domain, name, token.grant());
}

absl::Status AccessApi::MayAsk(const authz::Grants& grants, const rpc::Call& call,
                               const Principal& principal) const {
  if (principal.id == call.principal.id) return absl::OkStatus();
  const authz::Grants::Question question{.principal = call.principal,
                                         .row = *authz::FindMethod(kReadsGrants),
                                         .listener = call.listener};
  return base::Annotate(grants.Explain(question).status,
                        absl::StrCat("to ask about others than oneself takes what ListGrants "
                                     "takes"));
}

authz::Grants::Verdict AccessApi::Judge(const authz::Grants& grants,
                                        const authz::Grants::Question& question) const {
  authz::Grants::Verdict verdict = grants.Explain(question);
  const absl::Status denied =
      deps_.deny == nullptr ? absl::OkStatus() : deps_.deny(question.principal);
  if (!denied.ok()) {
    verdict.status = denied;  // asked before the grants
    verdict.grant.clear();
  }
  return verdict;
}

absl::StatusOr<admin::v1::ExplainAccessResponse> AccessApi::Explain(
    const rpc::Call& call, const admin::v1::ExplainAccessRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const Principal principal, PrincipalOf(request.principal()));
  CDGATE_ASSIGN_OR_RETURN(const MethodRow* const row, FindMethodNamed(request.method()));
  CDGATE_ASSIGN_OR_RETURN(const Listener listener, ListenerOf(request.listener(), principal));
  if (!request.source().empty() && !row->roles.Has(authz::Role::kPublisher)) {
    return Invalid("source", "is for methods that publish");
  }
  if (request.source().empty() && !request.type().empty()) {
    return Invalid("type", "goes with a source");
  }
  const auto grants = deps_.grants.Current();
  CDGATE_RETURN_IF_ERROR(MayAsk(*grants, call, principal));
  const authz::Grants::Verdict verdict = Judge(*grants, {.principal = principal,
                                                         .row = *row,
                                                         .listener = listener,
                                                         .peer = PeerFor(*row, request.peer()),
                                                         .source = request.source(),
                                                         .type = request.type()});
  admin::v1::ExplainAccessResponse response;
  response.set_method(std::string(row->method));
  response.set_allowed(verdict.status.ok());
  response.set_grant(verdict.grant);
  if (!verdict.status.ok()) {
    response.set_reason(ReasonOf(verdict.status));
    response.set_message(std::string(verdict.status.message()));
  }
  AddRoles(*row, &response);
  for (const authz::Grants::GrantWorth& worth : verdict.grants) {
    admin::v1::GrantVerdict& out = *response.add_grants();
    out.set_grant(worth.name);
    out.set_role(std::string(authz::RoleName(worth.role)));
    out.set_suffices(worth.why_not.empty());
    out.set_why(worth.why_not);
  }
  return response;
}

absl::StatusOr<admin::v1::ListAccessResponse> AccessApi::List(
    const rpc::Call& call, const admin::v1::ListAccessRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const Principal principal, PrincipalOf(request.principal()));
  CDGATE_ASSIGN_OR_RETURN(const Listener listener, ListenerOf(request.listener(), principal));
  const auto grants = deps_.grants.Current();
  CDGATE_RETURN_IF_ERROR(MayAsk(*grants, call, principal));
  admin::v1::ListAccessResponse response;
  for (const MethodRow& row : authz::MethodTable()) {
    if (!row.listeners.Has(listener)) continue;
    const authz::Grants::Verdict verdict = Judge(*grants, {.principal = principal,
                                                           .row = row,
                                                           .listener = listener,
                                                           .peer = PeerFor(row, request.peer())});
    admin::v1::MethodAccess& access = *response.add_methods();
    access.set_method(std::string(row.method));
    access.set_allowed(verdict.status.ok());
    access.set_grant(verdict.grant);
    if (!verdict.status.ok()) access.set_reason(ReasonOf(verdict.status));
  }
  return response;
}

}  // namespace cdgate::api
