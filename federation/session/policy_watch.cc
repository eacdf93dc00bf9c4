#include "federation/session/policy_watch.h"

#include <utility>

#include "federation/session/decision_basis.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

absl::StatusOr<PeerPolicy> CompilePolicy(const state::ResourceSnapshot& resources,
                                         const state::StoredResource& resource) {
  CDGATE_ASSIGN_OR_RETURN(const auto policy, resource.As<admin::v1::Policy>());
  PeerPolicy out;
  CDGATE_ASSIGN_OR_RETURN(out.environment, EnvironmentIn(resources));
  CDGATE_ASSIGN_OR_RETURN(out.compiled,
                          policy::CompiledPolicy::Compile(policy, resource.version, nullptr,
                                                          {.environment = out.environment.get()}));
  out.interest = policy::BuildInterest(policy, resource.version);
  return out;
}

}  // namespace

PeerPolicy NoPolicy() {
  PeerPolicy policy;
  policy.interest.set_paused(true);
  return policy;
}

PolicyWatch::Versions PolicyWatch::VersionsIn(const state::ResourceSnapshot& resources) const {
  const auto version = [&](absl::string_view kind, absl::string_view name) {
    const state::ResourcePtr resource = resources.Find(kind, name);
    return resource == nullptr ? 0 : resource->version;
  };
  return {version(state::kPolicyKind, peer_),
          version(state::kEnvironmentKind, state::kEnvironmentName),
          version(state::kPseudonymKind, peer_)};
}

// It was checked when it was applied; whatever is wrong now, fail closed.
PeerPolicy PolicyWatch::Compile(const state::ResourceSnapshot& resources) const {
  const state::ResourcePtr resource = resources.Find(state::kPolicyKind, peer_);
  if (resource == nullptr) return NoPolicy();
  absl::StatusOr<PeerPolicy> policy = CompilePolicy(resources, *resource);
  if (!policy.ok()) {
    base::LogError(base::LogLevel::kError, "policy not taken; nothing crosses", policy.status(),
                   {{"peer", peer_}});
    return NoPolicy();
  }
  absl::StatusOr<policy::KeyringPtr> keys = keeper_.KeysOf(resources, peer_);
  if (keys.ok()) {
    policy->keys = *std::move(keys);
  } else {
    base::LogError(base::LogLevel::kError, "no keys for pseudonyms; what needs one does not cross",
                   keys.status(), {{"peer", peer_}});
  }
  return *std::move(policy);
}

bool PolicyWatch::Refresh() {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  if (resources->commit() == seen_commit_) return false;
  seen_commit_ = resources->commit();
  const Versions versions = VersionsIn(*resources);
  if (versions == versions_) return false;
  versions_ = versions;
  current_ = Compile(*resources);
  return true;
}

}  // namespace cdgate::session
