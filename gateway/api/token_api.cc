#include "gateway/api/token_api.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/authz/token.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/resources.h"

namespace cdgate::api {
namespace {

constexpr char kCreate[] = "/cdgate.admin.v1.AdminService/CreateToken";
constexpr char kDelete[] = "/cdgate.admin.v1.AdminService/DeleteToken";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListTokens";

absl::Status NoSuch(absl::string_view kind, absl::string_view name) {
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("no ", kind, " is named ", base::Shorten(name), "; list them to see the names"),
      {{"name", std::string(name)}});
}

absl::StatusOr<absl::Duration> TtlOf(const admin::v1::CreateTokenRequest& request) {
  if (!request.has_ttl()) return authz::kDefaultTokenTtl;
  const absl::Duration ttl = FromProto(request.ttl());
  if (ttl >= authz::kLeastTokenTtl && ttl <= authz::kMaxTokenTtl) return ttl;
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("token: ttl is ", absl::FormatDuration(ttl), "; expected 1 minute to 366 days"),
      {{"field", "ttl"}});
}

}  // namespace

absl::Status TokenApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<CreateTokenRequest, CreateTokenResponse>(
      kCreate, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Create(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<DeleteTokenRequest, DeleteTokenResponse>(
      kDelete, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        DeleteToken(call, request, reply);
      })));
  return router.Register(OnPool<ListTokensRequest, ListTokensResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); }));
}

absl::Status TokenApi::CheckGrant(const std::string& name) const {
  const auto stored = store_.Resources()->Find(state::kGrantKind, name);
  if (stored == nullptr) return NoSuch("grant", name);
  CDGATE_ASSIGN_OR_RETURN(const auto grant, stored->As<admin::v1::Grant>());
  if (grant.role() == admin::v1::ROLE_PUBLISHER) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("token: the grant ", name, " is not of the role publisher; tokens only publish"),
      {{"field", "grant"}});
}

absl::StatusOr<admin::v1::Token> TokenApi::NewToken(
    const rpc::Call& call, const admin::v1::CreateTokenRequest& request) const {
  admin::v1::Token token;
  token.set_name(request.name());
  token.set_grant(request.grant());
  token.set_description(request.description());
  token.set_author(call.principal.id);
  CDGATE_RETURN_IF_ERROR(authz::CheckToken(token));
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration ttl, TtlOf(request));
  CDGATE_RETURN_IF_ERROR(CheckGrant(token.grant()));
  const absl::Time now = clock_.Now();
  *token.mutable_create_time() = ToProto(now);
  *token.mutable_expire_time() = ToProto(now + ttl);
  return token;
}

void TokenApi::Create(const rpc::Call& call, const admin::v1::CreateTokenRequest& request,
                      const rpc::Reply<admin::v1::CreateTokenResponse>& reply) {
  absl::StatusOr<admin::v1::Token> token = NewToken(call, request);
  if (!token.ok()) return reply(token.status());
  const authz::MintedToken minted = authz::MintToken(random_);
  admin::v1::CreateTokenResponse response;
  response.set_secret(minted.text);
  *response.mutable_token() = *token;
  token->set_secret_digest(minted.digest);

  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kTokenKind;
  edit.name = token->name();
  edit.value = token->SerializeAsString();
  edit.author = call.principal.id;
  edit.expected_version = 0;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued = store_.Propose(
      std::move(proposal), [reply, response = std::move(response)](state::Outcome outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

void TokenApi::DeleteToken(const rpc::Call& call, const admin::v1::DeleteTokenRequest& request,
                           const rpc::Reply<admin::v1::DeleteTokenResponse>& reply) {
  if (store_.Resources()->Find(state::kTokenKind, request.name()) == nullptr) {
    return reply(NoSuch("token", request.name()));
  }
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kTokenKind;
  edit.name = request.name();
  edit.deleted = true;
  edit.author = call.principal.id;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued = store_.Propose(std::move(proposal), [reply](state::Outcome outcome) {
    if (!outcome.status.ok()) return reply(outcome.status);
    reply(admin::v1::DeleteTokenResponse());
  });
  if (!queued.ok()) reply(queued);
}

absl::StatusOr<admin::v1::ListTokensResponse> TokenApi::List(
    const admin::v1::ListTokensRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListTokensResponse response;
  for (const auto& resource : store_.Resources()->List(state::kTokenKind, after, size)) {
    CDGATE_ASSIGN_OR_RETURN(*response.add_tokens(), resource->As<admin::v1::Token>());
    response.mutable_tokens()->rbegin()->clear_secret_digest();
  }
  if (static_cast<size_t>(response.tokens_size()) == size) {
    response.set_next_page_token(
        MakePageToken(kList, response.tokens(response.tokens_size() - 1).name()));
  }
  return response;
}

}  // namespace cdgate::api
