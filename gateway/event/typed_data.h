// Typed events: CloudEvents whose data is a message of cdevents.v1 rather than JSON.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

// The JSON of a serialised google.protobuf.Any with an event of cdevents.v1: a message of one
// subject and predicate, or CdEvent with one of them. The release is the one that its context
// declares; context.type may be left out. UNSUPPORTED_DATA for another message, INVALID_EVENT
// where the message cannot be JSON of its release.
absl::StatusOr<std::string> JsonOfTypedData(absl::string_view any);

}  // namespace cdgate::event
