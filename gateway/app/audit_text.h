// What entries of the audit log say of messages: resources before and after a change, and
// requests. Never a secret: members whose names say that they hold one are left out, bytes are
// shown by their SHA-256, and what belongs to no public message is shown by its SHA-256 alone.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "auth/audit/line.h"
#include "gateway/state/resources.h"

namespace cdgate::app {

// A change of one resource.
struct AuditedChange {
  state::ResourcePtr before;  // null: there was none, or it is not known any more
  state::ResourcePtr after;   // a deletion, too
};

// Paths of the fields that are set to their values: "rules[0].when" to "type = 'x'". Long
// values are cut.
std::map<std::string, std::string> FieldsOf(const google::protobuf::Message& message);

// {"kind":…,"name":…,"commit":…,"before":{"version":…,"sha256":…},"after":{…},"fields":[…]}
audit::Members ChangeText(const AuditedChange& change);

// The fields of the request of `method` ("/package.Service/Method").
audit::Members RequestText(absl::string_view method, const grpc::ByteBuffer& request);

}  // namespace cdgate::app
