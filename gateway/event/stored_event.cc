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

size_t TextSize(uint32_t field, absl::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(field, text.size());
}

void AppendText(uint32_t field, absl::string_view text, std::string* out) {
  if (!text.empty()) AppendBytesField(field, text, out);
}

}  // namespace

bool StoredView::Assign(absl::string_view bytes) {
  *this = StoredView();
  if (bytes.size() <= UINT32_MAX && Scan(bytes)) return true;
  *this = StoredView();
  return false;
}

bool StoredView::Scan(absl::string_view bytes) {
  base_ = bytes.data();
  size_ = bytes.size();
  WireReader reader(bytes);
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
  size_t size = TextSize(kOrigin, fields.origin) + kFixed64FieldSize +
                TextSize(kSalt, fields.salt) + TextSize(kCommitment, fields.commitment) +
                TextSize(kPlane, fields.plane) + TextSize(kClassification, fields.classification) +
                VarintFieldSize(kHops, fields.hops) +
                (fields.has_terms ? BytesFieldSize(kTerms, fields.terms.size()) : 0) +
                TextSize(kReceivedFrom, fields.received_from) +
                TextSize(kPublisher, fields.publisher) + VarintFieldSize(kNotes, fields.notes);
  for (const absl::string_view domain : fields.path) {
    size += BytesFieldSize(kPathField, domain.size());
  }
  for (const absl::string_view statement : fields.statements) {
    size += BytesFieldSize(kStatementsField, statement.size());
  }
  return size;
}

void AppendStored(const StoredFields& fields, std::string* stored) {
  AppendText(kOrigin, fields.origin, stored);
  AppendFixed64Field(kAcceptedTime, static_cast<uint64_t>(fields.accepted_time_nanos), stored);
  AppendText(kSalt, fields.salt, stored);
  AppendText(kCommitment, fields.commitment, stored);
  AppendText(kPlane, fields.plane, stored);
  AppendText(kClassification, fields.classification, stored);
  if (fields.hops != 0) AppendVarintField(kHops, fields.hops, stored);
  for (const absl::string_view domain : fields.path) AppendBytesField(kPathField, domain, stored);
  if (fields.has_terms) AppendBytesField(kTerms, fields.terms, stored);
  for (const absl::string_view statement : fields.statements) {
    AppendBytesField(kStatementsField, statement, stored);
  }
  AppendText(kReceivedFrom, fields.received_from, stored);
  AppendText(kPublisher, fields.publisher, stored);
  if (fields.notes != 0) AppendVarintField(kNotes, fields.notes, stored);
}

void AppendImportRule(absl::string_view rule, std::string* stored) {
  AppendText(kImportRule, rule, stored);
}

}  // namespace cdgate::event
