// Renders protobuf messages for people and programs.
//
//   std::cout << ToYaml(policy);          // reads back to the same message
//   std::cout << *ToJson(status);
//
// Unset fields are left out. YAML has the spelling that MessageReader takes: field names,
// short enumeration values, durations as 7d; texts that another reader could take for a
// number, a boolean or nothing are in quotes.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"

namespace cdgate::config {

// Ends with a newline; "{}\n" for a message without a field that is set.
std::string ToYaml(const google::protobuf::Message& message);

// The protobuf JSON mapping with the fields' own names, on several lines. INTERNAL where
// the message holds a value that the mapping has no form for.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

}  // namespace cdgate::config
