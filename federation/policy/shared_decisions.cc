#include "federation/policy/shared_decisions.h"

#include <utility>

namespace cdgate::policy {

const RuleOutcome* RuleOutcomes::Of(base::Sequence sequence) const {
  const uint64_t index = sequence.value() - first_.value();
  if (sequence < first_ || index >= entries_.size() || !entries_[index].tried) return nullptr;
  return &entries_[index].outcome;
}

RuleOutcomesPtr SharedDecisions::Of(const CompiledPolicy::Side& side, const event::Commit& commit,
                                    filter::EventContext& event, DecisionMemo* memo) {
  if (side.list == nullptr || side.list.use_count() < 2 || side.rules.empty()) return nullptr;
  const Key key(side.serial, commit.number, commit.epoch);
  RuleOutcomesPtr found;
  if (Find(key, &found)) return found;
  auto made = std::make_shared<RuleOutcomes>();
  made->first_ = commit.first_sequence;
  made->entries_.reserve(commit.events.size());
  uint64_t tried = 0;
  for (const event::Record& record : commit.events) {
    RuleOutcomes::Entry& entry = made->entries_.emplace_back();
    if (record.origin() != own_domain_) continue;
    event.Reset(record);
    entry.outcome = TryRules(side, event, memo == nullptr ? nullptr : &memo->rules);
    entry.tried = true;
    ++tried;
  }
  Keep(key, made, tried);
  return made;
}

bool SharedDecisions::Find(const Key& key, RuleOutcomesPtr* out) {
  base::MutexLock lock(mu_);
  const auto [it, added] = commits_.try_emplace(key);
  if (!added) {
    *out = it->second;
    return true;
  }
  order_.push_back(key);
  if (order_.size() > max_commits_) {
    commits_.erase(order_.front());
    order_.pop_front();
  }
  return false;
}

// Where it was given up meanwhile for newer ones, it is not kept.
void SharedDecisions::Keep(const Key& key, RuleOutcomesPtr outcomes, uint64_t tried) {
  base::MutexLock lock(mu_);
  tried_ += tried;
  const auto it = commits_.find(key);
  if (it != commits_.end()) it->second = std::move(outcomes);
}

uint64_t SharedDecisions::tried() const {
  base::MutexLock lock(mu_);
  return tried_;
}

}  // namespace cdgate::policy
