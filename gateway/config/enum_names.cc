#include "gateway/config/enum_names.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace cdgate::config {
namespace {

constexpr absl::string_view kUnspecified = "UNSPECIFIED";

// "ACTION_" of an enumeration whose zero is ACTION_UNSPECIFIED.
absl::string_view PrefixOf(const google::protobuf::EnumDescriptor& type) {
  const absl::string_view zero = type.value(0)->name();
  return absl::EndsWith(zero, kUnspecified) ? absl::StripSuffix(zero, kUnspecified)
                                            : absl::string_view();
}

}  // namespace

std::string ShortEnumName(const google::protobuf::EnumValueDescriptor& value) {
  return std::string(absl::StripPrefix(value.name(), PrefixOf(*value.type())));
}

std::vector<std::string> ShortEnumNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string name = ShortEnumName(*type.value(i));
    if (name != kUnspecified) names.push_back(name);
  }
  return names;
}

const google::protobuf::EnumValueDescriptor* FindEnumValue(
    const google::protobuf::EnumDescriptor& type, absl::string_view short_name) {
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string name = ShortEnumName(*type.value(i));
    if (name != kUnspecified && absl::EqualsIgnoreCase(name, short_name)) return type.value(i);
  }
  return nullptr;
}

}  // namespace cdgate::config
