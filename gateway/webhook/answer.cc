#include "gateway/webhook/answer.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::webhook {
namespace {

using base::MakeError;
using base::Reason;

constexpr int kGoneStatus = 410;
constexpr int kTooMany = 429;
constexpr int kUnavailable = 503;

bool IsAboutTheEvent(int status) {
  return status == 400 || status == 409 || status == 413 || status == 415 || status == 422;
}

Reason ReasonOf(const Answer& answer) {
  switch (KindOf(answer)) {
    case AnswerKind::kGone: return Reason::kWebhookGone;
    case AnswerKind::kWait: return Reason::kWebhookAskedToWait;
    default: break;
  }
  const bool redirect = answer.status >= 300 && answer.status < 400;
  return redirect ? Reason::kWebhookRedirected : Reason::kWebhookRejected;
}

}  // namespace

AnswerKind KindOf(const Answer& answer) {
  if (!answer.failure.ok()) return AnswerKind::kTargetFailed;
  if (answer.status >= 200 && answer.status < 300) return AnswerKind::kTaken;
  if (answer.status == kGoneStatus) return AnswerKind::kGone;
  if (answer.status == kTooMany || (answer.status == kUnavailable && answer.retry_after)) {
    return AnswerKind::kWait;
  }
  return IsAboutTheEvent(answer.status) ? AnswerKind::kEventRefused : AnswerKind::kTargetFailed;
}

absl::Status FailureOf(const Answer& answer) {
  if (!answer.failure.ok() || KindOf(answer) == AnswerKind::kTaken) return answer.failure;
  std::string text = absl::StrCat("the webhook answered ", answer.status);
  if (!answer.location.empty()) {
    absl::StrAppend(&text, " to ", base::Shorten(answer.location), ", which is not followed");
  }
  if (answer.retry_after) {
    absl::StrAppend(&text, ", try again after ", absl::FormatDuration(*answer.retry_after));
  }
  if (!answer.body_start.empty()) {
    absl::StrAppend(&text, ": ", base::Shorten(answer.body_start, kShownBytes));
  }
  return MakeError(ReasonOf(answer), text, {{"status", absl::StrCat(answer.status)}});
}

std::optional<uint32_t> ParseAllowedRate(absl::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (trimmed == "*") return 0;
  if (trimmed.empty() || trimmed.find_first_not_of("0123456789") != absl::string_view::npos) {
    return std::nullopt;
  }
  uint32_t rate = 0;
  // More than fits is as good as any.
  if (!absl::SimpleAtoi(trimmed, &rate)) return std::numeric_limits<uint32_t>::max();
  if (rate == 0) return std::nullopt;
  return rate;
}

absl::Status CheckGrant(const Answer& answer, absl::string_view origin) {
  if (!answer.failure.ok()) return answer.failure;
  const absl::string_view allowed = absl::StripAsciiWhitespace(answer.allowed_origin);
  const auto refused = [&](absl::string_view why) {
    return MakeError(Reason::kWebhookHandshakeRefused,
                     absl::StrCat("the webhook answered OPTIONS with ", answer.status, " and ", why,
                                  "; have it grant WebHook-Allowed-Origin: ", origin),
                     {{"status", absl::StrCat(answer.status)}});
  };
  if (allowed.empty()) return refused("no WebHook-Allowed-Origin");
  if (allowed != "*" && !absl::EqualsIgnoreCase(allowed, origin)) {
    return refused(absl::StrCat("WebHook-Allowed-Origin ", base::Shorten(allowed)));
  }
  if (!answer.allowed_rate.empty() && !ParseAllowedRate(answer.allowed_rate)) {
    return refused(absl::StrCat("a WebHook-Allowed-Rate that is no rate: ",
                                base::Shorten(answer.allowed_rate)));
  }
  return absl::OkStatus();
}

}  // namespace cdgate::webhook
