#include "federation/session/interest_history.h"

#include <memory>
#include <string>
#include <utility>

#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

using storage::v1::ShownInterests;

absl::StatusOr<ShownInterests> Read(const state::ResourcePtr& resource) {
  return resource == nullptr ? ShownInterests() : resource->As<ShownInterests>();
}

// False: one would have to go that is too young.
bool Append(std::string shown, absl::Time now, ShownInterests* all) {
  storage::v1::ShownInterest& last = *all->add_interests();
  last.set_interest(std::move(shown));
  last.set_arrival_time_nanos(absl::ToUnixNanos(now));
  auto& kept = *all->mutable_interests();
  while (kept.size() > kInterestsKept || all->ByteSizeLong() > kInterestBytesKept) {
    if (now < absl::FromUnixNanos(kept.begin()->arrival_time_nanos()) + kInterestAge) return false;
    kept.erase(kept.begin());
  }
  return true;
}

state::Proposal ProposalOf(const ShownInterests& all, absl::string_view peer, uint64_t version) {
  state::ResourceEdit edit;
  edit.kind = state::kInterestKind;
  edit.name = std::string(peer);
  edit.value = all.SerializeAsString();
  edit.expected_version = version;
  edit.author = std::string(peer);
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  return proposal;
}

}  // namespace

void RecordInterest(state::Store& store, absl::Time now, absl::string_view peer,
                    const federation::v1::Interest& shown) {
  const state::ResourcePtr last = store.Resources()->Find(state::kInterestKind, peer);
  ShownInterests all = Read(last).value_or(ShownInterests());
  std::string bytes = shown.SerializeAsString();
  if (!all.interests().empty() && all.interests().rbegin()->interest() == bytes) return;
  if (!Append(std::move(bytes), now, &all)) return;
  const auto log = [peer = std::string(peer)](const absl::Status& status) {
    base::LogError(base::LogLevel::kWarning, "what the peer wants is not kept", status,
                   {{"peer", peer}});
  };
  const absl::Status queued =
      store.Propose(ProposalOf(all, peer, last == nullptr ? 0 : last->version),
                    [log](const state::Outcome& outcome) {
                      if (!outcome.status.ok()) log(outcome.status);
                    });
  if (!queued.ok()) log(queued);
}

absl::StatusOr<InterestPtr> InterestOf(const state::Store& store, absl::string_view peer,
                                       uint64_t version) {
  if (version == 0) return std::make_shared<const policy::CompiledInterest>();
  CDGATE_ASSIGN_OR_RETURN(const ShownInterests all,
                          Read(store.Resources()->Find(state::kInterestKind, peer)));
  for (auto it = all.interests().rbegin(); it != all.interests().rend(); ++it) {
    federation::v1::Interest shown;
    if (!shown.ParseFromString(it->interest()) || shown.version() != version) continue;
    return std::make_shared<const policy::CompiledInterest>(
        policy::CompiledInterest::Compile(shown));
  }
  return InterestPtr();
}

absl::StatusOr<InterestPtr> NewestInterest(const state::Store& store, absl::string_view peer) {
  CDGATE_ASSIGN_OR_RETURN(const ShownInterests all,
                          Read(store.Resources()->Find(state::kInterestKind, peer)));
  federation::v1::Interest shown;
  if (all.interests().empty() || !shown.ParseFromString(all.interests().rbegin()->interest())) {
    return InterestPtr();
  }
  return std::make_shared<const policy::CompiledInterest>(policy::CompiledInterest::Compile(shown));
}

}  // namespace cdgate::session
