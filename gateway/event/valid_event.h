// The one way in: bytes become a ValidEvent here or not at all. Nothing later on this
// hop validates again.
//
//   event::Admitter admitter({.max_event_bytes = 1'000'000});    // one per worker
//   CDGATE_ASSIGN_OR_RETURN(event::ValidEvent valid, admitter.Admit(cloud_event_bytes));
//   const event::OwnedBytes stored = std::move(valid).IntoStored(fields);
//
// Admitted is a CloudEvent 1.0 in protobuf form whose data is the JSON of one CDEvent, or a
// message of cdevents.v1, which becomes JSON here (typed_data.h):
//  - its JSON is I-JSON (json_parser.h) and conforms to its type and release
//    (cdevent_envelope.h); where no release has its type, it is only noted as such
//    (kNoteUnknownType), and who admits it decides;
//  - its type and source are those of the CDEvent, else ENVELOPE_MISMATCH;
//  - its other attributes have well-formed names, none begins with "cdgate"
//    (RESERVED_ATTRIBUTE), and datacontenttype, where it is there, is JSON.
//
// The canonical form has the data bytes verbatim in binary_data, and id, subject and
// time from the CDEvent: outer ones that disagree are replaced, and the event is noted
// (kNoteOuterDisagrees). Where the event carries `dssematerial`, a signature covers the
// outer attributes: they are kept as they came, absent ones stay absent, and the
// CDEvent's values are in inner_id, inner_subject and inner_time of the stored record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/sha256_batch.h"
#include "gateway/event/cdevent_envelope.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/cloud_event_writer.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/owned_bytes.h"
#include "gateway/event/stored_event.h"

namespace cdgate::event {

struct AdmitLimits {
  size_t max_event_bytes = 1'000'000;  // of the serialised CloudEvent as it came
};

// An event that passed. Only an Admitter makes one. Movable; views point into it.
class ValidEvent {
 public:
  // The canonical CloudEvent.
  absl::string_view cloud_event() const {
    return stored_.view().substr(cloud_event_at_, cloud_event_size_);
  }
  // SHA-256 of the data bytes.
  const crypto::Sha256Digest& content_digest() const { return content_digest_; }

  // The CDEvent's own values.
  absl::string_view id() const {
    return beside_ == nullptr || beside_->id.empty() ? At(spans_.id) : beside_->id;
  }
  absl::string_view source() const { return At(spans_.source); }
  absl::string_view type() const { return At(spans_.type); }
  absl::string_view subject() const {
    return beside_ == nullptr || beside_->subject.empty() ? At(spans_.subject) : beside_->subject;
  }
  absl::Time time() const { return absl::FromUnixSeconds(seconds_) + absl::Nanoseconds(nanos_); }
  absl::string_view data() const { return At(spans_.data); }
  // The attribute `dataclassification`; empty where there is none that is a text.
  absl::string_view classification() const { return At(spans_.dataclassification); }
  // The CDEvent's schemaUri; empty where it has none.
  absl::string_view schema_uri() const { return {schema_uri_.data(), schema_uri_.size()}; }
  // Bits as in record.h.
  uint32_t notes() const { return notes_; }

  // The serialised StoredEvent: what the event itself decides (cloud_event,
  // content_digest, notes, inner_*) with `fields`, whose notes are added to its own. The
  // CloudEvent is not copied. The event is not to be used afterwards. `fields` may point
  // into it.
  OwnedBytes IntoStored(StoredFields fields) &&;

 private:
  friend class Admitter;
  // What few events have: of the CDEvent's own values those whose outer attribute was kept although
  // it says something else.
  struct Beside {
    std::string id, subject, time;
  };

  ValidEvent() = default;
  void Render(CloudEventFields* fields, ByteArena* memory);
  // What the event itself decides besides its CloudEvent and notes.
  size_t OwnFieldsSize() const;
  void PutOwnFields(char* at) const;
  // Offsets, because views would not survive a move of the bytes.
  absl::string_view At(CloudEventSpans::Span span) const { return span.Of(cloud_event()); }

  OwnedBytes stored_;  // a StoredEvent that has its first field
  size_t cloud_event_at_ = 0;
  size_t cloud_event_size_ = 0;
  crypto::Sha256Digest content_digest_{};
  CloudEventSpans spans_;
  int64_t seconds_ = 0;
  int32_t nanos_ = 0;
  uint32_t notes_ = 0;
  absl::InlinedVector<char, 64> schema_uri_;
  std::shared_ptr<const Beside> beside_;  // not in the event, which is moved often; null: nothing
};

// Not thread-safe; reuses its memory from event to event.
class Admitter {
 public:
  explicit Admitter(AdmitLimits limits = {}) : limits_(limits) {}

  // A serialised io.cloudevents.v1.CloudEvent. Reasons: TOO_LARGE, INVALID_CLOUD_EVENT,
  // RESERVED_ATTRIBUTE, UNSUPPORTED_DATA, INVALID_JSON, AMBIGUOUS_JSON, INVALID_EVENT,
  // ENVELOPE_MISMATCH.
  absl::StatusOr<ValidEvent> Admit(absl::string_view cloud_event);

  // Of each what Admit would return, in order. Faster: the digests are made side by side.
  std::vector<absl::StatusOr<ValidEvent>> AdmitAll(
      absl::Span<const absl::string_view> cloud_events);

  // A CDEvent's JSON without an envelope: makes the one that the CDEvents CloudEvents
  // binding prescribes.
  absl::StatusOr<ValidEvent> AdmitCdEventJson(absl::string_view json);

  // For callers that read the data of what they admitted.
  JsonParser& parser() { return parser_; }

 private:
  // What is left to do with what they return is to digest it.
  absl::StatusOr<ValidEvent> AdmitUndigested(absl::string_view cloud_event);
  ValidEvent Render(CloudEventFields* fields, const CdEventEnvelope& inner);

  absl::StatusOr<CdEventEnvelope> ParseData(absl::string_view data);
  absl::StatusOr<ValidEvent> Digest(absl::StatusOr<ValidEvent> event);

  const AdmitLimits limits_;
  JsonParser parser_;
  crypto::Sha256Hasher hasher_;
  std::optional<crypto::Sha256Batch> batch_;  // from the first AdmitAll() on
  ByteArena memory_;
  std::string typed_json_;  // of the event at hand, where its data was no JSON
};

}  // namespace cdgate::event
