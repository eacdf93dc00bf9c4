// Renders a CloudEvent in the canonical form: the bytes that are stored, delivered and
// relayed. The same event always gives the same bytes.
//
//   CloudEventFields fields;
//   fields.id = "1"; ...
//   fields.attributes.push_back(subject);
//   const std::string bytes = RenderCloudEvent(&fields);
//
// The form is what a generated message serialises to deterministically: id, source,
// spec_version, type, attributes by name, binary_data; strings that are empty are left
// out, binary_data never is.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "gateway/event/cloud_event_view.h"

namespace cdgate::event {

// What to render; the views must outlive the call.
struct CloudEventFields {
  absl::string_view id;
  absl::string_view source;
  absl::string_view type;
  absl::string_view data;
  absl::InlinedVector<AttributeView, 12> attributes;  // names are unique; any order
  // Where the event came in canonical form and nothing of it was changed since: its bytes,
  // into which the views above point. They are copied then. Else empty.
  absl::string_view canonical;
};

AttributeView TextAttribute(absl::string_view name, absl::string_view text);
AttributeView TimeAttribute(absl::string_view name, int64_t seconds, int32_t nanos);

// Where a rendered event has its parts.
struct CloudEventSpans {
  struct Span {
    uint32_t offset = 0;
    uint32_t size = 0;
    absl::string_view Of(absl::string_view bytes) const { return bytes.substr(offset, size); }
  };
  Span id, source, type, data;
  // The texts of these attributes; empty where there is none.
  Span subject, dataclassification;
};

// Sorts fields->attributes by name. spec_version is "1.0". Sets `spans`, unless null.
std::string RenderCloudEvent(CloudEventFields* fields, CloudEventSpans* spans = nullptr);

// The same in two steps, for an event that is rendered into a larger message. Spans count
// from the event's own first byte. Attributes are sorted by the first step.
size_t PrepareCloudEvent(CloudEventFields* fields);  // the size that it will have
// To memory that has room for it.
void PutCloudEvent(const CloudEventFields& fields, size_t size, CloudEventSpans* spans, char* at);

}  // namespace cdgate::event
