#include "gateway/event/cdevent_envelope.h"

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

bool IsPrintableAscii(absl::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t seen = 0;  // the high bit of a byte: below 0x20 or above 0x7e
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    seen |= word | (word - 0x20 * kOnes) | (word + kOnes);
  }
  bool good = (seen & 0x80 * kOnes) == 0;
  for (; at < text.size(); ++at) good &= text[at] >= 0x20 && text[at] < 0x7f;
  return good;
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
  std::string_view name;
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

absl::Status CheckContext(const element& value, CdEventEnvelope* envelope) {
  object context;
  CDGATE_RETURN_IF_ERROR(TakeObject(value, "context", &context));
  absl::string_view release;
  Text texts[] = {{"id", "context.id", &envelope->id},
                  {"source", "context.source", &envelope->source},
                  {"type", "context.type", &envelope->type},
                  {"timestamp", "context.timestamp", &envelope->timestamp},
                  {"version", "context.version", &release},
                  {"specversion", "context.specversion", &release}};
  for (const auto member : context) {
    for (Text& text : texts) {
      if (member.key == text.name) CDGATE_RETURN_IF_ERROR(Take(member.value, &text));
    }
  }
  for (size_t i = 0; i < 4; ++i) CDGATE_RETURN_IF_ERROR(Require(texts[i]));
  if (texts[4].seen == texts[5].seen) {
    return Fault("context", texts[4].seen ? "has both version and specversion, expected one"
                                          : "has neither version nor specversion, expected one");
  }
  CDGATE_RETURN_IF_ERROR(CheckType(envelope->type));
  return CheckTimestamp(envelope);
}

absl::Status CheckSubject(const element& value, CdEventEnvelope* envelope) {
  object subject;
  CDGATE_RETURN_IF_ERROR(TakeObject(value, "subject", &subject));
  Text id{"id", "subject.id", &envelope->subject};
  bool has_content = false;
  for (const auto member : subject) {
    if (member.key == id.name) {
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
