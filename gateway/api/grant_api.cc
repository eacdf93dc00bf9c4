#include "gateway/api/grant_api.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/authz/grants.h"
#include "federation/policy/widening.h"
#include "gateway/api/paging.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/program.h"

namespace cdgate::api {
namespace {

constexpr char kApply[] = "/cdgate.admin.v1.AdminService/ApplyGrant";
constexpr char kDelete[] = "/cdgate.admin.v1.AdminService/DeleteGrant";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListGrants";

absl::Status CheckGrant(const admin::v1::Grant& grant) {
  CDGATE_RETURN_IF_ERROR(authz::CheckGrant(grant));
  if (grant.filter().empty()) return absl::OkStatus();
  const auto program = filter::Program::Compile(grant.filter());
  return base::Annotate(program.status(), absl::StrCat("filter of grant ", grant.name()));
}

absl::Status NoSuch(absl::string_view kind, absl::string_view name) {
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("no ", kind, " is named ", base::Shorten(name), "; list them to see the names"),
      {{"name", std::string(name)}});
}

state::Proposal DeletionOf(const rpc::Call& call, absl::string_view kind, const std::string& name) {
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = std::string(kind);
  edit.name = name;
  edit.deleted = true;
  edit.author = call.principal.id;
  proposal.resources.push_back(std::move(edit));
  return proposal;
}

// Proposes, and answers `response` once that is on disk.
template <typename Response>
void ProposeAndReply(state::Store& store, state::Proposal proposal, Response response,
                     const std::function<void()>& applied, const rpc::Reply<Response>& reply) {
  const absl::Status queued =
      store.Propose(std::move(proposal),
                    [reply, applied, response = std::move(response)](state::Outcome outcome) {
                      if (!outcome.status.ok()) return reply(outcome.status);
                      if (applied) applied();
                      reply(response);
                    });
  if (!queued.ok()) reply(queued);
}

}  // namespace

absl::Status GrantApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApplyGrantRequest, Grant>(
      kApply, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Apply(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<DeleteGrantRequest, DeleteGrantResponse>(
      kDelete, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        DeleteGrant(call, request, reply);
      })));
  return router.Register(OnPool<ListGrantsRequest, ListGrantsResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); }));
}

void GrantApi::Apply(const rpc::Call& call, const admin::v1::ApplyGrantRequest& request,
                     const rpc::Reply<admin::v1::Grant>& reply) {
  if (absl::Status status = CheckGrant(request.grant()); !status.ok()) return reply(status);
  if (request.validate_only()) return reply(request.grant());
  const state::ResourcePtr stored =
      store_.Resources()->Find(state::kGrantKind, request.grant().name());
  admin::v1::Grant before;
  if (stored != nullptr && !before.ParseFromString(stored->value)) before.Clear();
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kGrantKind;
  edit.name = request.grant().name();
  edit.value = request.grant().SerializeAsString();
  edit.expected_version = stored == nullptr ? 0 : stored->version;
  edit.author = call.principal.id;
  proposal.resources.push_back(std::move(edit));
  gate_.Admit(call, policy::WhyWidens(&before, request.grant()), std::move(proposal),
              [this, grant = request.grant(), reply](absl::StatusOr<state::Proposal> admitted) {
                if (!admitted.ok()) return reply(admitted.status());
                ProposeAndReply(store_, *std::move(admitted), grant, applied_, reply);
              });
}

void GrantApi::DeleteGrant(const rpc::Call& call, const admin::v1::DeleteGrantRequest& request,
                           const rpc::Reply<admin::v1::DeleteGrantResponse>& reply) {
  if (store_.Resources()->Find(state::kGrantKind, request.name()) == nullptr) {
    return reply(NoSuch("grant", request.name()));
  }
  ProposeAndReply(store_, DeletionOf(call, state::kGrantKind, request.name()),
                  admin::v1::DeleteGrantResponse(), applied_, reply);
}

absl::StatusOr<admin::v1::ListGrantsResponse> GrantApi::List(
    const admin::v1::ListGrantsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListGrantsResponse response;
  for (const auto& resource : store_.Resources()->List(state::kGrantKind, after, size)) {
    CDGATE_ASSIGN_OR_RETURN(*response.add_grants(), resource->As<admin::v1::Grant>());
  }
  if (static_cast<size_t>(response.grants_size()) == size) {
    response.set_next_page_token(
        MakePageToken(kList, response.grants(response.grants_size() - 1).name()));
  }
  return response;
}

}  // namespace cdgate::api
