#include "gateway/event/cdevent_envelope.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"
#include "gateway/cdevents/validator.h"

namespace cdgate::event {
namespace {

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

// "dev.cdevents.build.queued.0.3.0 of release 0.5.1"
std::string NameOf(const cdevents::Envelope& judged) {
  if (judged.form == nullptr) return "CDEvent";
  return absl::StrCat(base::Shorten(judged.type), " of release ",
                      cdevents::ReleaseOf(judged.form->family));
}

absl::Status Fault(const cdevents::Envelope& judged, absl::string_view path, absl::string_view rule,
                   absl::string_view value) {
  cdevents::Faults faults;
  faults.list.push_back(
      {std::string(path), std::string(rule), absl::StrCat("\"", base::Shorten(value), "\"")});
  return cdevents::FaultsError(faults, NameOf(judged));
}

absl::Status CheckAttributes(const cdevents::Envelope& judged) {
  const std::pair<const char*, absl::string_view> attributes[] = {
      {"/context/id", judged.id},
      {"/context/source", judged.source},
      {"/context/type", judged.type},
      {"/subject/id", judged.subject}};
  for (const auto& [path, value] : attributes) {
    if (HasControlCharacter(value)) {
      return Fault(judged, path, "no control characters, for CloudEvents", value);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CdEventEnvelope> CheckCdEvent(const simdjson::dom::document& document) {
  cdevents::Envelope judged;
  const cdevents::Verdict verdict = cdevents::Judge(document, &judged);
  if (verdict == cdevents::Verdict::kInvalid) {
    return cdevents::FaultsError(cdevents::FindFaults(document), NameOf(judged));
  }
  CDGATE_RETURN_IF_ERROR(CheckAttributes(judged));
  CdEventEnvelope envelope;
  if (!base::ParseRfc3339(judged.timestamp, &envelope.seconds, &envelope.nanos)) {
    return Fault(judged, "/context/timestamp", "years 1 to 9999 in UTC, for CloudEvents",
                 judged.timestamp);
  }
  envelope.id = judged.id;
  envelope.source = judged.source;
  envelope.type = judged.type;
  envelope.subject = judged.subject;
  envelope.timestamp = judged.timestamp;
  envelope.schema_uri = judged.schema_uri;
  envelope.unknown_type = verdict == cdevents::Verdict::kUnknownType;
  return envelope;
}

}  // namespace cdgate::event
