#include "gateway/event/structured_json.h"

#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"

namespace cdgate::event {
namespace {

using base::MakeError;
using base::Reason;
using io::cloudevents::v1::CloudEvent;
using Attribute = CloudEvent::CloudEventAttributeValue;

absl::Status WrongMember(absl::string_view name, absl::string_view what) {
  const std::string shown = base::Shorten(name);
  return MakeError(Reason::kInvalidCloudEvent, absl::StrCat("attribute ", shown, " ", what),
                   {{"attribute", shown}});
}

// One of the four members that are fields of their own.
absl::StatusOr<std::string> RequiredText(absl::string_view name,
                                         const simdjson::dom::element& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return WrongMember(name, "is not a string");
  return std::string(text);
}

absl::Status ReadText(absl::string_view name, absl::string_view text, Attribute* out) {
  if (name == "time") {
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (!base::ParseRfc3339(text, &seconds, &nanos)) {
      return WrongMember(name, "is not a timestamp of RFC 3339");
    }
    out->mutable_ce_timestamp()->set_seconds(seconds);
    out->mutable_ce_timestamp()->set_nanos(nanos);
  } else if (name == "dataschema") {
    out->set_ce_uri(std::string(text));
  } else {
    out->set_ce_string(std::string(text));
  }
  return absl::OkStatus();
}

absl::Status ReadAttribute(absl::string_view name, const simdjson::dom::element& value,
                           Attribute* out) {
  std::string_view text;
  bool flag = false;
  int64_t number = 0;
  if (value.get(text) == simdjson::SUCCESS) return ReadText(name, ToAbsl(text), out);
  if (value.get(flag) == simdjson::SUCCESS) {
    out->set_ce_boolean(flag);
    return absl::OkStatus();
  }
  if (value.get(number) == simdjson::SUCCESS && number >= std::numeric_limits<int32_t>::min() &&
      number <= std::numeric_limits<int32_t>::max()) {
    out->set_ce_integer(static_cast<int32_t>(number));
    return absl::OkStatus();
  }
  return WrongMember(name, "is not a string, a boolean or an integer of 32 bits");
}

absl::Status ReadBase64(const simdjson::dom::element& value, CloudEvent* event) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS ||
      !absl::Base64Unescape(ToAbsl(text), event->mutable_binary_data())) {
    return MakeError(Reason::kUnsupportedData, "data_base64 is not a text in base64");
  }
  return absl::OkStatus();
}

// Everything but `data`.
absl::Status ReadMember(absl::string_view name, const simdjson::dom::element& value,
                        CloudEvent* event) {
  if (name == "data_base64") return ReadBase64(value, event);
  std::string* field = nullptr;
  if (name == "id") field = event->mutable_id();
  if (name == "source") field = event->mutable_source();
  if (name == "type") field = event->mutable_type();
  if (name == "specversion") field = event->mutable_spec_version();
  if (field == nullptr) {
    return ReadAttribute(name, value, &(*event->mutable_attributes())[std::string(name)]);
  }
  CDGATE_ASSIGN_OR_RETURN(*field, RequiredText(name, value));
  return absl::OkStatus();
}

}  // namespace

bool LooksStructured(const simdjson::dom::element& root) {
  return root.is_object() && root["specversion"].error() == simdjson::SUCCESS &&
         root["context"].error() != simdjson::SUCCESS;
}

absl::Status StructuredReader::Read(absl::string_view json, CloudEvent* event) {
  event->Clear();
  CDGATE_ASSIGN_OR_RETURN(const simdjson::dom::element root, parser_.ParseIJson(json));
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return MakeError(Reason::kInvalidCloudEvent, "the event is not a JSON object");
  }
  bool has_data = false;
  for (const simdjson::dom::key_value_pair member : object) {
    const absl::string_view name = ToAbsl(member.key);
    if (member.value.is_null()) continue;
    if (name == "data") {
      has_data = true;
    } else {
      CDGATE_RETURN_IF_ERROR(ReadMember(name, member.value, event));
    }
  }
  if (has_data == (event->data_case() == CloudEvent::kBinaryData)) {
    return MakeError(Reason::kUnsupportedData,
                     "the event needs either data, an object, or data_base64");
  }
  if (has_data) {
    CDGATE_ASSIGN_OR_RETURN(*event->mutable_binary_data(), VerbatimData(json));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> StructuredReader::VerbatimData(absl::string_view json) {
  padded_ = simdjson::padded_string(json.data(), json.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::object data;
  std::string_view raw;
  if (scanner_.iterate(padded_).get(document) != simdjson::SUCCESS ||
      document["data"].get_object().get(data) != simdjson::SUCCESS ||
      data.raw_json().get(raw) != simdjson::SUCCESS) {
    return MakeError(Reason::kUnsupportedData, "data is not a JSON object");
  }
  return std::string(absl::StripTrailingAsciiWhitespace(ToAbsl(raw)));
}

}  // namespace cdgate::event
