// How an error ends a run.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::cli {

// The command line is wrong, not the answer: kExitUsage instead of kExitNo.
absl::Status UsageError(absl::string_view message);
absl::Status AsUsageError(absl::Status error);
bool IsUsageError(const absl::Status& error);

// The ExitCode that an error stands for.
int ExitCodeOf(const absl::Status& error);

}  // namespace cdgate::cli
