// What admission takes from a CDEvent's JSON, once it was judged.
//
//   CDGATE_ASSIGN_OR_RETURN(CdEventEnvelope envelope, CheckCdEvent(parser.document()));
//
// The rules are those of its type and release (gateway/cdevents/validator.h), and one more:
// id, source, type and subject id have no control characters, which no CloudEvents attribute
// can carry. An event of a type that is unknown passes where it has what all events have, and
// says so; whether it may enter is for others to decide.
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
  absl::string_view subject;     // subject.id
  absl::string_view timestamp;   // as written
  absl::string_view schema_uri;  // empty: none
  int64_t seconds = 0;           // timestamp, since the Unix epoch
  int32_t nanos = 0;
  bool unknown_type = false;
};

// INVALID_EVENT with all faults, as cdevents::FaultsError says.
absl::StatusOr<CdEventEnvelope> CheckCdEvent(const simdjson::dom::document& document);

}  // namespace cdgate::event
