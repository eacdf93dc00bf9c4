// A CloudEvent from JSON, as it stands, for trying expressions on it: any type, nothing
// checked, attributes in the words they are written in.
//
//   CDGATE_ASSIGN_OR_RETURN(JsonEvent event, JsonEvent::Parse(text));
//   context.Reset(event.parts());
//
// What a gateway decides about are admitted events (gateway/event); this is for those
// that it would not take, such as the events of the CESQL conformance kit.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/event_context.h"

namespace cdgate::filter {

class JsonEvent {
 public:
  // `json`: the JSON event format of CloudEvents, data included or not. INVALID_JSON
  // where it is no JSON, INVALID_CLOUD_EVENT where it is no object with a specversion or
  // an attribute is an object or array.
  static absl::StatusOr<JsonEvent> Parse(absl::string_view json);

  // Views into *this, also after a move.
  const EventParts& parts() const { return content_->parts; }

 private:
  struct Content {
    EventParts parts;
    std::vector<Attribute> attributes;
    std::deque<std::string> texts;
  };
  JsonEvent() : content_(std::make_unique<Content>()) {}
  absl::string_view Keep(std::string text);
  void Set(absl::string_view name, const Value& value);

  std::unique_ptr<Content> content_;
};

}  // namespace cdgate::filter
