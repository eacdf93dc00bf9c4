#include "gateway/app/policy_upkeep.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "federation/session/decision_basis.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

using policy::CompiledPolicy;

bool Allows(const CompiledPolicy::Side& side) {
  return std::any_of(side.rules.begin(), side.rules.end(),
                     [](const CompiledPolicy::Rule& rule) { return rule.allow; });
}

absl::Status Judge(const state::StoredResource& resource,
                   const state::ResourceSnapshot& resources) {
  CDGATE_ASSIGN_OR_RETURN(const auto policy, resource.As<admin::v1::Policy>());
  CDGATE_ASSIGN_OR_RETURN(const auto environment, session::EnvironmentIn(resources));
  CDGATE_ASSIGN_OR_RETURN(const auto compiled,
                          CompiledPolicy::Compile(policy, resource.version, nullptr,
                                                  {.environment = environment.get()}));
  if (Allows(compiled->exports()) || Allows(compiled->imports())) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kNoPolicy,
      absl::StrCat("the policy for peer ", resource.name, " has no rule that allows anything"));
}

}  // namespace

absl::Status PolicyUpkeep::StateOf(absl::string_view peer) {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  const state::ResourcePtr resource = resources->Find(state::kPolicyKind, peer);
  if (resource == nullptr) {
    return base::MakeError(base::Reason::kNoPolicy, absl::StrCat("no policy for peer ", peer));
  }
  const state::ResourcePtr environment =
      resources->Find(state::kEnvironmentKind, state::kEnvironmentName);
  {
    base::MutexLock lock(mu_);
    const auto known = judged_.find(peer);
    if (known != judged_.end() && known->second.policy == resource &&
        known->second.environment == environment) {
      return known->second.status;
    }
  }
  const absl::Status status = Judge(*resource, *resources);
  base::MutexLock lock(mu_);
  judged_[std::string(peer)] = {resource, environment, status};
  return status;
}

void PolicyUpkeep::RenewKeys() {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  const auto first = store_.ReadEvent(store_.first().sequence);
  const absl::Time oldest = first.ok() ? first->record->accept_time() : clock_.Now();
  state::Proposal proposal;
  for (const state::ResourcePtr& peer : resources->List(state::kPeerKind)) {
    if (auto forget = keeper_.Forget(*resources, peer->name, oldest)) {
      proposal.resources.push_back(*std::move(forget));
      continue;  // one change of a resource at a time
    }
    if (key_period_ == absl::ZeroDuration()) continue;
    const absl::Time since = session::PseudonymKeeper::NewestSince(*resources, peer->name);
    const auto made = peer->As<admin::v1::Peer>();
    const absl::Time begun =
        made.ok() ? absl::FromUnixSeconds(made->create_time().seconds()) : absl::InfinitePast();
    if (clock_.Now() < std::max(since, begun) + key_period_) continue;
    uint32_t version = 0;
    auto next = keeper_.Rotate(*resources, peer->name, "cdgate", &version);
    if (next.ok()) proposal.resources.push_back(*std::move(next));
  }
  if (proposal.resources.empty()) return;
  const auto log = [](const absl::Status& status) {
    if (status.ok()) return;
    base::LogError(base::LogLevel::kWarning, "keys of pseudonyms kept for now", status);
  };
  log(store_.Propose(std::move(proposal), [log](const state::Outcome& o) { log(o.status); }));
}

}  // namespace cdgate::app
