#include "gateway/api/policy_candidate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "federation/policy/widening.h"
#include "federation/session/decision_basis.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

absl::Status CheckPeer(absl::string_view peer) {
  if (trust::ValidTrustDomain(peer)) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kInvalidPolicy,
      absl::StrCat("peer: ", base::Shorten(peer), " is not a domain; write it like beta.example"),
      {{"path", "peer"}});
}

absl::Status CheckBase(const CandidateRequest& request, absl::string_view peer, uint64_t now) {
  if (request.base_version == 0 || request.base_version == now) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kEtagMismatch,
      absl::StrCat("the policy for ", peer, " has version ", now, ", not ", request.base_version,
                   "; read it again and repeat the change"));
}

// The policy that is asked for, with its text.
absl::StatusOr<PolicyCandidate> Read(const state::Store& store, const CandidateRequest& request) {
  PolicyCandidate out;
  if (request.restore_version == 0) {
    out.policy = request.policy;
    out.source = request.source;
    return out;
  }
  CDGATE_ASSIGN_OR_RETURN(const state::ResourcePtr old,
                          FindPolicy(store, request.peer, request.restore_version));
  CDGATE_ASSIGN_OR_RETURN(out.policy, old->As<admin::v1::Policy>());
  out.source = old->source;
  out.restored_version = old->version;
  return out;
}

}  // namespace

std::vector<policy::Finding> FindingsOf(const admin::v1::Policy& policy,
                                        const state::ResourceSnapshot& resources,
                                        const CandidateContext& context) {
  const auto stored = session::EnvironmentIn(resources);
  const policy::EnvironmentPtr environment = stored.ok() ? *stored : policy::Environment::BuiltIn();
  std::vector<policy::Finding> findings = policy::CheckPolicy(
      policy,
      {.environment = environment.get(), .own_domain = context.own_domain, .now = context.now});
  if (resources.Find(state::kPeerKind, policy.peer()) == nullptr) {
    policy::Finding finding;
    finding.path = "peer";
    finding.message = absl::StrCat("there is no agreement with ", base::Shorten(policy.peer()),
                                   " yet; the policy has no effect until there is");
    findings.push_back(std::move(finding));
  }
  return findings;
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

absl::StatusOr<state::ResourcePtr> FindPolicy(const state::Store& store, absl::string_view peer,
                                              uint64_t version) {
  state::ResourcePtr now = store.Resources()->Find(state::kPolicyKind, peer);
  if (now != nullptr && (version == 0 || now->version == version)) return now;
  if (version != 0) {
    CDGATE_ASSIGN_OR_RETURN(const auto history, store.History(state::kPolicyKind, peer));
    for (const state::ResourcePtr& old : history) {
      if (old->version == version && !old->deleted) return old;
    }
  }
  return base::MakeError(base::Reason::kNotFound,
                         version == 0
                             ? absl::StrCat("no policy for peer ", base::Shorten(peer),
                                            "; without one nothing crosses; apply one")
                             : absl::StrCat("the policy for peer ", base::Shorten(peer),
                                            " has no version ", version, "; list its versions"),
                         {{"peer", std::string(peer)}});
}

absl::StatusOr<PolicyCandidate> ReadCandidate(const state::Store& store,
                                              const CandidateRequest& request,
                                              const CandidateContext& context) {
  CDGATE_ASSIGN_OR_RETURN(PolicyCandidate out, Read(store, request));
  CDGATE_RETURN_IF_ERROR(CheckPeer(out.policy.peer()));
  const auto resources = store.Resources();
  out.findings = FindingsOf(out.policy, *resources, context);
  CDGATE_RETURN_IF_ERROR(FirstError(out.findings));

  const state::ResourcePtr latest = resources->Latest(state::kPolicyKind, out.policy.peer());
  const bool in_force = latest != nullptr && !latest->deleted;
  out.base_version = in_force ? latest->version : 0;
  CDGATE_RETURN_IF_ERROR(CheckBase(request, out.policy.peer(), out.base_version));
  CDGATE_ASSIGN_OR_RETURN(const policy::EnvironmentPtr environment,
                          session::EnvironmentIn(*resources));
  // A damaged one lets nothing cross: what replaces it is judged as the first one.
  admin::v1::Policy before;
  if (in_force && !before.ParseFromString(latest->value)) before.Clear();
  out.widens = policy::WhyWidens(
      &before, out.policy,
      {.known = environment->labels(), .max_event_bytes = context.max_event_bytes});
  CDGATE_ASSIGN_OR_RETURN(out.compiled,
                          policy::CompiledPolicy::Compile(
                              out.policy, (latest == nullptr ? 0 : latest->version) + 1, nullptr,
                              {.environment = environment.get(),
                               .own_domain = context.own_domain,
                               .now = context.now}));
  return out;
}

}  // namespace cdgate::api
