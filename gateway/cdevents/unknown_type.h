// The refusal of a type that no release has.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::cdevents {

// UNKNOWN_TYPE. Names the types that `type` is likely meant to be, and where accept_unknown
// can be set: "in grant jenkins".
absl::Status UnknownTypeError(absl::string_view type, absl::string_view where);

}  // namespace cdgate::cdevents
