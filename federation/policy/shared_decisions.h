// What the rules of policies come to for the events of a commit, computed once for all peers
// whose policies have the same conditions.
//
//   SharedDecisions shared("alpha.example");                             // one per gateway
//   const RuleOutcomesPtr rules = shared.Of(policy->exports(), *commit, context, &memo);
//   for (const event::Record& record : commit->events) {
//     context.Reset(record);
//     DecideExport(policy, context, {..., .rules = OutcomeOf(rules, record.sequence())});
//   }
//
// Only conditions are shared. What depends on the peer stays with it: terms, groups,
// pseudonyms, interest. Decisions are the same with and without.
//
// Holds what was computed for the last commits that were asked for. Thread-safe; nothing is
// computed under its lock, and nobody waits: who comes while another computes decides for
// itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "federation/policy/policy.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"

namespace cdgate::policy {

// Of one commit. Immutable once it is handed out.
class RuleOutcomes {
 public:
  // Null for an event that no rule was tried on, because it is of another origin.
  const RuleOutcome* Of(base::Sequence sequence) const;

 private:
  friend class SharedDecisions;
  struct Entry {
    RuleOutcome outcome;
    bool tried = false;
  };
  base::Sequence first_;
  std::vector<Entry> entries_;
};
using RuleOutcomesPtr = std::shared_ptr<const RuleOutcomes>;

// As ExportContext.rules wants it; null where `outcomes` is.
inline const RuleOutcome* OutcomeOf(const RuleOutcomesPtr& outcomes, base::Sequence sequence) {
  return outcomes == nullptr ? nullptr : outcomes->Of(sequence);
}

class SharedDecisions {
 public:
  static constexpr size_t kMaxCommits = 64;

  // Only events of `own_domain` are looked at: others do not come to the rules.
  explicit SharedDecisions(std::string own_domain, size_t max_commits = kMaxCommits)
      : own_domain_(std::move(own_domain)), max_commits_(max_commits) {}

  // Null where nobody else has these conditions, or another thread computes it just now:
  // decide without. `event` is used for what has to be computed, and is then set to any
  // event; `memo` may be null.
  RuleOutcomesPtr Of(const CompiledPolicy::Side& side, const event::Commit& commit,
                     filter::EventContext& event, DecisionMemo* memo);

  // How many events rules were tried on, ever.
  uint64_t tried() const;

 private:
  using Key = std::tuple<uint64_t, uint64_t, base::Epoch>;  // serial, number, epoch

  // True: there is one, or somebody makes it, and `*out` is it or null. False: the caller
  // has to make it.
  bool Find(const Key& key, RuleOutcomesPtr* out);
  void Keep(const Key& key, RuleOutcomesPtr outcomes, uint64_t tried);

  const std::string own_domain_;
  const size_t max_commits_;

  mutable base::Mutex mu_;
  absl::flat_hash_map<Key, RuleOutcomesPtr> commits_ CDGATE_GUARDED_BY(mu_);  // null: in the making
  std::deque<Key> order_ CDGATE_GUARDED_BY(mu_);                              // the oldest first
  uint64_t tried_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::policy
