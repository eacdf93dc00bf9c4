#include "federation/session/policy_watch.h"

#include <utility>

#include "gateway/base/logging.h"

namespace cdgate::session {
namespace {

PeerPolicy Compile(const state::StoredResource& resource) {
  const auto policy = resource.As<admin::v1::Policy>();
  absl::Status status = policy.status();
  if (policy.ok()) {
    auto compiled = policy::CompiledPolicy::Compile(*policy, resource.version);
    if (compiled.ok()) {
      return {*std::move(compiled), policy::BuildInterest(*policy, resource.version)};
    }
    status = compiled.status();
  }
  // It was checked when it was applied; whatever is wrong now, fail closed.
  base::LogError(base::LogLevel::kError, "policy not taken; nothing crosses", status,
                 {{"peer", resource.name}});
  return NoPolicy();
}

}  // namespace

PeerPolicy NoPolicy() {
  PeerPolicy policy;
  policy.interest.set_paused(true);
  return policy;
}

bool PolicyWatch::Refresh() {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  if (resources->commit() == seen_commit_) return false;
  seen_commit_ = resources->commit();
  const state::ResourcePtr resource = resources->Find(state::kPolicyKind, peer_);
  const uint64_t version = resource == nullptr ? 0 : resource->version;
  if (version == version_) return false;
  version_ = version;
  current_ = resource == nullptr ? NoPolicy() : Compile(*resource);
  return true;
}

}  // namespace cdgate::session
