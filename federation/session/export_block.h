// A range of our log while it is decided for a peer: what becomes a link::Decided.
//
//   ExportBlock block(request, policy_epoch, {.max_events = 100, .max_bytes = 1 << 16, ...});
//   relay.Set(record, decision);
//   if (block.HasRoomEver(relay)) block.Send(relay, record);    // or
//   block.Except(peer, MakeException(record, "denied", ...));
//   block.Pass(record);
//
// A value; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "federation/link/messages.h"
#include "federation/session/relay.h"
#include "gateway/base/errors.h"
#include "gateway/event/record.h"

namespace cdgate::session {

storage::v1::LedgerException MakeException(const event::Record& record, absl::string_view state,
                                           base::Reason reason, absl::string_view rule = "");

class ExportBlock {
 public:
  // As in link::NeedEvents.
  struct Limits {
    size_t max_events = 0, max_bytes = 0, max_event_bytes = 0;
  };
  // `seed`: of the tree over what is sent; empty: nothing is signed.
  ExportBlock(uint64_t request, storage::v1::PolicyEpoch epoch, const Limits& limits,
              std::string seed = "");

  // Nothing more has room.
  bool full() const { return full_; }
  // The last record that is in the block; 0: none.
  base::Sequence last() const { return decided_.last; }
  // False: the event is larger than any frame.
  bool HasRoomEver(const RelayWriter& relay) const {
    return relay.size() <= limits_.max_event_bytes;
  }
  // Sends and passes the record; where it has no room the block is full without it.
  void Send(RelayWriter& relay, const event::Record& record);
  // The outcome of the record is not as the epoch decides. What is dead-lettered is a dead
  // letter of `peer`.
  void Except(absl::string_view peer, storage::v1::LedgerException exception);
  void Count(absl::string_view state, absl::string_view reason, uint64_t count = 1);
  // The outcome that the record had stands no longer.
  void Revise(absl::string_view state, absl::string_view reason);
  // The record is decided.
  void Pass(const event::Record& record);

  const storage::v1::PolicyEpoch& policy_epoch() const { return decided_.policy_epoch; }
  // Of what is sent so far; without a root: nothing is, or it is not signed.
  const link::BatchTree& Tree();
  size_t sent() const { return decided_.sequences.size(); }

  // What is scanned begins, or would begin, here.
  void set_first(base::Sequence first) { decided_.first = first; }
  link::Decided TakeDecided();
  std::vector<storage::v1::DeadLetter>&& TakeDeadLetters() { return std::move(dead_letters_); }

 private:
  const Limits limits_;
  link::Decided decided_;
  std::vector<storage::v1::DeadLetter> dead_letters_;
  attestation::LeafBatch leaves_;  // of what is sent, where it is signed
  size_t in_tree_ = 0;             // of these: in decided_.tree
  bool full_ = false;
};

}  // namespace cdgate::session
