// Files, whole. Errors carry reason FILE_UNREADABLE or FILE_UNWRITABLE and name the
// path and the system's reason.
#pragma once

#include <sys/types.h>

#include <string>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cdgate::base {

// The bytes of `path`, at most `max_bytes` (a longer file is an error, not a cut).
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = 64 << 20);

// Replaces `path` in one step: a reader sees the old or the new content, whole, also
// after a power cut (write to a temporary beside it, fsync, rename, fsync of the
// directory). On an error the old file is untouched.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view content,
                                 mode_t mode = 0644);

// Creates `path` and its parents; existing ones keep their mode.
absl::Status MakeDirectories(const std::string& path, mode_t mode = 0755);

bool FileExists(const std::string& path);

// dir + "/" + name, without doubling the slash.
std::string JoinPath(absl::string_view dir, absl::string_view name);

}  // namespace cdgate::base
