// What every CDEvent has, of any type and release: the members around the content.
//
//   CDGATE_ASSIGN_OR_RETURN(CdEventEnvelope envelope, CheckCdEvent(root));
//
// The rules are those that all published schemas share: only `context`, `subject`,
// `customData` and `customDataContentType` at the top; `context` with id, source, type
// and timestamp and either `version` or `specversion`; `subject` with id and content.
// Members that only some types or releases have are not judged here.
#pragma once

#include <simdjson.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

// Views into the JSON tree.
struct CdEventEnvelope {
  absl::string_view id;
  absl::string_view source;
  absl::string_view type;
  absl::string_view subject;    // subject.id
  absl::string_view timestamp;  // as written
  int64_t seconds = 0;          // timestamp, since the Unix epoch
  int32_t nanos = 0;
};

// INVALID_EVENT, with the path of the first member that is wrong in the message and as
// metadata "path".
absl::StatusOr<CdEventEnvelope> CheckCdEvent(const simdjson::dom::element& root);

}  // namespace cdgate::event
