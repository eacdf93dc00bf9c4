// A proposal on its way through the committer.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "gateway/base/types.h"
#include "gateway/state/proposal.h"

namespace cdgate::state {

// An event whose identity exists with other bytes: is it the same in canonical JSON?
struct Comparison {
  size_t index = 0;           // in the proposal
  base::Sequence first = {};  // the event that has the identity...
  // ...or, where the proposal itself brings it first, its index there: it has no sequence
  // before the proposal is decided.
  std::optional<size_t> sibling = {};
  bool same = false;  // the answer

  bool Answers(const Comparison& question) const {
    return index == question.index && first == question.first && sibling == question.sibling;
  }
};

struct Pending {
  Proposal proposal;
  Done done;
  size_t bytes = 0;
  // Answered; from an earlier try.
  std::vector<Comparison> compared = {};
  // What this try needs to know. Not empty: nothing was decided yet.
  std::vector<Comparison> to_compare = {};
  Outcome outcome = {};
};
using PendingPtr = std::unique_ptr<Pending>;

// The proposal, as a whole, is refused.
inline void Refuse(const absl::Status& status, Pending* pending) {
  pending->outcome = Outcome{};
  pending->outcome.status = status;
  pending->outcome.events.resize(pending->proposal.events.size());
  for (EventResult& event : pending->outcome.events) event.status = status;
}

}  // namespace cdgate::state
