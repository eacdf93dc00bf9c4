// What came of one request to a webhook, and what that means.
//
//   const absl::Status failure = FailureOf(answer);      // OK: the target took it
//   if (KindOf(answer) == AnswerKind::kGone) EndDelivery();
//
// By the CloudEvents webhook specification 1.0.2, section 2.2. A value; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::webhook {

struct Answer {
  // Not OK: there was no whole answer. With one of the registered reasons of webhooks, or
  // FILE_UNREADABLE where our own credentials could not be read.
  absl::Status failure;
  int status = 0;  // of HTTP
  std::optional<absl::Duration> retry_after;
  std::string allowed_origin;  // WebHook-Allowed-Origin; empty: none
  std::string allowed_rate;    // WebHook-Allowed-Rate; empty: none
  std::string location;        // of a redirect, which is not followed
  std::string body_start;      // its first bytes, at most kShownBytes
};

// Of an answer's body, for people.
inline constexpr size_t kShownBytes = 256;

enum class AnswerKind {
  kTaken,         // 2xx
  kGone,          // 410: it wants nothing any more
  kWait,          // 429, or 503 with Retry-After: it is to be left alone for a while
  kEventRefused,  // 400, 409, 413, 415, 422: it speaks of this event; the next may do better
  kTargetFailed,  // everything else: the next event would fare the same
};
AnswerKind KindOf(const Answer& answer);

// OK where the target took the event; else what failed, with its registered reason, and the
// status and first bytes of the answer.
absl::Status FailureOf(const Answer& answer);

// What a target says of the rate that it allows: requests a minute; 0: any. None for what is
// neither a positive number nor "*".
std::optional<uint32_t> ParseAllowedRate(absl::string_view text);

// Whether the answer to the validation request grants permission to `origin`. OK, or
// WEBHOOK_HANDSHAKE_REFUSED saying why; the failure where there was no answer.
absl::Status CheckGrant(const Answer& answer, absl::string_view origin);

}  // namespace cdgate::webhook
