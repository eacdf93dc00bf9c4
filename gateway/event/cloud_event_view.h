// Reads a serialised io.cloudevents.v1.CloudEvent in place.
//
//   CDGATE_ASSIGN_OR_RETURN(CloudEventView view, CloudEventView::Scan(bytes));
//   if (view.type() == "dev.cdevents.build.finished.0.3.0") ...
//   if (const auto subject = view.Find("subject")) Use(subject->text);
//
// Nothing is copied or allocated: every view points into `bytes`, which must outlive the
// CloudEventView and what it hands out. A CloudEventView is a small value; a const one may
// be read by several threads.
//
// What is accepted is a subset of what the generated parser accepts, and where both
// accept they agree (a test and a fuzzer hold them against each other): the last value
// of a repeated field wins, a repeated map key replaces the entry before it, unknown
// fields are skipped, strings are valid UTF-8. Refused besides what is malformed: more
// than kMaxAttributes map entries, and groups, which no version of the format has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::event {

// Entries of the attributes map on the wire, repeated keys counted each time.
inline constexpr size_t kMaxAttributes = 64;

// Which member of the attribute's oneof is set; the numbers are its field numbers.
enum class AttributeKind {
  kNone = 0,  // the value is there, but empty
  kBoolean = 1,
  kInteger = 2,
  kString = 3,
  kBytes = 4,
  kUri = 5,
  kUriRef = 6,
  kTimestamp = 7,
};

// One attribute. Only the members of its kind mean something.
struct AttributeView {
  absl::string_view name;
  AttributeKind kind = AttributeKind::kNone;
  absl::string_view text;  // kString, kBytes, kUri, kUriRef
  bool boolean = false;    // kBoolean
  int32_t integer = 0;     // kInteger
  int64_t seconds = 0;     // kTimestamp, since the Unix epoch
  int32_t nanos = 0;       // kTimestamp

  bool is_text() const {
    return kind == AttributeKind::kString || kind == AttributeKind::kUri ||
           kind == AttributeKind::kUriRef;
  }
  // kTimestamp: the instant, also for values out of range (they saturate).
  absl::Time time() const { return absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos); }
};

// What every reader of an event asks for: the attributes `subject` and `time`, of kind
// kNone where they are not there, and the texts of `dataclassification` and
// `dataregulation`, empty where it is not there. A classification that is no text is empty,
// too; a regulation that is none is kNoRegulation.
struct KnownAttributes {
  AttributeView subject;
  AttributeView time;
  absl::string_view classification;
  absl::string_view regulation;
};
// The name of no regulation: a text has no control characters.
inline constexpr absl::string_view kNoRegulation = "\1";

// Which member of the data oneof is set; the numbers are its field numbers.
enum class DataKind { kNone = 0, kBinary = 6, kText = 7, kProto = 8 };

// Moves views into `from` to the same places of the same bytes at `to`. Views of other
// memory stay as they are.
class MovedBytes {
 public:
  MovedBytes(absl::string_view from, const char* to) : from_(from), to_(to) {}
  void Move(absl::string_view* view) const {
    const uintptr_t offset =
        reinterpret_cast<uintptr_t>(view->data()) - reinterpret_cast<uintptr_t>(from_.data());
    if (offset < from_.size()) *view = absl::string_view(to_ + offset, view->size());
  }

 private:
  const absl::string_view from_;
  const char* const to_;
};

class CloudEventView {
 public:
  // An event without any field.
  CloudEventView() = default;

  // INVALID_CLOUD_EVENT where `bytes` is not the wire form of a CloudEvent, or has more
  // than kMaxAttributes attributes. Values are not judged.
  static absl::StatusOr<CloudEventView> Scan(absl::string_view bytes);
  // The same without an error to build: false leaves *this an event without any field.
  bool Assign(absl::string_view bytes);
  // The same for bytes that RenderCloudEvent() wrote: no text is judged, no name looked
  // for twice. Sets `found`, unless null, in the same pass.
  bool AssignStored(absl::string_view bytes, KnownAttributes* found = nullptr);

  // The bytes that were scanned are elsewhere now.
  void Move(const MovedBytes& moved);

  absl::string_view id() const { return id_; }
  absl::string_view source() const { return source_; }
  absl::string_view spec_version() const { return spec_version_; }
  absl::string_view type() const { return type_; }
  DataKind data_kind() const { return data_kind_; }
  // kBinary, kText: the data; kProto: the serialised Any as last written; else empty.
  absl::string_view data() const { return data_; }
  // What was scanned.
  absl::string_view bytes() const { return bytes_; }
  // Map entries on the wire, repeated keys included.
  size_t attribute_entries() const { return attribute_entries_; }

  // The attribute of that name; none where there is none. Costs a walk over the fields.
  std::optional<AttributeView> Find(absl::string_view name) const;

  // Calls f(const AttributeView&) once for each attribute, in the order of the wire.
  template <typename F>
  void ForEach(F&& f) const {
    Cursor cursor;
    AttributeView attribute;
    while (Next(&cursor, &attribute)) f(static_cast<const AttributeView&>(attribute));
  }

 private:
  struct Cursor {
    size_t offset = 0;
  };
  // The next attribute that no later entry replaces. False at the end.
  bool Next(Cursor* cursor, AttributeView* attribute) const;
  bool NextEntry(Cursor* cursor, AttributeView* attribute) const;
  bool ReplacedAfter(Cursor cursor, absl::string_view name) const;
  template <bool kCheckTexts>
  bool ScanFields();
  // Of an event in plain form (plain_reader.h); false where it is not.
  bool ReadPlain(KnownAttributes* found);
  // Takes every entry apart once, so that later readers need not judge it.
  bool ScanAttributes();

  absl::string_view bytes_;
  absl::string_view id_;
  absl::string_view source_;
  absl::string_view spec_version_;
  absl::string_view type_;
  absl::string_view data_;
  DataKind data_kind_ = DataKind::kNone;
  uint32_t attribute_entries_ = 0;
  bool repeated_names_ = false;
  size_t first_attribute_ = 0;  // offset of the first map entry's tag
};

}  // namespace cdgate::event
