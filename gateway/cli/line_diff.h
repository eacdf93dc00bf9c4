// The lines in which two texts differ, as diff -u shows them.
//
//   out << UnifiedDiff(before, after, "version 3", "version 4");
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::cli {

// Empty where the texts are the same. Three lines around each change; the names go into its
// first two lines. A last line without a newline is taken as if it had one. Texts that have
// little in common are shown as one change: the work is bounded.
std::string UnifiedDiff(absl::string_view before, absl::string_view after,
                        absl::string_view before_name, absl::string_view after_name);

}  // namespace cdgate::cli
