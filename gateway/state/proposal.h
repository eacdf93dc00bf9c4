// What is proposed to the store, and what became of it.
//
//   state::Proposal p;
//   p.events.push_back(MakeNewEvent(stored, store.identities().Of(origin, source, id)));
//   p.cursors.push_back({.move = Move("link/beta.example/import", 42, token)});
//   absl::Status queued = store.Propose(std::move(p), [](state::Outcome outcome) { ... });
//
// Everything of one proposal that is taken goes into one commit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "auth/crypto/digest.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/owned_bytes.h"
#include "gateway/event/record.h"
#include "gateway/event/stored_event.h"
#include "gateway/state/identity.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

struct NewEvent {
  // A serialised StoredEvent (event/stored_event.h), complete but for what the commit says
  // (sequence, commit time). content_digest and commitment are set; received_from is set exactly
  // where another domain sent it.
  event::OwnedBytes stored = {};
  IdentityKey identity = {};
  // What the index keeps of it, all but its sequence: from `stored`, while that is at hand.
  IdentityRow row = {};
  // Another domain sent it: `stored` has a received_from.
  bool received = false;
  // Of an event that was published here: its leaf in the origin's statement
  // (federation/attestation); none: nobody signs.
  std::optional<crypto::Sha256Digest> leaf = {};
};

// How one is made: of a copy of a serialised StoredEvent and the identity of its event.
inline NewEvent MakeNewEvent(absl::string_view stored, IdentityKey identity) {
  event::StoredView view;
  view.Assign(stored);
  const IdentityRow row = IdentityRow::Of(view, base::Sequence());
  return {.stored = event::OwnedBytes(stored),
          .identity = identity,
          .row = row,
          .received = !view.received_from().empty()};
}

// What was admitted can be read.
inline event::StoredView ViewOf(const NewEvent& event) {
  event::StoredView view;
  view.Assign(event.stored);
  return view;
}

struct CursorEdit {
  storage::v1::CursorMove move = {};
  // Where set, the proposal is refused with ETAG_MISMATCH unless the cursor stands there
  // (0 where there is none): a second session of one reader cannot interfere, and what
  // was proposed behind a proposal that was refused is refused too.
  std::optional<uint64_t> expected_position = {};
};

// A change of one resource. The store gives it its version.
struct ResourceEdit {
  std::string kind = {};
  std::string name = {};
  std::string value = {};  // serialised message of the kind; empty with `deleted`
  bool deleted = false;    // NOT_FOUND where there is none
  // Where set: the version that must be in force; 0: none may be (ALREADY_EXISTS where
  // one is). Any other mismatch is ETAG_MISMATCH.
  std::optional<uint64_t> expected_version = {};
  std::string author = {};
  std::string source = {};  // what the author wrote, verbatim
  bool unplanned = false;
  std::string plan = {};          // 32 bytes: the plan it is applied by; empty: none
  std::string approved_by = {};   // who approved the plan; empty: nobody had to
  uint64_t restored_version = 0;  // the earlier version that it restores; 0: it is none
};

struct Proposal {
  std::vector<NewEvent> events = {};
  // What was read of each event (event::Record::Move), where it was; else empty.
  std::vector<event::Record> records = {};
  std::vector<CursorEdit> cursors = {};
  std::vector<ResourceEdit> resources = {};
  std::vector<storage::v1::DeadLetter> dead_letters = {};
  std::vector<storage::v1::DeadLetterKey> removed_dead_letters = {};
  std::vector<storage::v1::LedgerRow> ledger = {};
  std::vector<storage::v1::ImportRefusal> refusals = {};
  // What senders signed of the events; goes into the commit where one of them does.
  std::vector<storage::v1::ImportStatement> import_statements = {};
  // True: one refused event refuses the proposal.
  bool atomic = false;
  // True: events older than the deduplication horizon are taken (an operator's backfill).
  bool backfill = false;
};

// What became of one event. Refused with TOO_OLD, IDENTITY_CONFLICT, or with whatever
// refused the proposal. A received event that is refused by the store leaves an
// ImportRefusal, with IDENTITY_CONFLICT also a dead letter that holds it ("quarantined"),
// in the same commit as the proposal's cursors; not where the whole proposal is refused.
struct EventResult {
  base::Sequence sequence = {};  // its own, or the first one's of a duplicate; 0 where refused
  bool duplicate = false;
  bool variant = false;  // a duplicate that differs in what was redacted on the way
  absl::Status status = {};
};

// Everything here is on disk when it is told.
struct Outcome {
  // Not OK: nothing of the proposal was taken. ETAG_MISMATCH, ALREADY_EXISTS, NOT_FOUND
  // (preconditions), DISK_FULL (it has events), NOT_LEADER, LOG_WRITE_FAILED, DRAINING,
  // or with `atomic` the reason of the first event that was refused.
  absl::Status status = {};
  std::vector<EventResult> events = {};    // one for each event, in order
  std::vector<uint64_t> versions = {};     // one for each resource edit, in order
  base::Sequence effective_sequence = {};  // first event that the resource edits apply to
  uint64_t commit = 0;                     // 0 where there was nothing new to commit
};
using Done = std::function<void(Outcome)>;

}  // namespace cdgate::state
