#include "gateway/cli/time_flag.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/exit.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {

absl::StatusOr<absl::Time> ParseTimeFlag(absl::string_view flag, absl::string_view text,
                                         absl::Time now) {
  if (const std::optional<absl::Time> time = config::ParseTimestamp(text)) return *time;
  const std::optional<absl::Duration> ago = config::ParseDuration(text);
  if (ago && *ago > absl::ZeroDuration()) return now - *ago;
  return UsageError(absl::StrCat(flag, " '", base::Shorten(text),
                                 "' is neither a time like 2026-11-22T15:30:52Z nor how long ago: "
                                 "90s, 15m, 24h or 7d"));
}

}  // namespace cdgate::cli
