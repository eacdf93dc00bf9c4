#include "gateway/event/cloud_event_writer.h"

#include <algorithm>

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

void AppendTimestamp(const AttributeView& a, std::string* out) {
  if (a.seconds != 0) AppendVarintField(1, SignExtend(a.seconds), out);
  if (a.nanos != 0) AppendVarintField(2, SignExtend(a.nanos), out);
}

void AppendValue(const AttributeView& a, std::string* out) {
  const auto field = static_cast<uint32_t>(a.kind);
  switch (a.kind) {
    case AttributeKind::kNone: break;
    case AttributeKind::kBoolean: AppendVarintField(field, a.boolean, out); break;
    case AttributeKind::kInteger: AppendVarintField(field, SignExtend(a.integer), out); break;
    case AttributeKind::kTimestamp:
      AppendBytesHeader(field, TimestampSize(a), out);
      AppendTimestamp(a, out);
      break;
    default: AppendBytesField(field, a.text, out); break;
  }
}

size_t TextSize(absl::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(1, text.size());
}

using Span = CloudEventSpans::Span;

// The `size` bytes that `out` ends with.
Span Last(const std::string& out, size_t size) {
  return Span{static_cast<uint32_t>(out.size() - size), static_cast<uint32_t>(size)};
}

Span AppendText(uint32_t field, absl::string_view text, std::string* out) {
  if (!text.empty()) AppendBytesField(field, text, out);
  return Last(*out, text.size());
}

Span AppendAttribute(const AttributeView& a, std::string* out) {
  const size_t value_size = ValueSize(a);
  AppendBytesHeader(5, BytesFieldSize(1, a.name.size()) + BytesFieldSize(2, value_size), out);
  AppendBytesField(1, a.name, out);
  AppendBytesHeader(2, value_size, out);
  AppendValue(a, out);
  return Last(*out, a.is_text() ? a.text.size() : 0);
}

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
  auto& attributes = fields->attributes;
  std::sort(attributes.begin(), attributes.end(),
            [](const AttributeView& a, const AttributeView& b) { return a.name < b.name; });
  size_t size = TextSize(fields->id) + TextSize(fields->source) + TextSize(kSpecVersion) +
                TextSize(fields->type) + BytesFieldSize(6, fields->data.size());
  for (const AttributeView& a : attributes) size += BytesFieldSize(5, EntrySize(a));
  return size;
}

void AppendCloudEvent(const CloudEventFields& fields, CloudEventSpans* spans, std::string* out) {
  const size_t begin = out->size();
  const auto since = [begin](Span span) {
    return Span{span.offset - static_cast<uint32_t>(begin), span.size};
  };
  CloudEventSpans found;
  found.id = since(AppendText(1, fields.id, out));
  found.source = since(AppendText(2, fields.source, out));
  AppendText(3, kSpecVersion, out);
  found.type = since(AppendText(4, fields.type, out));
  for (const AttributeView& a : fields.attributes) {
    const Span text = AppendAttribute(a, out);
    if (a.name == "subject") found.subject = since(text);
  }
  AppendBytesField(6, fields.data, out);
  found.data = since(Last(*out, fields.data.size()));
  if (spans != nullptr) *spans = found;
}

std::string RenderCloudEvent(CloudEventFields* fields, CloudEventSpans* spans) {
  std::string out;
  out.reserve(PrepareCloudEvent(fields));
  AppendCloudEvent(*fields, spans, &out);
  return out;
}

}  // namespace cdgate::event
