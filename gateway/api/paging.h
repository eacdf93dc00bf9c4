// Pages of lists (AIP-158): a token names the last thing of the page before it, and the
// arguments it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::api {

// 0 gives 100, more than 1,000 gives 1,000; INVALID_ARGUMENT for a negative one.
absl::StatusOr<size_t> PageSize(int32_t asked);

// A token for "after `last`" of the list that `arguments` describe (method and filter).
std::string MakePageToken(absl::string_view arguments, absl::string_view last);

// The `last` of a token; "" for an empty one. INVALID_ARGUMENT where the token is not
// one, or was made for other arguments.
absl::StatusOr<std::string> ReadPageToken(absl::string_view arguments, absl::string_view token);

}  // namespace cdgate::api
