#include "federation/session/given_notes.h"

#include <utility>

#include "absl/hash/hash.h"
#include "absl/time/time.h"

namespace cdgate::session {

void GivenNotes::Note(const event::Record& record) {
  if (sink_ == nullptr) return;
  const absl::string_view plane = record.stored().plane();
  const uint64_t hash = absl::HashOf(record.type(), record.source(), plane);
  if (told_.contains(hash) || pending_.size() >= kMaxGivenKinds) return;
  const auto [it, fresh] = pending_.try_emplace(hash);
  if (!fresh) return;
  it->second = {record.sequence(),
                {std::string(record.type()), std::string(record.source()), std::string(plane)}};
}

void GivenNotes::Drop(base::Sequence from) {
  Acknowledged(base::Sequence(0));  // sees that the day is another
  absl::erase_if(pending_, [from](const auto& entry) { return entry.second.sequence >= from; });
}

void GivenNotes::Acknowledged(base::Sequence through) {
  if (sink_ == nullptr) return;
  // What was told yesterday is told again.
  const int64_t day = (clock_.Now() - absl::UnixEpoch()) / absl::Hours(24);
  if (std::exchange(day_, day) != day || told_.size() >= kMaxGivenKinds) told_.clear();
  absl::erase_if(pending_, [this, through](const auto& entry) {
    if (entry.second.sequence > through) return false;
    told_.insert(entry.first);
    sink_->Given(peer_, entry.second.kind);
    return true;
  });
}

}  // namespace cdgate::session
