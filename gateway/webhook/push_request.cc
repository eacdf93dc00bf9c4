#include "gateway/webhook/push_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/timestamp.h"
#include "gateway/cdevents/json_text.h"

namespace cdgate::webhook {
namespace {

using io::cloudevents::v1::CloudEvent;
using Value = CloudEvent::CloudEventAttributeValue;

constexpr char kContentType[] = "datacontenttype";
constexpr char kJson[] = "application/json";

std::string TextOf(const Value& value) {
  switch (value.attr_case()) {
    case Value::kCeBoolean: return value.ce_boolean() ? "true" : "false";
    case Value::kCeInteger: return absl::StrCat(value.ce_integer());
    case Value::kCeString: return value.ce_string();
    case Value::kCeBytes: return absl::Base64Escape(value.ce_bytes());
    case Value::kCeUri: return value.ce_uri();
    case Value::kCeUriRef: return value.ce_uri_ref();
    case Value::kCeTimestamp:
      return base::FormatRfc3339(value.ce_timestamp().seconds(), value.ce_timestamp().nanos());
    case Value::ATTR_NOT_SET: break;
  }
  return "";
}

// The media type that the data says of itself; JSON, as CDEvents are, where it says none that can
// stand in a header field.
std::string ContentTypeOf(const CloudEvent& event) {
  const auto found = event.attributes().find(kContentType);
  if (found == event.attributes().end()) return kJson;
  std::string type = TextOf(found->second);
  const bool fits = std::all_of(type.begin(), type.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  return type.empty() || !fits ? kJson : type;
}

bool IsJson(absl::string_view content_type) {
  const std::string type = absl::AsciiStrToLower(
      absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
  return type == kJson || type == "text/json" || absl::EndsWith(type, "+json");
}

const std::string& DataOf(const CloudEvent& event) {
  return event.has_text_data() ? event.text_data() : event.binary_data();
}

// By name, so that a request is the same whenever it is made.
std::vector<std::pair<std::string, Value>> SortedAttributes(const CloudEvent& event) {
  std::vector<std::pair<std::string, Value>> out(event.attributes().begin(),
                                                 event.attributes().end());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

void AddField(absl::string_view name, absl::string_view text, PushBody* out) {
  out->fields.push_back(absl::StrCat(name, ": ", EncodeCeHeader(text)));
}

void AddBinary(const CloudEvent& event, PushBody* out) {
  AddField("ce-specversion", event.spec_version(), out);
  AddField("ce-id", event.id(), out);
  AddField("ce-source", event.source(), out);
  AddField("ce-type", event.type(), out);
  for (const auto& [name, value] : SortedAttributes(event)) {
    if (name != kContentType) AddField(absl::StrCat("ce-", name), TextOf(value), out);
  }
  out->fields.push_back(absl::StrCat("Content-Type: ", ContentTypeOf(event)));
  out->body = DataOf(event);
}

void AddMember(absl::string_view name, const Value& value, std::string* json) {
  if (json->size() > 1) json->push_back(',');
  cdevents::AppendJsonText(name, json);
  json->push_back(':');
  if (value.attr_case() == Value::kCeBoolean || value.attr_case() == Value::kCeInteger) {
    absl::StrAppend(json, TextOf(value));
  } else {
    cdevents::AppendJsonText(TextOf(value), json);
  }
}

void AddMember(absl::string_view name, const std::string& text, std::string* json) {
  Value value;
  value.set_ce_string(text);
  AddMember(name, value, json);
}

// The JSON event format 1.0.2, section 3.
void AddStructured(const CloudEvent& event, PushBody* out) {
  std::string json = "{";
  AddMember("specversion", event.spec_version(), &json);
  AddMember("id", event.id(), &json);
  AddMember("source", event.source(), &json);
  AddMember("type", event.type(), &json);
  for (const auto& [name, value] : SortedAttributes(event)) AddMember(name, value, &json);
  if (IsJson(ContentTypeOf(event))) {
    absl::StrAppend(&json, ",\"data\":", DataOf(event), "}");
  } else {
    AddMember("data_base64", absl::Base64Escape(DataOf(event)), &json);
    json.push_back('}');
  }
  // Without a charset: JSON has none, and not every reader knows all its spellings.
  out->fields.emplace_back("Content-Type: application/cloudevents+json");
  out->body = std::move(json);
}

}  // namespace

std::string EncodeCeHeader(absl::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '"' && c != '%') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

PushBody BodyOf(const events::v1::DeliveredEvent& delivered, admin::v1::PushFormat format) {
  PushBody out;
  if (format == admin::v1::PUSH_FORMAT_STRUCTURED) {
    AddStructured(delivered.event(), &out);
  } else {
    AddBinary(delivered.event(), &out);
  }
  out.fields.push_back(absl::StrCat("Cdgate-Sequence: ", delivered.sequence()));
  out.fields.push_back(absl::StrCat("Cdgate-Attempt: ", delivered.attempt()));
  if (!delivered.not_converted().empty()) {
    AddField("Cdgate-Not-Converted", delivered.not_converted(), &out);
  }
  return out;
}

}  // namespace cdgate::webhook
