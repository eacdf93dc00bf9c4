#include "gateway/event/cdevent_envelope.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/timestamp.h"

namespace cdgate::event {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

absl::Status Fault(absl::string_view path, absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidEvent, absl::StrCat(path, ": ", what),
                         {{"path", std::string(path)}});
}

absl::string_view Describe(const element& value) {
  switch (value.type()) {
    case element_type::ARRAY: return "an array";
    case element_type::OBJECT: return "an object";
    case element_type::STRING: return "a string";
    case element_type::BOOL: return "a boolean";
    case element_type::NULL_VALUE: return "null";
    default: return "a number";
  }
}

constexpr uint64_t kOnes = 0x0101010101010101;

// The high bit of a byte: it is below 0x20 or above 0x7e.
uint64_t Unprintable(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word | (word - 0x20 * kOnes) | (word + kOnes);
}

bool IsPrintableAscii(absl::string_view text) {
  if (text.size() < 8) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  }
  const char* const last = text.data() + text.size() - 8;
  uint64_t seen = Unprintable(last);
  for (const char* at = text.data(); at < last; at += 8) seen |= Unprintable(at);
  return (seen & 0x80 * kOnes) == 0;
}

// C0, DEL and C1: what a CloudEvents attribute cannot carry.
bool HasControlCharacter(absl::string_view text) {
  if (IsPrintableAscii(text)) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;  // is UTF-8
  }
  return false;
}

// One string member of an object.
struct Text {
  const char* path;
  absl::string_view* out;
  bool seen = false;
};

absl::Status Take(const element& value, Text* text) {
  text->seen = true;
  std::string_view found;
  if (value.get(found) != simdjson::SUCCESS) {
    return Fault(text->path, absl::StrCat("expected a string, found ", Describe(value)));
  }
  if (found.empty()) return Fault(text->path, "expected a string that is not empty");
  *text->out = ToAbsl(found);
  if (HasControlCharacter(*text->out)) return Fault(text->path, "has a control character");
  return absl::OkStatus();
}

absl::Status Require(const Text& text) {
  return text.seen ? absl::OkStatus() : Fault(text.path, "missing, expected a string");
}

absl::Status TakeObject(const element& value, absl::string_view path, object* out) {
  if (value.get(*out) == simdjson::SUCCESS) return absl::OkStatus();
  return Fault(path, absl::StrCat("expected an object, found ", Describe(value)));
}

absl::Status CheckType(absl::string_view type) {
  for (const absl::string_view prefix : {"dev.cdevents.", "dev.cdeventsx."}) {
    if (absl::StartsWith(type, prefix) && type.size() > prefix.size()) return absl::OkStatus();
  }
  return Fault("context.type", absl::StrCat("expected dev.cdevents.… or dev.cdeventsx.…, found \"",
                                            base::Shorten(type), "\""));
}

absl::Status CheckTimestamp(CdEventEnvelope* envelope) {
  if (ParseRfc3339(envelope->timestamp, &envelope->seconds, &envelope->nanos)) {
    return absl::OkStatus();
  }
  return Fault("context.timestamp",
               absl::StrCat("expected an RFC 3339 timestamp with an offset, found \"",
                            base::Shorten(envelope->timestamp), "\""));
}

enum ContextText { kId, kSource, kType, kTimestamp, kVersion, kSpecVersion, kNotOurs };

// By length first: most names are of other members.
ContextText WhichText(std::string_view name) {
  switch (name.size()) {
    case 2: return name == "id" ? kId : kNotOurs;
    case 4: return name == "type" ? kType : kNotOurs;
    case 6: return name == "source" ? kSource : kNotOurs;
    case 7: return name == "version" ? kVersion : kNotOurs;
    case 9: return name == "timestamp" ? kTimestamp : kNotOurs;
    case 11: return name == "specversion" ? kSpecVersion : kNotOurs;
    default: return kNotOurs;
  }
}

absl::Status CheckContext(const element& value, CdEventEnvelope* envelope) {
  object context;
  CDGATE_RETURN_IF_ERROR(TakeObject(value, "context", &context));
  absl::string_view release;
  Text texts[] = {{"context.id", &envelope->id},     {"context.source", &envelope->source},
                  {"context.type", &envelope->type}, {"context.timestamp", &envelope->timestamp},
                  {"context.version", &release},     {"context.specversion", &release}};
  for (const auto member : context) {
    const ContextText which = WhichText(member.key);
    if (which != kNotOurs) CDGATE_RETURN_IF_ERROR(Take(member.value, &texts[which]));
  }
  for (const ContextText required : {kId, kSource, kType, kTimestamp}) {
    CDGATE_RETURN_IF_ERROR(Require(texts[required]));
  }
  const bool both = texts[kVersion].seen && texts[kSpecVersion].seen;
  if (texts[kVersion].seen == texts[kSpecVersion].seen) {
    return Fault("context", both ? "has both version and specversion, expected one"
                                 : "has neither version nor specversion, expected one");
  }
  CDGATE_RETURN_IF_ERROR(CheckType(envelope->type));
  return CheckTimestamp(envelope);
}

absl::Status CheckSubject(const element& value, CdEventEnvelope* envelope) {
  object subject;
  CDGATE_RETURN_IF_ERROR(TakeObject(value, "subject", &subject));
  Text id{"subject.id", &envelope->subject};
  bool has_content = false;
  for (const auto member : subject) {
    if (member.key == "id") {
      CDGATE_RETURN_IF_ERROR(Take(member.value, &id));
    } else if (member.key == "content") {
      object content;
      CDGATE_RETURN_IF_ERROR(TakeObject(member.value, "subject.content", &content));
      has_content = true;
    }
  }
  CDGATE_RETURN_IF_ERROR(Require(id));
  return has_content ? absl::OkStatus() : Fault("subject.content", "missing, expected an object");
}

absl::Status CheckCustomData(const element& value) {
  if (value.is_object() || value.is_string()) return absl::OkStatus();
  return Fault("customData",
               absl::StrCat("expected an object or a string, found ", Describe(value)));
}

absl::Status CheckCustomDataContentType(const element& value) {
  if (value.is_string()) return absl::OkStatus();
  return Fault("customDataContentType", absl::StrCat("expected a string, found ", Describe(value)));
}

}  // namespace

absl::StatusOr<CdEventEnvelope> CheckCdEvent(const element& root) {
  object top;
  if (root.get(top) != simdjson::SUCCESS) {
    return Fault("data", absl::StrCat("expected a CDEvent object, found ", Describe(root)));
  }
  CdEventEnvelope envelope;
  bool has_context = false;
  bool has_subject = false;
  for (const auto member : top) {
    absl::Status status;
    if (member.key == "context") {
      has_context = true;
      status = CheckContext(member.value, &envelope);
    } else if (member.key == "subject") {
      has_subject = true;
      status = CheckSubject(member.value, &envelope);
    } else if (member.key == "customData") {
      status = CheckCustomData(member.value);
    } else if (member.key == "customDataContentType") {
      status = CheckCustomDataContentType(member.value);
    } else {
      status = Fault(base::Shorten(ToAbsl(member.key)),
                     "not a member of a CDEvent, expected only context, subject, customData and "
                     "customDataContentType");
    }
    CDGATE_RETURN_IF_ERROR(status);
  }
  if (!has_context) return Fault("context", "missing, expected an object");
  if (!has_subject) return Fault("subject", "missing, expected an object");
  return envelope;
}

}  // namespace cdgate::event
