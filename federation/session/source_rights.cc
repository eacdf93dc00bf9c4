#include "federation/session/source_rights.h"

#include <algorithm>

#include "cdgate/admin/v1/resources.pb.h"

namespace cdgate::session {

void SourceRights::Refresh() {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  const uint64_t change = resources->LastChange(state::kPeerKind);
  if (change == seen_change_) return;
  seen_change_ = change;
  sources_.clear();
  for (const state::ResourcePtr& resource : resources->List(state::kPeerKind)) {
    const auto peer = resource->As<admin::v1::Peer>();
    // One that cannot be read has no link, and its events would come from others: they may not.
    if (peer.ok() && peer->sources().empty()) continue;
    auto& patterns = sources_[resource->name];
    if (!peer.ok()) continue;
    for (const std::string& source : peer->sources()) patterns.emplace_back(source);
  }
}

bool SourceRights::May(absl::string_view origin, absl::string_view source) const {
  const auto it = sources_.find(origin);
  if (it == sources_.end()) return true;
  return std::any_of(it->second.begin(), it->second.end(),
                     [source](const auto& pattern) { return pattern.Matches(source); });
}

}  // namespace cdgate::session
