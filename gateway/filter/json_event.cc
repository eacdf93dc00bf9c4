#include "gateway/filter/json_event.h"

#include <simdjson.h>

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/event/json_parser.h"

namespace cdgate::filter {
namespace {

using simdjson::dom::element;

std::string Minified(const element& value) { return std::string(simdjson::minify(value)); }

// Whole numbers of 32 bits and booleans as such, the rest as text; none for what is no
// attribute.
std::optional<Value> ScalarOf(const element& value, std::deque<std::string>* texts) {
  std::string_view text;
  bool boolean = false;
  int64_t integer = 0;
  if (value.is_object() || value.is_array()) return std::nullopt;
  if (value.get(boolean) == simdjson::SUCCESS) return Value::Boolean(boolean);
  if (value.get(integer) == simdjson::SUCCESS && integer >= INT32_MIN && integer <= INT32_MAX) {
    return Value::Integer(static_cast<int32_t>(integer));
  }
  const bool is_text = value.get(text) == simdjson::SUCCESS;
  texts->push_back(is_text ? std::string(text) : Minified(value));
  return Value::String(texts->back());
}

// What is not base64 is taken as it is: it is no JSON either way.
std::string Decoded(const Value& value) {
  std::string bytes;
  return absl::Base64Unescape(value.string(), &bytes) ? bytes : std::string(value.string());
}

absl::Status NoAttribute(absl::string_view name) {
  return base::MakeError(
      base::Reason::kInvalidCloudEvent,
      absl::StrCat("attribute ", base::Shorten(name), " is neither text, nor number, nor boolean"),
      {{"attribute", std::string(name)}});
}

}  // namespace

absl::string_view JsonEvent::Keep(std::string text) {
  content_->texts.push_back(std::move(text));
  return content_->texts.back();
}

void JsonEvent::Set(absl::string_view name, const Value& value) {
  EventParts& parts = content_->parts;
  switch (AttributeIdOf(name)) {
    case AttributeId::kId: parts.id = value.string(); break;
    case AttributeId::kSource: parts.source = value.string(); break;
    case AttributeId::kType: parts.type = value.string(); break;
    case AttributeId::kSpecVersion: parts.spec_version = value.string(); break;
    default: content_->attributes.push_back({name, value});
  }
}

absl::StatusOr<JsonEvent> JsonEvent::Parse(absl::string_view json) {
  event::JsonParser parser;
  simdjson::dom::object members;
  const absl::StatusOr<element> root = parser.ParseAdmitted(json);
  if (!root.ok()) {
    return base::MakeError(base::Reason::kInvalidJson, "the event is not JSON");
  }
  element version;
  if (root->get(members) != simdjson::SUCCESS ||
      members["specversion"].get(version) != simdjson::SUCCESS) {
    return base::MakeError(base::Reason::kInvalidCloudEvent,
                           "the event is not an object with a specversion");
  }
  JsonEvent event;
  Content& content = *event.content_;
  for (const auto member : members) {
    const absl::string_view name = event.Keep(std::string(member.key));
    if (member.value.is_null()) continue;
    if (name == "data") {
      content.parts.data = event.Keep(Minified(member.value));
      continue;
    }
    const std::optional<Value> value = ScalarOf(member.value, &content.texts);
    if (!value) return NoAttribute(name);
    if (name == "data_base64") {
      content.parts.data = event.Keep(Decoded(*value));
    } else {
      event.Set(name, *value);
    }
  }
  content.parts.attributes = content.attributes;
  return event;
}

}  // namespace cdgate::filter
