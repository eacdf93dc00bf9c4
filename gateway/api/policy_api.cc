#include "gateway/api/policy_api.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "federation/policy/policy.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kCheck[] = "/cdgate.admin.v1.AdminService/CheckPolicy";
constexpr char kApply[] = "/cdgate.admin.v1.AdminService/ApplyPolicy";
constexpr char kGet[] = "/cdgate.admin.v1.AdminService/GetPolicy";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListPolicies";
constexpr char kListVersions[] = "/cdgate.admin.v1.AdminService/ListPolicyVersions";

absl::Status NoPolicy(absl::string_view peer, uint64_t version) {
  return base::MakeError(base::Reason::kNotFound,
                         version == 0
                             ? absl::StrCat("no policy for peer ", base::Shorten(peer),
                                            "; without one nothing crosses; apply one")
                             : absl::StrCat("the policy for peer ", base::Shorten(peer),
                                            " has no version ", version, "; list its versions"),
                         {{"peer", std::string(peer)}});
}

// Errors of the policy itself, and what of its surroundings deserves a warning.
std::vector<policy::Finding> FindingsOf(const admin::v1::Policy& policy,
                                        const state::ResourceSnapshot& resources) {
  std::vector<policy::Finding> findings = policy::CheckPolicy(policy);
  if (resources.Find(state::kPeerKind, policy.peer()) == nullptr) {
    policy::Finding finding;
    finding.path = "peer";
    finding.message = absl::StrCat("there is no agreement with ", base::Shorten(policy.peer()),
                                   " yet; the policy has no effect until there is");
    findings.push_back(std::move(finding));
  }
  return findings;
}

template <typename Response>
void AddFindings(const std::vector<policy::Finding>& findings, Response* response) {
  for (const policy::Finding& finding : findings) {
    *response->add_findings() = policy::ToProto(finding);
  }
}

absl::Status FirstError(const std::vector<policy::Finding>& findings) {
  for (const policy::Finding& finding : findings) {
    if (!finding.error) continue;
    return base::MakeError(base::Reason::kInvalidPolicy,
                           absl::StrCat(finding.path, ": ", finding.message),
                           {{"path", finding.path}, {"rule", finding.rule}});
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const admin::v1::ApplyPolicyRequest& request) {
  CDGATE_RETURN_IF_ERROR(request.unplanned() || request.validate_only()
                             ? absl::OkStatus()
                             : base::MakeError(base::Reason::kPlanRequired,
                                               "a policy is applied with the hash of its plan, "
                                               "or with --unplanned"));
  if (trust::ValidTrustDomain(request.policy().peer())) return absl::OkStatus();
  return base::MakeError(base::Reason::kInvalidPolicy,
                         absl::StrCat("peer: ", base::Shorten(request.policy().peer()),
                                      " is not a domain; write it like beta.example"),
                         {{"path", "peer"}});
}

state::ResourceEdit EditOf(const rpc::Call& call, const admin::v1::ApplyPolicyRequest& request) {
  state::ResourceEdit edit;
  edit.kind = state::kPolicyKind;
  edit.name = request.policy().peer();
  edit.value = request.policy().SerializeAsString();
  if (request.base_version() != 0) edit.expected_version = request.base_version();
  edit.author = call.principal.id;
  edit.source = request.source();
  edit.unplanned = request.unplanned();
  return edit;
}

}  // namespace

absl::StatusOr<admin::v1::PolicyVersion> ToPolicyVersion(const state::StoredResource& resource) {
  admin::v1::PolicyVersion out;
  CDGATE_ASSIGN_OR_RETURN(*out.mutable_policy(), resource.As<admin::v1::Policy>());
  out.set_version(resource.version);
  out.set_base_version(resource.base_version);
  out.set_author(resource.author);
  *out.mutable_apply_time() = ToProto(resource.commit_time);
  out.set_effective_sequence(resource.effective_sequence.value());
  out.set_unplanned(resource.unplanned);
  out.set_source(resource.source);
  return out;
}

absl::Status PolicyApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<CheckPolicyRequest, CheckPolicyResponse>(
      kCheck, pool_, [this](const rpc::Call&, const auto& request) { return Check(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApplyPolicyRequest, ApplyPolicyResponse>(
      kApply, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Apply(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetPolicyRequest, PolicyVersion>(
      kGet, pool_, [this](const rpc::Call&, const auto& request) { return Get(request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListPoliciesRequest, ListPoliciesResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); })));
  return router.Register(OnPool<ListPolicyVersionsRequest, ListPolicyVersionsResponse>(
      kListVersions, pool_,
      [this](const rpc::Call&, const auto& request) { return ListVersions(request); }));
}

absl::StatusOr<admin::v1::CheckPolicyResponse> PolicyApi::Check(
    const admin::v1::CheckPolicyRequest& request) const {
  const auto findings = FindingsOf(request.policy(), *store_.Resources());
  admin::v1::CheckPolicyResponse response;
  response.set_valid(FirstError(findings).ok());
  AddFindings(findings, &response);
  return response;
}

void PolicyApi::Apply(const rpc::Call& call, const admin::v1::ApplyPolicyRequest& request,
                      const rpc::Reply<admin::v1::ApplyPolicyResponse>& reply) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return reply(status);
  const auto findings = FindingsOf(request.policy(), *store_.Resources());
  if (absl::Status status = FirstError(findings); !status.ok()) return reply(status);
  auto response = std::make_shared<admin::v1::ApplyPolicyResponse>();
  AddFindings(findings, response.get());
  if (request.validate_only()) return reply(*response);

  state::Proposal proposal;
  proposal.resources.push_back(EditOf(call, request));
  const std::string peer = request.policy().peer();
  const absl::Status queued =
      store_.Propose(std::move(proposal), [this, reply, response, peer](state::Outcome outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        const state::ResourcePtr applied = store_.Resources()->Find(state::kPolicyKind, peer);
        if (applied == nullptr) return reply(NoPolicy(peer, 0));
        auto version = ToPolicyVersion(*applied);
        if (!version.ok()) return reply(version.status());
        *response->mutable_version() = *std::move(version);
        reply(*response);
      });
  if (!queued.ok()) reply(queued);
}

absl::StatusOr<admin::v1::PolicyVersion> PolicyApi::Get(
    const admin::v1::GetPolicyRequest& request) const {
  if (request.version() == 0) {
    const state::ResourcePtr found = store_.Resources()->Find(state::kPolicyKind, request.peer());
    if (found == nullptr) return NoPolicy(request.peer(), 0);
    return ToPolicyVersion(*found);
  }
  CDGATE_ASSIGN_OR_RETURN(const auto history, store_.History(state::kPolicyKind, request.peer()));
  for (const state::ResourcePtr& version : history) {
    if (version->version == request.version() && !version->deleted) {
      return ToPolicyVersion(*version);
    }
  }
  return NoPolicy(request.peer(), request.version());
}

absl::StatusOr<admin::v1::ListPoliciesResponse> PolicyApi::List(
    const admin::v1::ListPoliciesRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  admin::v1::ListPoliciesResponse response;
  for (const auto& resource : store_.Resources()->List(state::kPolicyKind, after, size)) {
    CDGATE_ASSIGN_OR_RETURN(*response.add_policies(), ToPolicyVersion(*resource));
  }
  if (static_cast<size_t>(response.policies_size()) == size) {
    response.set_next_page_token(
        MakePageToken(kList, response.policies(response.policies_size() - 1).policy().peer()));
  }
  return response;
}

absl::StatusOr<admin::v1::ListPolicyVersionsResponse> PolicyApi::ListVersions(
    const admin::v1::ListPolicyVersionsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const auto history, store_.History(state::kPolicyKind, request.peer()));
  if (history.empty()) return NoPolicy(request.peer(), 0);
  admin::v1::ListPolicyVersionsResponse response;
  for (const state::ResourcePtr& version : history) {
    if (version->deleted) continue;
    CDGATE_ASSIGN_OR_RETURN(*response.add_versions(), ToPolicyVersion(*version));
  }
  return response;
}

}  // namespace cdgate::api
