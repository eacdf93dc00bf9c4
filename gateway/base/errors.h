// Every error has a registered reason. Inside, an error is an absl::Status whose
// payload says which; at the edge it becomes google.rpc.Status with
// ErrorInfo{reason, domain "cdgate.dev", metadata} (gateway/rpc). The reasons and
// what to do about them are in error_reasons.def, from which docs/errors.md comes.
//
//   return base::MakeError(Reason::kIdentityConflict,
//                          absl::StrCat("event ", id, " exists with other content"),
//                          {{"id", id}});
//
// Messages: lower case, no full stop, name the thing, the reason and the remedy.
// Nothing branches on message text.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace cdgate::base {

enum class Reason {
#define CDGATE_REASON(name, text, code, meaning, remedy) name,
#include "gateway/base/error_reasons.def"
#undef CDGATE_REASON
};

struct ReasonInfo {
  Reason reason;
  absl::string_view text;  // "IDENTITY_CONFLICT": on the wire
  absl::StatusCode code;
  absl::string_view meaning;  // one sentence
  absl::string_view remedy;   // one sentence
};

// All reasons, in the order of the registry.
const std::vector<ReasonInfo>& AllReasons();
const ReasonInfo& InfoOf(Reason reason);
// "IDENTITY_CONFLICT"
absl::string_view ReasonText(Reason reason);
// "identity_conflict": as metrics, decisions and dead letters spell it.
std::string ReasonLabel(Reason reason);
// Of either spelling.
std::optional<Reason> ReasonFromText(absl::string_view text);

using Metadata = std::vector<std::pair<std::string, std::string>>;

// A status with the code of the reason. `metadata` holds the values the message
// names, for programs; keys are lower camel case.
absl::Status MakeError(Reason reason, absl::string_view message, Metadata metadata = {});

// The registered reason of `status`; none for OK and for errors made elsewhere.
std::optional<Reason> ReasonOf(const absl::Status& status);
Metadata MetadataOf(const absl::Status& status);

// The same error, saying when another try may succeed: `delay` from now, more than zero. What
// answers calls and requests tells it (RetryInfo, Retry-After).
absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);
// To the millisecond; none where nobody said.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

// The same error with "`context`: " before its message.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace cdgate::base
