#include "gateway/http/ingress_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/cdevent_envelope.h"
#include "gateway/event/cloud_event_writer.h"
#include "gateway/event/wire_reader.h"
#include "gateway/http/ce_header.h"

namespace cdgate::http {
namespace {

using base::MakeError;
using base::Reason;
using io::cloudevents::v1::CloudEvent;
using io::cloudevents::v1::CloudEventBatch;

constexpr absl::string_view kCePrefix = "ce-";

// "application/json" of "Application/JSON; charset=utf-8".
std::string EssenceOf(absl::string_view content_type) {
  return absl::AsciiStrToLower(
      absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
}

bool IsJson(absl::string_view essence) {
  return absl::EndsWith(essence, "/json") || absl::EndsWith(essence, "+json");
}

absl::Status UnsupportedType(absl::string_view what) {
  return MakeError(Reason::kMediaTypeUnsupported,
                   absl::StrCat(what,
                                "; send JSON in UTF-8 as application/json, "
                                "application/cloudevents+json or "
                                "application/cloudevents-batch+json"));
}

absl::Status TooManyEvents() {
  return MakeError(Reason::kTooLarge,
                   absl::StrCat("the batch has more than ", kMaxBatchEvents,
                                " events; send fewer events at once"),
                   {{"limit", absl::StrCat(kMaxBatchEvents)}});
}

// JSON is UTF-8 (RFC 8259); a sender that says otherwise means other text.
absl::Status CheckCharset(absl::string_view content_type) {
  const std::vector<absl::string_view> parts = absl::StrSplit(content_type, ';');
  for (size_t i = 1; i < parts.size(); ++i) {
    absl::string_view parameter = absl::StripAsciiWhitespace(parts[i]);
    if (!absl::StartsWithIgnoreCase(parameter, "charset=")) continue;
    parameter.remove_prefix(sizeof("charset=") - 1);
    if (absl::ConsumePrefix(&parameter, "\"")) absl::ConsumeSuffix(&parameter, "\"");
    if (absl::EqualsIgnoreCase(parameter, "utf-8") ||
        absl::EqualsIgnoreCase(parameter, "us-ascii")) {
      continue;
    }
    return UnsupportedType(
        absl::StrCat("the body's charset is \"", base::Shorten(parameter), "\""));
  }
  return absl::OkStatus();
}

absl::Status CheckCodings(const HttpHead& head) {
  const size_t count = head.Count("content-encoding");
  if (count == 0 || absl::EqualsIgnoreCase(head.Find("content-encoding"), "identity")) {
    return absl::OkStatus();
  }
  return UnsupportedType("the body has a Content-Encoding, and compressed bodies are not taken");
}

bool HasCeFields(const HttpHead& head) {
  for (const HttpField& field : head.fields) {
    if (absl::StartsWith(field.name, kCePrefix)) return true;
  }
  return false;
}

absl::Status InvalidAttribute(absl::string_view name, absl::string_view what) {
  const std::string shown = base::Shorten(name);
  return MakeError(Reason::kInvalidCloudEvent, absl::StrCat("attribute ", shown, " ", what),
                   {{"attribute", shown}});
}

// As event::StructuredReader gives texts their types.
absl::Status SetAttribute(const std::string& name, std::string text, CloudEvent* event) {
  if (name == "id")
    event->set_id(std::move(text));
  else if (name == "source")
    event->set_source(std::move(text));
  else if (name == "type")
    event->set_type(std::move(text));
  else if (name == "specversion")
    event->set_spec_version(std::move(text));
  else if (name == "time") {
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (!base::ParseRfc3339(text, &seconds, &nanos)) {
      return InvalidAttribute(name, "is not a timestamp of RFC 3339");
    }
    auto& time = *(*event->mutable_attributes())[name].mutable_ce_timestamp();
    time.set_seconds(seconds);
    time.set_nanos(nanos);
  } else if (name == "dataschema") {
    (*event->mutable_attributes())[name].set_ce_uri(std::move(text));
  } else {
    (*event->mutable_attributes())[name].set_ce_string(std::move(text));
  }
  return absl::OkStatus();
}

absl::Status ReadCeFields(const HttpHead& head, CloudEvent* event) {
  for (const HttpField& field : head.fields) {
    if (!absl::StartsWith(field.name, kCePrefix)) continue;
    const std::string name = field.name.substr(kCePrefix.size());
    if (head.Count(field.name) > 1) return InvalidAttribute(name, "is there twice");
    if (name == "datacontenttype") {
      return InvalidAttribute(name,
                              "is a header field of its own; in binary mode it is "
                              "Content-Type");
    }
    CDGATE_ASSIGN_OR_RETURN(std::string text, DecodeCeHeader(field.name, field.value));
    CDGATE_RETURN_IF_ERROR(SetAttribute(name, std::move(text), event));
  }
  return absl::OkStatus();
}

// 0.3 as 1.0; see the header.
absl::Status Modernise(CloudEvent* event) {
  if (event->spec_version() != "0.3") return absl::OkStatus();
  auto& attributes = *event->mutable_attributes();
  if (attributes.contains("dssematerial")) {
    return InvalidAttribute("specversion", "is 0.3, which no dssematerial signs; expected 1.0");
  }
  if (attributes.contains("datacontentencoding")) {
    return InvalidAttribute("datacontentencoding", "is not taken; send the data as JSON");
  }
  if (attributes.contains("schemaurl")) {
    attributes["dataschema"].set_ce_uri(attributes["schemaurl"].ce_string());
    attributes.erase("schemaurl");
  }
  event->set_spec_version("1.0");
  return absl::OkStatus();
}

// The Jenkins plugin's HTTP sink sends the toString() of a Java object.
absl::Status NotJson(absl::string_view body, absl::Status error) {
  const absl::string_view start = absl::StripLeadingAsciiWhitespace(body);
  if (!absl::StartsWith(start, "CloudEvent{")) return error;
  return MakeError(Reason::kInvalidJson,
                   "the body is the toString() of a Java CloudEvent and not JSON, as the HTTP sink "
                   "of the Jenkins CDEvents plugin sends it: nothing can be read from it safely; "
                   "have the sender write it with io.cloudevents.jackson.JsonFormat");
}

// Attributes by name: the same request always gives the same bytes, and so the same refusal.
std::string Serialised(const CloudEvent& event) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    event.SerializeToCodedStream(&coded);
  }
  return bytes;
}

char FirstChar(absl::string_view json) {
  const absl::string_view start = absl::StripLeadingAsciiWhitespace(json);
  return start.empty() ? '\0' : start.front();
}

}  // namespace

absl::string_view ModeName(IngressMode mode) {
  switch (mode) {
    case IngressMode::kBinary: return "binary";
    case IngressMode::kStructured: return "structured";
    case IngressMode::kBatch: return "batch";
    case IngressMode::kRaw: return "raw";
  }
  return "unknown";
}

absl::StatusOr<IngressEvents> RequestReader::Read(const HttpHead& head, absl::string_view body) {
  CDGATE_RETURN_IF_ERROR(CheckCodings(head));
  if (head.Count("content-type") > 1) return UnsupportedType("there are two Content-Types");
  const absl::string_view content_type = head.Find("content-type");
  CDGATE_RETURN_IF_ERROR(CheckCharset(content_type));
  const std::string essence = EssenceOf(content_type);
  IngressEvents out;
  if (absl::StartsWith(essence, "application/cloudevents-batch")) {
    out.mode = IngressMode::kBatch;
    const bool json = essence == "application/cloudevents-batch+json";
    if (!json && essence != "application/cloudevents-batch+protobuf") {
      return UnsupportedType(absl::StrCat("there is no batch format ", base::Shorten(essence)));
    }
    CDGATE_ASSIGN_OR_RETURN(out.events, json ? ReadJsonBatch(body) : ReadProtobufBatch(body));
  } else if (absl::StartsWith(essence, "application/cloudevents")) {
    out.mode = IngressMode::kStructured;
    const bool json = essence == "application/cloudevents+json";
    if (!json && essence != "application/cloudevents+protobuf") {
      return UnsupportedType(absl::StrCat("there is no event format ", base::Shorten(essence)));
    }
    out.events.push_back(json ? ReadStructured(body) : ReadProtobuf(body));
  } else if (HasCeFields(head)) {
    out.mode = IngressMode::kBinary;
    out.events.push_back(ReadBinary(head, body));
  } else if (!essence.empty() && !IsJson(essence)) {
    return UnsupportedType(absl::StrCat("the body's type is ", base::Shorten(essence)));
  } else {
    return ReadShaped(body);
  }
  return out;
}

absl::StatusOr<IngressEvents> RequestReader::ReadShaped(absl::string_view body) {
  IngressEvents out;
  if (FirstChar(body) == '[') {
    out.mode = IngressMode::kBatch;
    CDGATE_ASSIGN_OR_RETURN(out.events, ReadJsonBatch(body));
    return out;
  }
  const auto root = parser_.ParseIJson(body);
  if (!root.ok()) return NotJson(body, root.status());
  const bool structured = event::LooksStructured(*root);
  out.mode = structured ? IngressMode::kStructured : IngressMode::kRaw;
  out.events.push_back(structured ? ReadStructured(body) : ReadRaw(body));
  return out;
}

IngressEvent RequestReader::ReadBinary(const HttpHead& head, absl::string_view body) {
  CloudEvent event;
  absl::Status status = ReadCeFields(head, &event);
  if (status.ok() && head.Count("ce-specversion") == 0) {
    status = InvalidAttribute("specversion", "is missing: in binary mode send ce-specversion: 1.0");
  }
  const absl::string_view content_type = head.Find("content-type");
  if (!std::all_of(content_type.begin(), content_type.end(), absl::ascii_isascii)) {
    // A header field may have them, a media type (RFC 9110, section 8.3.1) and an attribute not.
    if (status.ok()) {
      status = InvalidAttribute("datacontenttype",
                                "has bytes that are not ASCII; send Content-Type: "
                                "application/json");
    }
  } else if (!content_type.empty()) {
    (*event.mutable_attributes())["datacontenttype"].set_ce_string(std::string(content_type));
  }
  event.set_binary_data(std::string(body));
  return Finish(std::move(status), &event);
}

IngressEvent RequestReader::ReadStructured(absl::string_view json) {
  CloudEvent event;
  absl::Status status = structured_.Read(json, &event);
  if (base::ReasonOf(status) == Reason::kInvalidJson) status = NotJson(json, status);
  return Finish(std::move(status), &event);
}

IngressEvent RequestReader::ReadProtobuf(absl::string_view bytes) {
  CloudEvent event;
  absl::Status status;
  if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    status = MakeError(Reason::kInvalidCloudEvent,
                       "the body is no io.cloudevents.v1.CloudEvent in protobuf form");
  }
  return Finish(std::move(status), &event);
}

IngressEvent RequestReader::Finish(absl::Status status, CloudEvent* event) {
  IngressEvent out{event->id(), event->source(), "", std::move(status)};
  if (out.status.ok()) out.status = Modernise(event);
  const std::string& data =
      event->data_case() == CloudEvent::kTextData ? event->text_data() : event->binary_data();
  // What is wrong with the data, admission says; here it is only asked for its name.
  if (parser_.ParseIJson(data).ok()) {
    const cdevents::Envelope inner = cdevents::ReadEnvelope(parser_.document());
    if (!inner.id.empty()) out.id = std::string(inner.id);
    if (!inner.source.empty()) out.source = std::string(inner.source);
  }
  if (out.status.ok()) out.cloud_event = Serialised(*event);
  return out;
}

IngressEvent RequestReader::ReadRaw(absl::string_view json) {
  const cdevents::Envelope inner = cdevents::ReadEnvelope(parser_.document());
  IngressEvent out{std::string(inner.id), std::string(inner.source), "", absl::OkStatus()};
  // The CloudEvent needs these. What else is wrong, and subject and time, are admission's.
  if (inner.id.empty() || inner.source.empty() || inner.type.empty()) {
    out.status = event::CheckCdEvent(parser_.document()).status();
    return out;
  }
  event::CloudEventFields fields;
  fields.id = inner.id;
  fields.source = inner.source;
  fields.type = inner.type;
  fields.data = json;
  fields.attributes.push_back(event::TextAttribute("datacontenttype", "application/json"));
  out.cloud_event = event::RenderCloudEvent(&fields);
  return out;
}

IngressEvent RequestReader::ReadByShape(absl::string_view json) {
  const auto root = parser_.ParseIJson(json);
  if (root.ok() && !event::LooksStructured(*root)) return ReadRaw(json);
  return ReadStructured(json);
}

// The members are judged one by one, so that a fault in one is only that one's; the array
// around them is judged here.
absl::Status RequestReader::CheckJsonArray(absl::string_view json) {
  const auto root = parser_.ParseAdmitted(json);
  if (!root.ok()) return NotJson(json, root.status());
  if (root->is_array()) return absl::OkStatus();
  return NotJson(json, MakeError(Reason::kInvalidJson, "the body is not an array of events"));
}

absl::StatusOr<std::vector<IngressEvent>> RequestReader::ReadJsonBatch(absl::string_view json) {
  CDGATE_RETURN_IF_ERROR(CheckJsonArray(json));
  const simdjson::padded_string padded(json.data(), json.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::array members;
  std::vector<IngressEvent> out;
  if (scanner_.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_array().get(members) != simdjson::SUCCESS) {
    return MakeError(Reason::kInvalidJson, "the body is not an array of events");
  }
  for (auto member : members) {
    simdjson::ondemand::object object;
    std::string_view text;
    if (member.get_object().get(object) != simdjson::SUCCESS ||
        object.raw_json().get(text) != simdjson::SUCCESS) {
      return MakeError(Reason::kInvalidJson,
                       absl::StrCat("member ", out.size(), " of the batch is not an object"));
    }
    if (out.size() == kMaxBatchEvents) return TooManyEvents();
    out.push_back(ReadByShape(absl::StripTrailingAsciiWhitespace(event::ToAbsl(text))));
  }
  return out;
}

absl::StatusOr<std::vector<IngressEvent>> RequestReader::ReadProtobufBatch(
    absl::string_view bytes) {
  // Counted before they are made: an empty event is two bytes here, and a hundred as an object.
  // What the counting does not understand, groups, could hide events from it.
  size_t count = 0;
  event::WireReader fields(bytes);
  while (fields.Next()) {
    if (fields.field() == CloudEventBatch::kEventsFieldNumber && ++count > kMaxBatchEvents) {
      return TooManyEvents();
    }
  }
  CloudEventBatch batch;
  if (!fields.ok() || !batch.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return MakeError(Reason::kInvalidCloudEvent,
                     "the body is no io.cloudevents.v1.CloudEventBatch in protobuf form");
  }
  std::vector<IngressEvent> out;
  for (CloudEvent& event : *batch.mutable_events()) out.push_back(Finish(absl::OkStatus(), &event));
  return out;
}

}  // namespace cdgate::http
