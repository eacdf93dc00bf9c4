// A place in a text that somebody wrote, as people are shown it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::cli {

// The line of `source` and below it a '^' under the column, each indented and ended by a
// line feed; both count from 1, columns in characters, and the column after the last may
// be meant. Of a long line what is around the column. "" where there is no such line.
//
//     type LIKE dev.%
//               ^
std::string ShowPlace(absl::string_view source, uint32_t line, uint32_t column);

}  // namespace cdgate::cli
