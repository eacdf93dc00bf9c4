#include "gateway/api/peering_api.h"

#include <algorithm>

#include "federation/session/export_stop.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

template <typename Rules>
bool AnyAllows(const Rules& rules) {
  return std::any_of(rules.begin(), rules.end(),
                     [](const auto& rule) { return rule.action() == admin::v1::ACTION_ALLOW; });
}

}  // namespace

bool ExportsSomething(const admin::v1::Policy& policy) {
  return AnyAllows(policy.export_().rules());
}
bool ImportsSomething(const admin::v1::Policy& policy) {
  return AnyAllows(policy.import().rules());
}

absl::Status PeeringApi::Register(rpc::Router& router) {
  using namespace federation::v1;  // request and response names, here only
  return router.Register(OnPool<GetAgreementRequest, GetAgreementResponse>(
      "/cdgate.federation.v1.PeeringService/GetAgreement", pool_,
      [this](const rpc::Call& call, const auto& request) {
        return Get(call.principal.domain, request);
      }));
}

absl::StatusOr<federation::v1::GetAgreementResponse> PeeringApi::Get(
    const std::string& peer, const federation::v1::GetAgreementRequest& request) const {
  const auto resources = store_.Resources();
  const auto stored = resources->Find(state::kPeerKind, peer);
  if (stored == nullptr) {
    return base::MakeError(base::Reason::kNoAgreement, "there is no agreement with your domain");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto agreement, stored->As<admin::v1::Peer>());
  federation::v1::GetAgreementResponse out;
  *out.mutable_now() = ToProto(clock_.Now());
  out.set_same_agreement(agreement.agreement_id() == request.agreement_id());
  out.set_approved(agreement.state() == admin::v1::PEER_STATE_APPROVED);
  if (agreement.has_expire_time()) *out.mutable_expire_time() = agreement.expire_time();
  out.set_started_frozen(facts_.started_frozen());
  out.set_exports_stopped(session::ExportsStopped(*resources));
  const absl::Status stall = facts_.import_stall(peer);
  if (!stall.ok()) {
    out.set_import_stall(
        base::ReasonLabel(base::ReasonOf(stall).value_or(base::Reason::kInternal)));
  }
  if (const auto policy = resources->Find(state::kPolicyKind, peer)) {
    CDGATE_ASSIGN_OR_RETURN(const auto rules, policy->As<admin::v1::Policy>());
    out.set_exports_something(ExportsSomething(rules));
    out.set_imports_something(ImportsSomething(rules));
  }
  return out;
}

}  // namespace cdgate::api
