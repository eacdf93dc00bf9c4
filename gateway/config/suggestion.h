// "Did you mean": the name a misspelt one was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::config {

// The name of `known` that differs from `name` in the fewest characters (inserted,
// removed, replaced or two swapped; case counts for nothing); empty where all differ in
// more than a third of them.
std::string ClosestName(absl::string_view name, const std::vector<std::string>& known);

// "; did you mean X" of that name, or nothing.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& known);

}  // namespace cdgate::config
