#include "federation/session/decision_basis.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/session/interest_history.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

using policy::CompiledPolicy;
using PolicyPtr = std::shared_ptr<const CompiledPolicy>;

absl::StatusOr<policy::EnvironmentPtr> ReadEnvironment(const state::ResourcePtr& resource) {
  if (resource == nullptr) return policy::Environment::BuiltIn();
  CDGATE_ASSIGN_OR_RETURN(const auto stored, resource->As<storage::v1::DecisionEnvironment>());
  return policy::Environment::Make(stored, resource->version);
}

// The version of a resource, now or in its history; null where it is not kept.
absl::StatusOr<state::ResourcePtr> VersionOf(const state::Store& store, const char* kind,
                                             absl::string_view name, uint64_t version) {
  if (version == 0) return state::ResourcePtr();
  state::ResourcePtr now = store.Resources()->Find(kind, name);
  if (now != nullptr && now->version == version) return now;
  CDGATE_ASSIGN_OR_RETURN(const auto history, store.History(kind, name));
  for (const state::ResourcePtr& candidate : history) {
    if (candidate->version == version && !candidate->deleted) return candidate;
  }
  return state::ResourcePtr();
}

// One that is damaged, or that this release does not take, allows nothing: as PolicyWatch has
// it, which logs why.
PolicyPtr ReadPolicy(const state::ResourcePtr& resource, const policy::Environment& environment) {
  if (resource == nullptr) return nullptr;
  const auto stored = resource->As<admin::v1::Policy>();
  if (!stored.ok()) return nullptr;
  auto compiled =
      CompiledPolicy::Compile(*stored, resource->version, nullptr, {.environment = &environment});
  return compiled.ok() ? *std::move(compiled) : PolicyPtr();
}

}  // namespace

policy::ExportContext DecisionBasis::ForExport(absl::string_view own_domain,
                                               policy::EventTransformer& transformer,
                                               policy::DecisionMemo* memo) const {
  policy::ExportContext context;
  context.own_domain = own_domain;
  context.interest = interest.get();
  context.environment = environment.get();
  context.keys = keys.get();
  context.transformer = &transformer;
  if (epoch.engine_version() != 0) context.engine_version = epoch.engine_version();
  context.memo = memo;
  return context;
}

policy::ImportContext DecisionBasis::ForImport(absl::string_view own_domain, absl::string_view peer,
                                               policy::DecisionMemo* memo) const {
  policy::ImportContext context;
  context.peer = peer;
  context.own_domain = own_domain;
  context.environment = environment.get();
  context.memo = memo;
  return context;
}

absl::StatusOr<policy::EnvironmentPtr> EnvironmentIn(const state::ResourceSnapshot& resources) {
  return ReadEnvironment(resources.Find(state::kEnvironmentKind, state::kEnvironmentName));
}

absl::StatusOr<PolicyPtr> BasisSource::PolicyOf(absl::string_view peer, uint64_t version,
                                                const policy::EnvironmentPtr& environment) {
  const auto [slot, fresh] =
      policies_.try_emplace({std::string(peer), version, environment->version()});
  if (!fresh) return slot->second;
  CDGATE_ASSIGN_OR_RETURN(const state::ResourcePtr resource,
                          VersionOf(store_, state::kPolicyKind, peer, version));
  slot->second = ReadPolicy(resource, *environment);
  return slot->second;
}

absl::StatusOr<policy::EnvironmentPtr> BasisSource::EnvironmentOf(uint64_t version) {
  const auto found = environments_.find(version);
  if (found != environments_.end()) return found->second;
  CDGATE_ASSIGN_OR_RETURN(
      const state::ResourcePtr resource,
      VersionOf(store_, state::kEnvironmentKind, state::kEnvironmentName, version));
  CDGATE_ASSIGN_OR_RETURN(environments_[version], ReadEnvironment(resource));
  return environments_[version];
}

absl::StatusOr<policy::KeyringPtr> BasisSource::KeysOf(absl::string_view peer) {
  const auto [slot, fresh] = keys_.try_emplace(std::string(peer));
  if (!fresh) return slot->second;
  CDGATE_ASSIGN_OR_RETURN(slot->second, keeper_.KeysOf(*store_.Resources(), peer));
  return slot->second;
}

absl::StatusOr<DecisionBasis> BasisSource::Current(absl::string_view peer) {
  const state::ResourcePtr resource = store_.Resources()->Find(state::kPolicyKind, peer);
  if (resource == nullptr) return Candidate(peer, nullptr);
  CDGATE_ASSIGN_OR_RETURN(const policy::EnvironmentPtr environment,
                          EnvironmentIn(*store_.Resources()));
  CDGATE_ASSIGN_OR_RETURN(PolicyPtr policy, PolicyOf(peer, resource->version, environment));
  return Candidate(peer, std::move(policy));
}

absl::StatusOr<DecisionBasis> BasisSource::Candidate(absl::string_view peer, PolicyPtr policy) {
  DecisionBasis basis;
  basis.policy = std::move(policy);
  CDGATE_ASSIGN_OR_RETURN(basis.environment, EnvironmentIn(*store_.Resources()));
  CDGATE_ASSIGN_OR_RETURN(basis.interest, NewestInterest(store_, peer));
  CDGATE_ASSIGN_OR_RETURN(basis.keys, KeysOf(peer));
  basis.epoch.set_policy_version(basis.policy == nullptr ? 0 : basis.policy->version());
  basis.epoch.set_interest_version(basis.interest == nullptr ? 0 : basis.interest->version());
  basis.epoch.set_environment_version(basis.environment->version());
  basis.epoch.set_engine_version(policy::kEngineVersion);
  return basis;
}

absl::StatusOr<DecisionBasis> BasisSource::Of(absl::string_view peer,
                                              const storage::v1::PolicyEpoch& epoch) {
  DecisionBasis basis;
  basis.epoch = epoch;
  CDGATE_ASSIGN_OR_RETURN(basis.environment, EnvironmentOf(epoch.environment_version()));
  CDGATE_ASSIGN_OR_RETURN(basis.policy, PolicyOf(peer, epoch.policy_version(), basis.environment));
  CDGATE_ASSIGN_OR_RETURN(basis.keys, KeysOf(peer));
  std::optional<InterestPtr>& interest = interests_[{std::string(peer), epoch.interest_version()}];
  if (!interest) {
    CDGATE_ASSIGN_OR_RETURN(interest, InterestOf(store_, peer, epoch.interest_version()));
  }
  basis.interest = *interest;
  basis.interest_known = basis.interest != nullptr;
  return basis;
}

}  // namespace cdgate::session
