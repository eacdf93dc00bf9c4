#include "gateway/eventlog/commit_cache.h"

#include <utility>

#include "gateway/eventlog/backend.h"

namespace cdgate::eventlog {

void CommitCache::Put(const std::vector<event::CommitPtr>& commits,
                      std::vector<event::CommitPtr>* evicted) {
  for (const event::CommitPtr& commit : commits) {
    const auto [entry, added] = entries_.try_emplace(commit->first_sequence);
    if (!added) continue;
    order_.push_front(commit->first_sequence);
    entry->second = {commit, order_.begin()};
    bytes_ += commit->byte_size;
  }
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    const auto oldest = entries_.find(order_.back());
    bytes_ -= oldest->second.commit->byte_size;
    evicted->push_back(std::move(oldest->second.commit));
    entries_.erase(oldest);
    order_.pop_back();
  }
}

std::vector<event::CommitPtr> CommitCache::Get(base::Sequence from, ReadLimits limits) {
  std::vector<event::CommitPtr> out;
  auto it = entries_.upper_bound(from);
  if (it == entries_.begin()) return out;
  ReadBudget budget(limits);
  for (--it; it != entries_.end(); ++it) {
    const event::Commit& commit = *it->second.commit;
    const bool next = out.empty() ? commit.last_sequence >= from
                                  : commit.first_sequence == out.back()->last_sequence.Next();
    if (!next || !budget.Take(commit)) break;
    order_.splice(order_.begin(), order_, it->second.place);
    out.push_back(it->second.commit);
  }
  return out;
}

}  // namespace cdgate::eventlog
