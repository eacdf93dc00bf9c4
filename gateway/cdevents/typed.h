// CDEvents between JSON and the messages of cdevents.v1.
//
//   TypedReader reader;                                     // one per worker, reused
//   ::cdevents::v1::PipelineRunFinished message;
//   CDGATE_RETURN_IF_ERROR(reader.Read(json, form, &message));
//   CDGATE_ASSIGN_OR_RETURN(std::string json, WriteJson(message, Family::k05));
//
// A message holds all that a valid event says: reading and writing gives JSON that is equal
// as JSON, with the digits of its numbers. What is signed and relayed stays the producer's
// own bytes; a message is a view of them.
#pragma once

#include <simdjson.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"

namespace google::protobuf {
class Message;
}

namespace cdgate::cdevents {

// Not thread-safe; reuses its memory from event to event.
class TypedReader {
 public:
  // `json` is an event that was judged valid by `form` (validator.h), `message` one of
  // form.message, which is replaced. INVALID_JSON or INVALID_EVENT where it is not such an
  // event; `message` then holds nothing that means something.
  absl::Status Read(absl::string_view json, const Form& form, google::protobuf::Message* message);

 private:
  simdjson::ondemand::parser parser_;
  std::string padded_;
};

// The family that the message declares: by its context's version or specversion, and
// where it is custom or of several families. INVALID_EVENT where it says neither, or its
// message is not in that family.
absl::StatusOr<Family> FamilyOf(const google::protobuf::Message& event);

// The event as JSON of `family`, members in the order of the message's fields. A member that
// has to be there and has one value only, as context.type, need not be set. What the rules of the
// family demand is not judged here: read and judge what comes out.
//
// INVALID_EVENT with the path where a field is set that the family does not have, or bytes
// that have to be a JSON object are none.
absl::StatusOr<std::string> WriteJson(const google::protobuf::Message& event, Family family);

}  // namespace cdgate::cdevents
