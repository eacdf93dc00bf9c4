#include "gateway/base/errors.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cdgate::base {
namespace {

// The payload: the reason, then key and value of each metadata entry, separated by
// NUL bytes (none of them contains one: MakeError drops NULs).
constexpr char kPayloadUrl[] = "type.cdgate.dev/reason";
// Milliseconds, decimal.
constexpr char kRetryAfterUrl[] = "type.cdgate.dev/retry-after";

std::string WithoutNul(absl::string_view text) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), 0), out.end());
  return out;
}

std::optional<std::vector<std::string>> PayloadOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload) return std::nullopt;
  return absl::StrSplit(std::string(*payload), '\0');
}

}  // namespace

const std::vector<ReasonInfo>& AllReasons() {
  static const auto* const reasons = new std::vector<ReasonInfo>{
#define CDGATE_REASON(name, text, code, meaning, remedy) \
  {Reason::name, text, absl::StatusCode::code, meaning, remedy},
#include "gateway/base/error_reasons.def"
#undef CDGATE_REASON
  };
  return *reasons;
}

const ReasonInfo& InfoOf(Reason reason) { return AllReasons()[static_cast<size_t>(reason)]; }

absl::string_view ReasonText(Reason reason) { return InfoOf(reason).text; }

std::string ReasonLabel(Reason reason) { return absl::AsciiStrToLower(ReasonText(reason)); }

std::optional<Reason> ReasonFromText(absl::string_view text) {
  const std::string upper = absl::AsciiStrToUpper(text);
  for (const ReasonInfo& info : AllReasons()) {
    if (info.text == upper) return info.reason;
  }
  return std::nullopt;
}

absl::Status MakeError(Reason reason, absl::string_view message, Metadata metadata) {
  absl::Status status(InfoOf(reason).code, message);
  std::string payload(ReasonText(reason));
  for (const auto& [key, value] : metadata) {
    absl::StrAppend(&payload, absl::string_view("\0", 1), WithoutNul(key),
                    absl::string_view("\0", 1), WithoutNul(value));
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const auto parts = PayloadOf(status);
  if (!parts) return std::nullopt;
  return ReasonFromText(parts->front());
}

Metadata MetadataOf(const absl::Status& status) {
  Metadata out;
  const auto parts = PayloadOf(status);
  if (!parts) return out;
  for (size_t i = 1; i + 1 < parts->size(); i += 2) {
    out.emplace_back((*parts)[i], (*parts)[i + 1]);
  }
  return out;
}

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  // Rounded up: a try that comes when it was told to must not be too early.
  const int64_t millis = absl::ToInt64Milliseconds(absl::Ceil(delay, absl::Milliseconds(1)));
  status.SetPayload(kRetryAfterUrl, absl::Cord(absl::StrCat(std::max<int64_t>(millis, 1))));
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterUrl);
  int64_t millis = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &millis)) return std::nullopt;
  return absl::Milliseconds(millis);
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status out(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload(
      [&out](absl::string_view url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

}  // namespace cdgate::base
