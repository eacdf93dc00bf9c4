// What the log keeps of one event, a storage.v1.StoredEvent, read and written in its wire
// form: an event is rendered once, where it is admitted, and from there to the disk, to
// the readers' memory and back from the disk it is the same bytes, never taken apart.
//
//   StoredFields fields;
//   fields.origin = "alpha.example";
//   ...
//   OwnedBytes stored = std::move(valid).IntoStored(fields);      // valid_event.h
//
//   StoredView view;
//   if (!view.Assign(stored)) return Damaged();
//   Use(view.origin(), view.cloud_event());
//
// The order of fields is the writer's: the cloud_event first, which admission rendered,
// and what an import adds last. The generated class reads the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/event/owned_bytes.h"
#include "gateway/event/wire_reader.h"

namespace cdgate::event {

// Reads a StoredEvent in place: what it hands out points into the bytes, which outlive
// it. A value; a const one may be read by several threads.
class StoredView {
 public:
  // One without any field.
  StoredView() = default;

  // False where `bytes` is not the wire form of a StoredEvent: *this is then one without
  // any field. Of a field that is there twice the last counts. Texts are taken to be
  // UTF-8: only what was admitted is stored.
  bool Assign(absl::string_view bytes);

  // The bytes that were assigned are elsewhere now, and may have fields behind them, which
  // are read. False as that of Assign.
  bool Move(absl::string_view bytes);

  absl::string_view bytes() const { return {base_, size_}; }

  // A serialised io.cloudevents.v1.CloudEvent, canonical (valid_event.h).
  absl::string_view cloud_event() const { return Field(1); }
  absl::string_view origin() const { return Field(2); }
  int64_t accepted_time_nanos() const { return accepted_time_nanos_; }  // since the Unix epoch
  absl::string_view salt() const { return Field(4); }
  absl::string_view commitment() const { return Field(5); }
  absl::string_view content_digest() const { return Field(6); }
  absl::string_view plane() const { return Field(7); }
  absl::string_view classification() const { return Field(8); }
  uint32_t hops() const { return hops_; }
  bool has_terms() const { return has_terms_; }
  absl::string_view terms() const { return Field(11); }  // a serialised Terms
  absl::string_view received_from() const { return Field(13); }
  absl::string_view publisher() const { return Field(14); }
  absl::string_view import_rule() const { return Field(15); }
  uint32_t notes() const { return notes_; }  // bits as in record.h
  absl::string_view inner_id() const { return Field(17); }
  absl::string_view inner_subject() const { return Field(18); }
  absl::string_view inner_time() const { return Field(19); }
  absl::string_view field_proof() const { return Field(22); }  // a serialised FieldProof
  // Under which statement of its sender it came: storage.proto.
  absl::string_view import_leaf() const { return Field(23); }

  // Calls f(absl::string_view) for each domain of the path, each statement, or each pointer to
  // what senders removed or replaced, in order.
  template <typename F>
  void ForEachPath(F&& f) const {
    ForEach(kPath, f);
  }
  template <typename F>
  void ForEachStatement(F&& f) const {
    ForEach(kStatements, f);
  }
  template <typename F>
  void ForEachWithheld(F&& f) const {
    ForEach(kWithheld, f);
  }
  template <typename F>
  void ForEachSubstituted(F&& f) const {
    ForEach(kSubstituted, f);
  }

 private:
  static constexpr uint32_t kPath = 10;
  static constexpr uint32_t kStatements = 12;
  static constexpr uint32_t kWithheld = 20;
  static constexpr uint32_t kSubstituted = 21;
  static constexpr uint32_t kLastField = 23;
  struct Span {
    uint32_t at = 0;
    uint32_t size = 0;
  };

  // From `offset` of `bytes` on.
  bool Scan(absl::string_view bytes, size_t offset);
  absl::string_view Field(uint32_t field) const {
    return {base_ + spans_[field].at, spans_[field].size};
  }
  template <typename F>
  void ForEach(uint32_t field, F& f) const {
    if (spans_[field].at == 0) return;  // none: a value never begins the message
    WireReader reader(bytes());
    while (reader.Next()) {
      if (reader.field() == field && reader.is_bytes()) f(reader.bytes());
    }
  }

  const char* base_ = "";
  size_t size_ = 0;
  int64_t accepted_time_nanos_ = 0;
  uint32_t hops_ = 0;
  uint32_t notes_ = 0;
  bool has_terms_ = false;
  Span spans_[kLastField + 1] = {};  // by field number
};

// What admission knows of an event besides what the event itself says. Views need only
// live until it is rendered; empty ones are left out.
struct StoredFields {
  absl::string_view origin;
  int64_t accepted_time_nanos = 0;
  absl::string_view salt;
  absl::string_view commitment;
  absl::string_view plane;
  absl::string_view classification;
  uint32_t hops = 0;
  absl::Span<const absl::string_view> path;
  bool has_terms = false;   // none, or terms that are all default: not the same
  absl::string_view terms;  // a serialised Terms
  absl::Span<const absl::string_view> statements;
  absl::string_view received_from;
  absl::string_view publisher;
  uint32_t notes = 0;
  absl::Span<const absl::string_view> withheld = {};
  absl::Span<const absl::string_view> substituted = {};
  absl::string_view field_proof = {};
};

// Bytes that AppendStored() appends.
size_t StoredSize(const StoredFields& fields);
// Appends the fields to a StoredEvent.
void AppendStored(const StoredFields& fields, std::string* stored);
// The same to memory that has room for StoredSize() bytes. Returns their end.
char* PutStored(const StoredFields& fields, char* at);
// The rule that let a received event in and the leaf that it came under (empty: none), which are
// known last. Where there is no room for them the bytes move, and views into them end.
void AppendImport(absl::string_view rule, absl::string_view leaf, OwnedBytes* stored);

}  // namespace cdgate::event
