// Enumeration values as files spell them: without the prefix that protobuf demands.
// "ALLOW" for ACTION_ALLOW of enum Action.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::config {

std::string ShortEnumName(const google::protobuf::EnumValueDescriptor& value);

// All but the unspecified one, in order.
std::vector<std::string> ShortEnumNames(const google::protobuf::EnumDescriptor& type);

// In any case; null where there is none. Never the unspecified one.
const google::protobuf::EnumValueDescriptor* FindEnumValue(
    const google::protobuf::EnumDescriptor& type, absl::string_view short_name);

}  // namespace cdgate::config
