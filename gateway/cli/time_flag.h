// The value of --since and --until.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::cli {

// A time, "2026-11-22T15:30:52Z", or how long before `now`: "90s", "15m", "24h", "7d". A usage
// error that names `flag` otherwise.
absl::StatusOr<absl::Time> ParseTimeFlag(absl::string_view flag, absl::string_view text,
                                         absl::Time now);

}  // namespace cdgate::cli
