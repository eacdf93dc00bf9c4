#include "gateway/event/stored_event.h"

#include "gateway/event/wire_writer.h"

namespace cdgate::event {
namespace {

// Field numbers of cdgate/storage/v1/storage.proto.
constexpr uint32_t kOrigin = 2;
constexpr uint32_t kAcceptedTime = 3;
constexpr uint32_t kSalt = 4;
constexpr uint32_t kCommitment = 5;
constexpr uint32_t kPlane = 7;
constexpr uint32_t kClassification = 8;
constexpr uint32_t kHops = 9;
constexpr uint32_t kPathField = 10;
constexpr uint32_t kTerms = 11;
constexpr uint32_t kStatementsField = 12;
constexpr uint32_t kReceivedFrom = 13;
constexpr uint32_t kPublisher = 14;
constexpr uint32_t kImportRule = 15;
constexpr uint32_t kNotes = 16;
constexpr uint32_t kWithheldField = 20;
constexpr uint32_t kSubstitutedField = 21;
constexpr uint32_t kFieldProof = 22;
constexpr uint32_t kImportLeaf = 23;

size_t TextSize(uint32_t field, absl::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(field, text.size());
}

size_t NumberSize(uint32_t field, uint32_t number) {
  return number == 0 ? 0 : VarintFieldSize(field, number);
}

// Of a field that is there as often as there are texts.
size_t TextsSize(uint32_t field, absl::Span<const absl::string_view> texts) {
  size_t size = 0;
  for (const absl::string_view text : texts) size += BytesFieldSize(field, text.size());
  return size;
}

char* PutTexts(uint32_t field, absl::Span<const absl::string_view> texts, char* at) {
  for (const absl::string_view text : texts) at = PutBytesField(field, text, at);
  return at;
}

char* PutText(uint32_t field, absl::string_view text, char* at) {
  return text.empty() ? at : PutBytesField(field, text, at);
}

char* PutNumber(uint32_t field, uint32_t number, char* at) {
  return number == 0 ? at : PutVarintField(field, number, at);
}

}  // namespace

bool StoredView::Assign(absl::string_view bytes) {
  if (size_ != 0) *this = StoredView();  // else it has no field yet: clearing costs time
  if (bytes.size() <= UINT32_MAX && Scan(bytes, 0)) return true;
  *this = StoredView();
  return false;
}

bool StoredView::Move(absl::string_view bytes) {
  if (bytes.size() <= UINT32_MAX && Scan(bytes, size_)) return true;
  *this = StoredView();
  return false;
}

bool StoredView::Scan(absl::string_view bytes, size_t offset) {
  base_ = bytes.data();
  size_ = bytes.size();
  WireReader reader(bytes, offset);
  while (reader.Next()) {
    const uint32_t field = reader.field();
    if (reader.is_bytes() && field <= kLastField) {
      const absl::string_view value = reader.bytes();
      spans_[field] = {static_cast<uint32_t>(value.data() - base_),
                       static_cast<uint32_t>(value.size())};
      has_terms_ |= field == kTerms;
    } else if (reader.is_fixed64() && field == kAcceptedTime) {
      accepted_time_nanos_ = static_cast<int64_t>(reader.fixed64());
    } else if (reader.is_varint() && field == kHops) {
      hops_ = static_cast<uint32_t>(reader.varint());
    } else if (reader.is_varint() && field == kNotes) {
      notes_ = static_cast<uint32_t>(reader.varint());
    }
  }
  return reader.ok();
}

size_t StoredSize(const StoredFields& fields) {
  return TextSize(kOrigin, fields.origin) + kFixed64FieldSize + TextSize(kSalt, fields.salt) +
         TextSize(kCommitment, fields.commitment) + TextSize(kPlane, fields.plane) +
         TextSize(kClassification, fields.classification) + NumberSize(kHops, fields.hops) +
         TextsSize(kPathField, fields.path) +
         (fields.has_terms ? BytesFieldSize(kTerms, fields.terms.size()) : 0) +
         TextsSize(kStatementsField, fields.statements) +
         TextSize(kReceivedFrom, fields.received_from) + TextSize(kPublisher, fields.publisher) +
         NumberSize(kNotes, fields.notes) + TextsSize(kWithheldField, fields.withheld) +
         TextsSize(kSubstitutedField, fields.substituted) +
         TextSize(kFieldProof, fields.field_proof);
}

void AppendStored(const StoredFields& fields, std::string* stored) {
  const size_t before = stored->size();
  stored->resize(before + StoredSize(fields));
  PutStored(fields, stored->data() + before);
}

char* PutStored(const StoredFields& fields, char* at) {
  at = PutText(kOrigin, fields.origin, at);
  at = PutFixed64Field(kAcceptedTime, static_cast<uint64_t>(fields.accepted_time_nanos), at);
  at = PutText(kSalt, fields.salt, at);
  at = PutText(kCommitment, fields.commitment, at);
  at = PutText(kPlane, fields.plane, at);
  at = PutText(kClassification, fields.classification, at);
  at = PutNumber(kHops, fields.hops, at);
  at = PutTexts(kPathField, fields.path, at);
  if (fields.has_terms) at = PutBytesField(kTerms, fields.terms, at);
  at = PutTexts(kStatementsField, fields.statements, at);
  at = PutText(kReceivedFrom, fields.received_from, at);
  at = PutText(kPublisher, fields.publisher, at);
  at = PutNumber(kNotes, fields.notes, at);
  at = PutTexts(kWithheldField, fields.withheld, at);
  at = PutTexts(kSubstitutedField, fields.substituted, at);
  return PutText(kFieldProof, fields.field_proof, at);
}

void AppendImport(absl::string_view rule, absl::string_view leaf, OwnedBytes* stored) {
  const size_t size = TextSize(kImportRule, rule) + TextSize(kImportLeaf, leaf);
  if (size == 0) return;
  if (stored->room() < size) *stored = OwnedBytes(stored->view(), size);
  PutText(kImportLeaf, leaf, PutText(kImportRule, rule, stored->Extend(size)));
}

}  // namespace cdgate::event
