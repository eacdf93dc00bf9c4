#include "federation/session/lost_ranges.h"

#include <algorithm>
#include <string>
#include <utility>

#include "federation/session/session_types.h"
#include "gateway/base/logging.h"

namespace cdgate::session {
namespace {

using storage::v1::LostRange;
using storage::v1::LostRanges;

// Of the life of the log that `epoch` names, a new one where there is none yet.
LostRange& RangeOf(absl::string_view epoch, LostRanges* all) {
  auto& ranges = *all->mutable_ranges();
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const LostRange& range) { return range.epoch() == epoch; });
  if (found != ranges.end()) return *found;
  if (ranges.size() >= kMaxLostRanges) ranges.erase(ranges.begin());
  return *ranges.Add();
}

LostRange ToRange(const state::Store& store, absl::Time now, absl::string_view peer,
                  const link::PeerIsAhead& ahead) {
  LostRange range;
  range.set_epoch(ahead.epoch.value());
  range.set_first_sequence(ahead.first.value());
  range.set_last_sequence(ahead.last.value());
  range.set_link_epoch(ahead.link_epoch);
  range.set_position(ahead.position.value());
  range.set_found_time_nanos(absl::ToUnixNanos(now));
  const auto recorded = store.Cursor(ExportCursorName(peer));
  if (recorded && recorded->epoch() == ahead.link_epoch) {
    range.set_recorded_position(recorded->position());
  }
  return range;
}

void Commit(state::Store& store, absl::string_view peer, const LostRanges& all) {
  const state::ResourcePtr before = store.Resources()->Find(kLostRangeKind, peer);
  state::Proposal proposal;
  proposal.resources.push_back({.kind = kLostRangeKind,
                                .name = std::string(peer),
                                .value = all.SerializeAsString(),
                                .expected_version = before == nullptr ? 0 : before->version,
                                .author = std::string(peer)});
  const auto log = [peer = std::string(peer)](const absl::Status& status) {
    base::LogError(base::LogLevel::kWarning, "what the peer has of lost events is not kept", status,
                   {{"peer", peer}});
  };
  const absl::Status queued =
      store.Propose(std::move(proposal), [log](const state::Outcome& outcome) {
        if (!outcome.status.ok()) log(outcome.status);
      });
  if (!queued.ok()) log(queued);
}

}  // namespace

absl::StatusOr<LostRanges> LostRangesOf(const state::ResourceSnapshot& resources,
                                        absl::string_view peer) {
  const state::ResourcePtr stored = resources.Find(kLostRangeKind, peer);
  return stored == nullptr ? LostRanges() : stored->As<LostRanges>();
}

void RecordLost(state::Store& store, absl::Time now, absl::string_view peer,
                const link::PeerIsAhead& ahead) {
  LostRanges all = LostRangesOf(*store.Resources(), peer).value_or(LostRanges());
  LostRange& range = RangeOf(ahead.epoch.value(), &all);
  if (range.last_sequence() >= ahead.last.value()) return;
  range = ToRange(store, now, peer, ahead);
  Commit(store, peer, all);
}

void RecordFetched(state::Store& store, absl::string_view peer,
                   const storage::v1::FetchedEvents& fetched) {
  LostRanges all = LostRangesOf(*store.Resources(), peer).value_or(LostRanges());
  *all.mutable_fetched() = fetched;
  Commit(store, peer, all);
}

}  // namespace cdgate::session
