#include "federation/link/blocks.h"

#include <algorithm>
#include <utility>

namespace cdgate::link {
namespace {

using storage::v1::LedgerException;
using storage::v1::LedgerRow;
using storage::v1::OutcomeCount;
using storage::v1::PolicyEpoch;

constexpr char kAccepted[] = "accepted";

bool Continues(const LedgerRow& row, const LedgerRow& next) {
  return row.last_sequence() + 1 == next.first_sequence() && row.state() == next.state() &&
         row.reason() == next.reason() && row.replay() == next.replay() &&
         SameEpoch(row.policy_epoch(), next.policy_epoch());
}

template <typename Counts>
OutcomeCount* FindCount(absl::string_view state, absl::string_view reason, Counts* counts) {
  const auto it = std::find_if(counts->begin(), counts->end(), [&](const OutcomeCount& c) {
    return c.state() == state && c.reason() == reason;
  });
  return it == counts->end() ? nullptr : &*it;
}

OutcomeCount MakeCount(absl::string_view state, absl::string_view reason, uint64_t count) {
  OutcomeCount out;
  out.set_state(std::string(state));
  out.set_reason(std::string(reason));
  out.set_count(count);
  return out;
}

void Merge(const google::protobuf::RepeatedPtrField<OutcomeCount>& more,
           google::protobuf::RepeatedPtrField<OutcomeCount>* counts) {
  for (const OutcomeCount& c : more) {
    if (OutcomeCount* const known = FindCount(c.state(), c.reason(), counts)) {
      known->set_count(known->count() + c.count());
    } else {
      *counts->Add() = c;
    }
  }
}

std::string AcceptedReason() { return base::ReasonLabel(base::Reason::kAllowedByRule); }

}  // namespace

bool SameEpoch(const PolicyEpoch& a, const PolicyEpoch& b) {
  return a.policy_version() == b.policy_version() && a.interest_version() == b.interest_version() &&
         a.engine_version() == b.engine_version() &&
         a.environment_version() == b.environment_version();
}

void AddCount(absl::string_view state, absl::string_view reason, uint64_t count,
              std::vector<OutcomeCount>* counts) {
  if (count == 0) return;
  if (OutcomeCount* const known = FindCount(state, reason, counts)) {
    known->set_count(known->count() + count);
  } else {
    counts->push_back(MakeCount(state, reason, count));
  }
}

Block MakeBlock(Decided decided) {
  Block block{.first = decided.first,
              .last = decided.last,
              .last_mark = decided.last_mark,
              .events = std::move(decided.events),
              .sequences = std::move(decided.sequences),
              .policy_epoch = std::move(decided.policy_epoch),
              .exceptions = std::move(decided.exceptions),
              .counts = std::move(decided.counts),
              .revised = std::move(decided.revised),
              .state = {},
              .reason = {},
              .tree = std::move(decided.tree)};
  AddCount(kAccepted, AcceptedReason(), block.sequences.size(), &block.counts);
  return block;
}

Block GoneBlock(base::Sequence first, base::Sequence last, absl::string_view state,
                const PolicyEpoch& epoch) {
  Block block;
  block.first = first;
  block.last = last;
  block.policy_epoch = epoch;
  block.state = std::string(state);
  block.reason = base::ReasonLabel(base::Reason::kTrimmed);
  AddCount(block.state, block.reason, last.value() - first.value() + 1, &block.counts);
  return block;
}

bool Absorb(const Block& quiet, Block* before) {
  if (!before->state.empty() || before->replay != quiet.replay ||
      before->last.Next() != quiet.first || !SameEpoch(before->policy_epoch, quiet.policy_epoch)) {
    return false;
  }
  before->last = quiet.last;
  for (const OutcomeCount& c : quiet.counts) {
    AddCount(c.state(), c.reason(), c.count(), &before->counts);
  }
  return true;
}

void NoteRefusal(const federation::v1::Refusal& refusal, size_t index, Block* block) {
  LedgerException exception;
  exception.set_sequence(block->sequences[index].value());
  exception.set_state("refused");
  if (const auto reason = base::ReasonFromText(refusal.reason())) {
    exception.set_reason(base::ReasonLabel(*reason));
  }
  if (refusal.rule().size() <= kMaxNameBytes) exception.set_rule(refusal.rule());
  if (OutcomeCount* const accepted = FindCount(kAccepted, AcceptedReason(), &block->counts)) {
    accepted->set_count(accepted->count() - 1);
  }
  AddCount(exception.state(), exception.reason(), 1, &block->counts);
  block->exceptions.push_back(std::move(exception));
}

LedgerRow MakeRow(absl::string_view peer, Block block) {
  LedgerRow row;
  row.set_peer(std::string(peer));
  row.set_first_sequence(block.first.value());
  row.set_last_sequence(block.last.value());
  *row.mutable_policy_epoch() = std::move(block.policy_epoch);
  row.set_state(std::move(block.state));
  row.set_reason(std::move(block.reason));
  row.set_replay(block.replay);
  std::stable_sort(block.exceptions.begin(), block.exceptions.end(),
                   [](const auto& a, const auto& b) { return a.sequence() < b.sequence(); });
  for (LedgerException& exception : block.exceptions) *row.add_exceptions() = std::move(exception);
  for (OutcomeCount& count : block.counts) {
    if (count.count() > 0) *row.add_counts() = std::move(count);
  }
  row.mutable_revised()->Add(block.revised.begin(), block.revised.end());
  return row;
}

void AppendRow(LedgerRow row, std::vector<LedgerRow>* rows) {
  if (rows->empty() || !Continues(rows->back(), row)) {
    rows->push_back(std::move(row));
    return;
  }
  LedgerRow& last = rows->back();
  last.set_last_sequence(row.last_sequence());
  last.mutable_exceptions()->MergeFrom(row.exceptions());
  Merge(row.counts(), last.mutable_counts());
  Merge(row.revised(), last.mutable_revised());
}

}  // namespace cdgate::link
