#include "gateway/event/cloud_event_writer.h"

#include <algorithm>
#include <cstring>

#include "gateway/event/wire_writer.h"

namespace cdgate::event {
namespace {

constexpr absl::string_view kSpecVersion = "1.0";

size_t TimestampSize(const AttributeView& a) {
  return (a.seconds == 0 ? 0 : VarintFieldSize(1, SignExtend(a.seconds))) +
         (a.nanos == 0 ? 0 : VarintFieldSize(2, SignExtend(a.nanos)));
}

size_t ValueSize(const AttributeView& a) {
  const auto field = static_cast<uint32_t>(a.kind);
  switch (a.kind) {
    case AttributeKind::kNone: return 0;
    case AttributeKind::kBoolean: return VarintFieldSize(field, a.boolean);
    case AttributeKind::kInteger: return VarintFieldSize(field, SignExtend(a.integer));
    case AttributeKind::kTimestamp: return BytesFieldSize(field, TimestampSize(a));
    default: return BytesFieldSize(field, a.text.size());
  }
}

size_t EntrySize(const AttributeView& a) {
  return BytesFieldSize(1, a.name.size()) + BytesFieldSize(2, ValueSize(a));
}

char* PutTimestamp(const AttributeView& a, char* at) {
  if (a.seconds != 0) at = PutVarintField(1, SignExtend(a.seconds), at);
  if (a.nanos != 0) at = PutVarintField(2, SignExtend(a.nanos), at);
  return at;
}

char* PutValue(const AttributeView& a, char* at) {
  const auto field = static_cast<uint32_t>(a.kind);
  switch (a.kind) {
    case AttributeKind::kNone: return at;
    case AttributeKind::kBoolean: return PutVarintField(field, a.boolean, at);
    case AttributeKind::kInteger: return PutVarintField(field, SignExtend(a.integer), at);
    case AttributeKind::kTimestamp:
      return PutTimestamp(a, PutBytesHeader(field, TimestampSize(a), at));
    default: return PutBytesField(field, a.text, at);
  }
}

size_t TextSize(absl::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(1, text.size());
}

char* PutText(uint32_t field, absl::string_view text, char* at) {
  return text.empty() ? at : PutBytesField(field, text, at);
}

char* PutAttribute(const AttributeView& a, char* at) {
  const size_t value_size = ValueSize(a);
  at = PutBytesHeader(5, BytesFieldSize(1, a.name.size()) + BytesFieldSize(2, value_size), at);
  at = PutBytesField(1, a.name, at);
  return PutValue(a, PutBytesHeader(2, value_size, at));
}

using Span = CloudEventSpans::Span;

// Which span keeps the attribute's text; null where none does.
Span* SpanOf(const AttributeView& a, CloudEventSpans* spans) {
  if (!a.is_text()) return nullptr;
  if (a.name == "subject") return &spans->subject;
  return a.name == "dataclassification" ? &spans->dataclassification : nullptr;
}

// Writes the event's parts one after the other, and notes where they are.
class Renderer {
 public:
  explicit Renderer(char* begin) : begin_(begin), at_(begin) {}

  void Render(const CloudEventFields& fields, CloudEventSpans* spans) {
    spans->id = Text(1, fields.id);
    spans->source = Text(2, fields.source);
    Text(3, kSpecVersion);
    spans->type = Text(4, fields.type);
    for (const AttributeView& a : fields.attributes) {
      at_ = PutAttribute(a, at_);
      if (Span* const span = SpanOf(a, spans)) *span = Last(a.text.size());
    }
    at_ = PutBytesField(6, fields.data, at_);
    spans->data = Last(fields.data.size());
  }

 private:
  Span Text(uint32_t field, absl::string_view text) {
    at_ = PutText(field, text, at_);
    return Last(text.size());
  }
  // The `size` bytes that were written last.
  Span Last(size_t size) const {
    return {static_cast<uint32_t>(at_ - begin_ - size), static_cast<uint32_t>(size)};
  }

  char* const begin_;
  char* at_;
};

// The same where the fields point into their canonical form.
void Locate(const CloudEventFields& fields, CloudEventSpans* spans) {
  const auto span = [&fields](absl::string_view part) {
    return Span{static_cast<uint32_t>(part.data() - fields.canonical.data()),
                static_cast<uint32_t>(part.size())};
  };
  spans->id = span(fields.id);
  spans->source = span(fields.source);
  spans->type = span(fields.type);
  spans->data = span(fields.data);
  for (const AttributeView& a : fields.attributes) {
    if (Span* const kept = SpanOf(a, spans)) *kept = span(a.text);
  }
}

bool IsBefore(const AttributeView& a, const AttributeView& b) { return a.name < b.name; }

}  // namespace

AttributeView TextAttribute(absl::string_view name, absl::string_view text) {
  AttributeView attribute;
  attribute.name = name;
  attribute.kind = AttributeKind::kString;
  attribute.text = text;
  return attribute;
}

AttributeView TimeAttribute(absl::string_view name, int64_t seconds, int32_t nanos) {
  AttributeView attribute;
  attribute.name = name;
  attribute.kind = AttributeKind::kTimestamp;
  attribute.seconds = seconds;
  attribute.nanos = nanos;
  return attribute;
}

size_t PrepareCloudEvent(CloudEventFields* fields) {
  if (!fields->canonical.empty()) return fields->canonical.size();
  auto& attributes = fields->attributes;
  std::sort(attributes.begin(), attributes.end(), IsBefore);
  size_t size = TextSize(fields->id) + TextSize(fields->source) + TextSize(kSpecVersion) +
                TextSize(fields->type) + BytesFieldSize(6, fields->data.size());
  for (const AttributeView& a : attributes) size += BytesFieldSize(5, EntrySize(a));
  return size;
}

void PutCloudEvent(const CloudEventFields& fields, size_t size, CloudEventSpans* spans, char* at) {
  *spans = CloudEventSpans();
  if (fields.canonical.empty()) return Renderer(at).Render(fields, spans);
  // Before the copy: they are read soon, and what reads them would wait for it.
  Locate(fields, spans);
  std::memcpy(at, fields.canonical.data(), size);
}

std::string RenderCloudEvent(CloudEventFields* fields, CloudEventSpans* spans) {
  std::string out(PrepareCloudEvent(fields), '\0');
  CloudEventSpans found;
  PutCloudEvent(*fields, out.size(), spans == nullptr ? &found : spans, out.data());
  return out;
}

}  // namespace cdgate::event
