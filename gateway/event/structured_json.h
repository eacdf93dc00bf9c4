// The JSON event format of CloudEvents 1.0 (cloudevents/spec, formats/json-format.md):
// one event as one JSON object, attributes and data together ("structured mode").
//
//   event::StructuredReader reader;                 // one per worker, reused
//   io::cloudevents::v1::CloudEvent event;
//   CDGATE_RETURN_IF_ERROR(reader.Read(json, &event));
//
// The data keeps its bytes as they stand in the text. What is read is not admitted yet:
// see valid_event.h.
#pragma once

#include <simdjson.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/event/json_parser.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::event {

// True where `root` is an object in this form rather than a bare CDEvent: it has
// `specversion` and no `context`.
bool LooksStructured(const simdjson::dom::element& root);

// Not thread-safe; reuses its memory from event to event.
class StructuredReader {
 public:
  // `event` is replaced; after an error it holds nothing that means something. `data`
  // must be an object (a CDEvent), or `data_base64` hold its bytes; a member that is null
  // counts as absent. INVALID_JSON or AMBIGUOUS_JSON for the whole text;
  // INVALID_CLOUD_EVENT where a member has a type that no attribute has, or `time` is no
  // timestamp; UNSUPPORTED_DATA where there is no data of these two kinds.
  absl::Status Read(absl::string_view json, io::cloudevents::v1::CloudEvent* event);

 private:
  absl::StatusOr<std::string> VerbatimData(absl::string_view json);

  JsonParser parser_;
  simdjson::ondemand::parser scanner_;
  simdjson::padded_string padded_;
};

}  // namespace cdgate::event
