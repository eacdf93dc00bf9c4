// Ranges of our log on their way to a peer, and the ledger rows that become of them.
//
//   Block block = MakeBlock(std::move(decided));
//   NoteRefusal(refusal, index, &block);             // when its Ack names one
//   AppendRow(MakeRow(peer, std::move(block)), &rows);
//
// Values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "federation/link/config.h"
#include "federation/link/messages.h"

namespace cdgate::link {

// A scanned range, decided.
struct Block {
  base::Sequence first, last;
  uint64_t last_mark = 0;
  std::string events;  // as in Decided; empty once sent
  std::vector<base::Sequence> sequences;
  storage::v1::PolicyEpoch policy_epoch;
  std::vector<storage::v1::LedgerException> exceptions;
  // Of every event in the range; of those in `sequences` what they are once acknowledged.
  std::vector<storage::v1::OutcomeCount> counts;
  std::vector<storage::v1::OutcomeCount> revised;  // as in Decided
  // What the row says of the events that the epoch allows; empty: they were accepted.
  std::string state, reason;
  uint64_t replay = 0;  // number of the job; 0: the live lane
  BatchTree tree;       // as in Decided; empty once sent

  // Nothing to send, and nothing of its own to tell.
  bool quiet() const { return sequences.empty() && exceptions.empty() && state.empty(); }
};

Block MakeBlock(Decided decided);
// A range that was gone before it could be decided. `state`: what became of its events.
Block GoneBlock(base::Sequence first, base::Sequence last, absl::string_view state,
                const storage::v1::PolicyEpoch& epoch);

bool SameEpoch(const storage::v1::PolicyEpoch& a, const storage::v1::PolicyEpoch& b);

// Adds `count` to that outcome.
void AddCount(absl::string_view state, absl::string_view reason, uint64_t count,
              std::vector<storage::v1::OutcomeCount>* counts);

// Makes `quiet` a part of the block before it, where both were decided alike.
bool Absorb(const Block& quiet, Block* before);

// The event at `index` of block->sequences was not taken. What a peer says of the reason is
// kept where it means something here.
void NoteRefusal(const federation::v1::Refusal& refusal, size_t index, Block* block);

storage::v1::LedgerRow MakeRow(absl::string_view peer, Block block);
// Appends `row`, as a part of the last one where it continues that and ended alike.
void AppendRow(storage::v1::LedgerRow row, std::vector<storage::v1::LedgerRow>* rows);

}  // namespace cdgate::link
