#include "gateway/event/cloud_event_view.h"

#include "gateway/base/errors.h"
#include "gateway/event/plain_reader.h"
#include "gateway/event/utf8.h"
#include "gateway/event/wire_reader.h"

namespace cdgate::event {
namespace {

// Field numbers of io.cloudevents.v1.CloudEvent.
constexpr uint32_t kId = 1;
constexpr uint32_t kSource = 2;
constexpr uint32_t kSpecVersion = 3;
constexpr uint32_t kType = 4;
constexpr uint32_t kAttributes = 5;
constexpr uint32_t kBinaryData = 6;
constexpr uint32_t kTextData = 7;
constexpr uint32_t kProtoData = 8;

template <bool kCheck>
bool TakeText(absl::string_view text, absl::string_view* out) {
  *out = text;
  return !kCheck || IsUtf8(text);
}

// Whether texts are judged: at the scan, or known to be good since.
enum class Texts { kCheck, kTrust };

// google.protobuf.Timestamp, merged into `out` as the generated parser does.
bool MergeTimestamp(absl::string_view bytes, AttributeView* out) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (!reader.is_varint()) continue;
    if (reader.field() == 1) out->seconds = static_cast<int64_t>(reader.varint());
    if (reader.field() == 2) out->nanos = static_cast<int32_t>(reader.varint());
  }
  return reader.ok();
}

bool MergeVarintValue(uint32_t field, uint64_t value, AttributeView* out) {
  if (field == 1) {
    out->kind = AttributeKind::kBoolean;
    out->boolean = value != 0;
  } else if (field == 2) {
    out->kind = AttributeKind::kInteger;
    out->integer = static_cast<int32_t>(value);
  }
  return true;
}

template <Texts texts>
bool MergeBytesValue(uint32_t field, absl::string_view value, AttributeView* out) {
  if (field < 3 || field > 7) return true;
  const auto kind = static_cast<AttributeKind>(field);
  if (kind == AttributeKind::kTimestamp) {
    if (out->kind != kind) out->seconds = out->nanos = 0;
    out->kind = kind;
    return MergeTimestamp(value, out);
  }
  out->kind = kind;
  out->text = value;
  return texts == Texts::kTrust || kind == AttributeKind::kBytes || IsUtf8(value);
}

// CloudEventAttributeValue, merged into `out`.
template <Texts texts>
bool MergeValue(absl::string_view bytes, AttributeView* out) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.is_varint() && !MergeVarintValue(reader.field(), reader.varint(), out)) return false;
    if (reader.is_bytes() && !MergeBytesValue<texts>(reader.field(), reader.bytes(), out)) {
      return false;
    }
  }
  return reader.ok();
}

// One entry of the attributes map.
template <Texts texts>
bool ReadEntry(absl::string_view bytes, AttributeView* out) {
  *out = AttributeView();
  WireReader reader(bytes);
  while (reader.Next()) {
    if (!reader.is_bytes()) continue;
    if (reader.field() == 1) {
      out->name = reader.bytes();
      if (texts == Texts::kCheck && !IsUtf8(out->name)) return false;
    } else if (reader.field() == 2) {
      if (!MergeValue<texts>(reader.bytes(), out)) return false;
    }
  }
  return reader.ok();
}

void TakeKnown(const AttributeView& attribute, KnownAttributes* found) {
  if (attribute.name == "subject") found->subject = attribute;
  if (attribute.name == "time") found->time = attribute;
  if (attribute.name == "dataclassification") {
    found->classification = attribute.is_text() ? attribute.text : absl::string_view();
  }
  if (attribute.name == "dataregulation") {
    found->regulation = attribute.is_text() ? attribute.text : kNoRegulation;
  }
}

// google.protobuf.Any: only that the generated parser would take it.
bool IsAny(absl::string_view bytes) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1 && reader.is_bytes() && !IsUtf8(reader.bytes())) return false;
  }
  return reader.ok();
}

}  // namespace

absl::StatusOr<CloudEventView> CloudEventView::Scan(absl::string_view bytes) {
  CloudEventView view;
  if (view.Assign(bytes)) return view;
  return base::MakeError(base::Reason::kInvalidCloudEvent,
                         "the bytes are not an io.cloudevents.v1.CloudEvent with at most 64 "
                         "attributes");
}

bool CloudEventView::Assign(absl::string_view bytes) {
  *this = CloudEventView();
  bytes_ = bytes;
  if (ScanFields<true>() && ScanAttributes()) return true;
  *this = CloudEventView();
  return false;
}

bool CloudEventView::AssignStored(absl::string_view bytes, KnownAttributes* found) {
  KnownAttributes unused;
  if (found == nullptr) found = &unused;
  *this = CloudEventView();
  bytes_ = bytes;
  if (ReadPlain(found)) return true;
  *this = CloudEventView();
  *found = KnownAttributes();
  bytes_ = bytes;
  if (ScanFields<false>()) {
    ForEach([found](const AttributeView& attribute) { TakeKnown(attribute, found); });
    return true;
  }
  *this = CloudEventView();
  return false;
}

bool CloudEventView::ReadPlain(KnownAttributes* found) {
  PlainReader reader(bytes_);
  if (!reader.ReadHead()) return false;
  id_ = reader.id();
  source_ = reader.source();
  spec_version_ = "1.0";
  type_ = reader.type();
  first_attribute_ = static_cast<size_t>(reader.position() - bytes_.data());
  AttributeView attribute;
  while (reader.NextAttribute(&attribute)) {
    ++attribute_entries_;
    TakeKnown(attribute, found);
  }
  data_kind_ = DataKind::kBinary;
  return reader.ReadData(&data_) && attribute_entries_ <= kMaxAttributes;
}

template <bool kCheckTexts>
bool CloudEventView::ScanFields() {
  WireReader reader(bytes_);
  while (reader.Next()) {
    if (!reader.is_bytes()) continue;
    const absl::string_view value = reader.bytes();
    bool good = true;
    switch (reader.field()) {
      case kId: good = TakeText<kCheckTexts>(value, &id_); break;
      case kSource: good = TakeText<kCheckTexts>(value, &source_); break;
      case kSpecVersion: good = TakeText<kCheckTexts>(value, &spec_version_); break;
      case kType: good = TakeText<kCheckTexts>(value, &type_); break;
      case kAttributes:
        if (attribute_entries_++ == 0) first_attribute_ = reader.field_offset();
        good = attribute_entries_ <= kMaxAttributes;
        break;
      case kProtoData: good = !kCheckTexts || IsAny(value); [[fallthrough]];
      case kBinaryData:
      case kTextData:
        data_ = value;
        data_kind_ = static_cast<DataKind>(reader.field());
        if (kCheckTexts && data_kind_ == DataKind::kText) good = IsUtf8(value);
        break;
      default: break;
    }
    if (!good) return false;
  }
  return reader.ok();
}

bool CloudEventView::ScanAttributes() {
  if (attribute_entries_ == 0) return true;
  absl::string_view names[kMaxAttributes];
  size_t count = 0;
  WireReader reader(bytes_, first_attribute_);
  AttributeView attribute;
  while (count < attribute_entries_ && reader.Next()) {
    if (reader.field() != kAttributes || !reader.is_bytes()) continue;
    if (!ReadEntry<Texts::kCheck>(reader.bytes(), &attribute)) return false;
    for (size_t i = 0; i < count; ++i) repeated_names_ |= names[i] == attribute.name;
    names[count++] = attribute.name;
  }
  return true;
}

void CloudEventView::Move(const MovedBytes& moved) {
  for (absl::string_view* view : {&bytes_, &id_, &source_, &spec_version_, &type_, &data_}) {
    moved.Move(view);
  }
}

std::optional<AttributeView> CloudEventView::Find(absl::string_view name) const {
  std::optional<AttributeView> found;
  Cursor cursor;
  AttributeView attribute;
  while (NextEntry(&cursor, &attribute)) {
    if (attribute.name == name) found = attribute;
  }
  return found;
}

bool CloudEventView::Next(Cursor* cursor, AttributeView* attribute) const {
  while (NextEntry(cursor, attribute)) {
    if (!repeated_names_ || !ReplacedAfter(*cursor, attribute->name)) return true;
  }
  return false;
}

bool CloudEventView::NextEntry(Cursor* cursor, AttributeView* attribute) const {
  if (attribute_entries_ == 0) return false;
  WireReader reader(bytes_, cursor->offset == 0 ? first_attribute_ : cursor->offset);
  while (reader.Next()) {
    if (reader.field() != kAttributes || !reader.is_bytes()) continue;
    cursor->offset = reader.offset();
    return ReadEntry<Texts::kTrust>(reader.bytes(), attribute);
  }
  cursor->offset = bytes_.size();
  return false;
}

bool CloudEventView::ReplacedAfter(Cursor cursor, absl::string_view name) const {
  AttributeView later;
  while (NextEntry(&cursor, &later)) {
    if (later.name == name) return true;
  }
  return false;
}

}  // namespace cdgate::event
