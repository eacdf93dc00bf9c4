#include "federation/manager/invite_upkeep.h"

#include <utility>
#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::manager {
namespace {

constexpr size_t kMostAtOnce = 256;

absl::Time ExpiryOf(const admin::v1::Invite& invite) {
  return absl::FromUnixSeconds(invite.expire_time().seconds());
}

// By name, those that are due.
std::vector<std::pair<state::ResourcePtr, admin::v1::Invite>> Due(
    const state::ResourceSnapshot& resources, absl::Time now) {
  std::vector<std::pair<state::ResourcePtr, admin::v1::Invite>> due;
  for (const state::ResourcePtr& stored : resources.List(state::kInviteKind)) {
    auto invite = stored->As<admin::v1::Invite>();
    if (!invite.ok()) {
      base::LogError(base::LogLevel::kWarning, "invite kept", invite.status());
      continue;
    }
    if (ExpiryOf(*invite) + kInviteKept > now) continue;
    due.emplace_back(stored, *std::move(invite));
    if (due.size() == kMostAtOnce) break;
  }
  return due;
}

void LogRemoved(const admin::v1::Invite& invite) {
  base::Log(
      base::LogLevel::kInfo, "invite removed",
      {{"invite", invite.id()},
       {"author", invite.author()},
       {"expired", absl::FormatTime(absl::RFC3339_sec, ExpiryOf(invite), absl::UTCTimeZone())},
       {"redeemed_by", invite.redeemed_by()}});
}

}  // namespace

absl::Status RemoveOldInvites(state::Store& store, absl::Time now) {
  auto due = Due(*store.Resources(), now);
  if (due.empty()) return absl::OkStatus();
  state::Proposal proposal;
  for (const auto& [stored, invite] : due) {
    proposal.resources.push_back({.kind = state::kInviteKind,
                                  .name = stored->name,
                                  .deleted = true,
                                  .expected_version = stored->version,
                                  .author = kInviteUpkeepAuthor});
  }
  return store.Propose(std::move(proposal), [due = std::move(due)](const state::Outcome& outcome) {
    if (!outcome.status.ok()) {
      return base::LogError(base::LogLevel::kWarning, "old invites kept for now", outcome.status);
    }
    for (const auto& [stored, invite] : due) LogRemoved(invite);
  });
}

}  // namespace cdgate::manager
