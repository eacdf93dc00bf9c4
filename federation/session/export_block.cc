#include "federation/session/export_block.h"

#include <utility>

#include "federation/link/blocks.h"
#include "federation/session/session_types.h"
#include "gateway/event/digests.h"

namespace cdgate::session {

using base::Reason;
using base::Sequence;

storage::v1::LedgerException MakeException(const event::Record& record, absl::string_view state,
                                           Reason reason, absl::string_view rule) {
  storage::v1::LedgerException exception;
  exception.set_sequence(record.sequence().value());
  exception.set_state(std::string(state));
  exception.set_reason(base::ReasonLabel(reason));
  exception.set_rule(std::string(rule));
  return exception;
}

ExportBlock::ExportBlock(uint64_t request, storage::v1::PolicyEpoch epoch, const Limits& limits,
                         std::string seed)
    : limits_(limits), leaves_(seed) {
  decided_.tree.seed = std::move(seed);
  decided_.request = request;
  decided_.policy_epoch = std::move(epoch);
  decided_.events.reserve(limits.max_bytes);
}

const link::BatchTree& ExportBlock::Tree() {
  if (in_tree_ == leaves_.size()) return decided_.tree;
  attestation::MerkleTree tree;
  tree.Build(leaves_.Leaves(), decided_.tree.seed);
  decided_.tree.root = std::string(event::AsBytes(tree.root()));
  in_tree_ = leaves_.size();
  return decided_.tree;
}

link::Decided ExportBlock::TakeDecided() {
  Tree();
  return std::move(decided_);
}

void ExportBlock::Send(RelayWriter& relay, const event::Record& record) {
  if (!decided_.sequences.empty() && decided_.events.size() + relay.size() > limits_.max_bytes) {
    full_ = true;  // it begins the next one, and is decided there
    return;
  }
  relay.Append(&decided_.events);
  if (!decided_.tree.seed.empty()) relay.AddLeaf(&leaves_);
  decided_.sequences.push_back(record.sequence());
  Pass(record);
  full_ = decided_.sequences.size() >= limits_.max_events;
}

void ExportBlock::Except(absl::string_view peer, storage::v1::LedgerException exception) {
  Count(exception.state(), exception.reason());
  if (exception.state() == "dead_lettered") {
    const Reason reason = base::ReasonFromText(exception.reason()).value_or(Reason::kInternal);
    storage::v1::DeadLetter& letter = dead_letters_.emplace_back();
    letter.set_reader(ExportCursorName(peer));
    letter.set_sequence(exception.sequence());
    letter.set_reason(exception.reason());
    letter.set_message(std::string(base::InfoOf(reason).meaning));
  }
  decided_.exceptions.push_back(std::move(exception));
}

void ExportBlock::Count(absl::string_view state, absl::string_view reason, uint64_t count) {
  link::AddCount(state, reason, count, &decided_.counts);
}

void ExportBlock::Revise(absl::string_view state, absl::string_view reason) {
  link::AddCount(state, reason, 1, &decided_.revised);
}

void ExportBlock::Pass(const event::Record& record) {
  if (decided_.first == Sequence(0)) decided_.first = record.sequence();
  decided_.last = record.sequence();
  decided_.last_mark = MarkOf(record);
}

}  // namespace cdgate::session
