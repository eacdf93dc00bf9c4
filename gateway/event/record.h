// One committed event, and one commit, as every reader of the log sees them: parsed
// once, immutable, shared.
//
//   CommitPtr commit = event::MakeCommit(head, events);
//   for (const event::Record& r : commit->events) Deliver(r.sequence(), r.type(), r.data());
//
// A Record's views point into its commit's own memory: keep the CommitPtr as long as
// you use the Record. Both are read-only after MakeCommit and safe to share between
// threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/owned_bytes.h"
#include "gateway/event/stored_event.h"

namespace cdgate::event {

// Bits of StoredEvent.notes.
inline constexpr uint32_t kNoteOuterDisagrees = 1;  // outer time, id or subject disagreed
inline constexpr uint32_t kNoteRedacted = 2;        // redacted on the way
inline constexpr uint32_t kNoteUnknownType = 4;     // admitted as an unknown type
// Of the schema that it names, as this gateway has it: none, and what it says of the event.
inline constexpr uint32_t kNoteSchemaUnresolved = 8;
inline constexpr uint32_t kNoteSchemaValid = 16;
inline constexpr uint32_t kNoteSchemaInvalid = 32;
inline constexpr uint32_t kNotePseudonymised = 64;     // it has pseudonyms of a sender
inline constexpr uint32_t kNoteReplayed = 128;         // it was offered again
inline constexpr uint32_t kNoteFieldsCommitted = 256;  // its commitment is to its fields

// Calls f(absl::string_view) with the word for each bit, as DeliveredEvent.notes has them.
template <typename F>
void ForEachNote(uint32_t notes, F&& f) {
  static constexpr absl::string_view kWords[] = {
      "outer_disagrees", "redacted",       "unknown_type",  "schema_unresolved",
      "schema_valid",    "schema_invalid", "pseudonymised", "replayed"};
  for (const absl::string_view word : kWords) {
    if (notes == 0) return;
    if ((notes & 1) != 0) f(word);
    notes >>= 1;
  }
}

class Record {
 public:
  // Reads `stored`, a serialised StoredEvent, which must outlive the record. Where it is
  // none, or its cloud_event no CloudEvent (our own writers never make one), all fields
  // of the event are empty.
  Record(base::Sequence sequence, absl::string_view stored);
  Record(base::Sequence sequence, const std::string&& stored) = delete;

  // Becomes what reading `stored` would give, where this was read from the same bytes, which
  // may be gone, without fields behind them that none of ours depends on: an import_rule.
  void Move(base::Sequence sequence, absl::string_view stored);

  base::Sequence sequence() const { return sequence_; }
  const StoredView& stored() const { return stored_; }

  // The CDEvent's own values, whatever the outer attributes say. subject() is its
  // subject.id, time() its timestamp; the text the producer wrote is in data().
  absl::string_view id() const { return id_; }
  absl::string_view source() const { return cloud_event_.source(); }
  absl::string_view type() const { return cloud_event_.type(); }
  absl::string_view subject() const { return subject_; }
  absl::Time time() const { return time_; }
  // RFC 3339 in UTC with the digits that the instant needs, "2026-01-02T03:04:05.6Z".
  std::string time_text() const;
  // The CDEvent's JSON, verbatim.
  absl::string_view data() const { return cloud_event_.data(); }

  absl::string_view origin() const { return stored_.origin(); }
  // The label that gateways stamped on it, else its attribute dataclassification where that
  // is a text, else "".
  absl::string_view classification() const {
    const absl::string_view stamped = stored_.classification();
    return stamped.empty() ? label_ : stamped;
  }
  // The attribute dataregulation: names separated by commas; "" where there is none,
  // kNoRegulation where it is no text.
  absl::string_view regulation() const { return regulation_; }
  absl::Time accept_time() const { return absl::FromUnixNanos(stored_.accepted_time_nanos()); }

  // The envelope with its attributes; cloud_event().bytes() is what is delivered.
  const CloudEventView& cloud_event() const { return cloud_event_; }

  // What the event costs in buffers and windows: bytes of its StoredEvent, about.
  size_t byte_size() const { return byte_size_; }

 private:
  void ReadEnvelope(const KnownAttributes& outer);

  base::Sequence sequence_;
  StoredView stored_;
  CloudEventView cloud_event_;
  absl::string_view id_;
  absl::string_view subject_;
  absl::string_view label_;  // of the attribute
  absl::string_view regulation_;
  absl::Time time_;
  size_t byte_size_ = 0;
};

// One commit of the log.
struct Commit {
  // What became true with it besides the events.
  storage::v1::CommitRecord record;
  std::vector<Record> events;  // in order
  // The whole CommitRecord with its events, serialised: what is in the log.
  absl::string_view bytes;
  uint64_t number = 0;
  base::Sequence first_sequence;
  // first_sequence - 1 where there are no events.
  base::Sequence last_sequence;
  base::Epoch epoch;
  absl::Time commit_time;
  // Sum of the events' byte_size(), and a little for the commit itself.
  size_t byte_size = 0;
};
using CommitPtr = std::shared_ptr<const Commit>;

// An event for a commit.
struct CommitEvent {
  CommitEvent(absl::string_view stored_event) : stored(stored_event) {}  // NOLINT: a view of one
  CommitEvent(absl::string_view stored_event, const Record* read_before)
      : stored(stored_event), read(read_before) {}

  absl::string_view stored;      // a serialised StoredEvent
  const Record* read = nullptr;  // what was read of it, as Record::Move says; null: nothing
};

// A commit of `record` and `events`, which are copied into it behind those that `record`
// has.
CommitPtr MakeCommit(storage::v1::CommitRecord record, absl::Span<const CommitEvent> events = {});

// Reads a serialised CommitRecord, which it keeps. LOG_CORRUPT where `bytes` is not one,
// LOG_FORMAT_NEWER where its format_version is greater than kCommitFormatVersion.
absl::StatusOr<CommitPtr> ParseCommit(OwnedBytes bytes);

// What MakeCommit's callers write into CommitRecord.format_version.
inline constexpr uint32_t kCommitFormatVersion = 1;

}  // namespace cdgate::event
