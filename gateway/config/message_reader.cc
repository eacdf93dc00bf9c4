#include "gateway/config/message_reader.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/enum_names.h"
#include "gateway/config/scalars.h"
#include "gateway/config/suggestion.h"

namespace cdgate::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A message that is written as one scalar, or never in YAML.
enum class Special { kNone, kDuration, kTimestamp, kUnsupported };

Special SpecialOf(const Descriptor& type) {
  if (type.full_name() == "google.protobuf.Duration") return Special::kDuration;
  if (type.full_name() == "google.protobuf.Timestamp") return Special::kTimestamp;
  if (type.full_name() == "google.protobuf.Any") return Special::kUnsupported;
  return Special::kNone;
}

std::string Join(absl::string_view path, absl::string_view key) {
  return absl::StrCat(path, path.empty() ? "" : ".", key);
}

// A size where the name says that the integer counts bytes.
bool CountsBytes(const FieldDescriptor& field) { return absl::EndsWith(field.name(), "_bytes"); }

bool ReadInteger(const FieldDescriptor& field, absl::string_view text, uint64_t max,
                 uint64_t* value) {
  if (CountsBytes(field)) {
    const auto size = ParseSize(text);
    *value = size.value_or(0);
    return size.has_value() && *value <= max;
  }
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  return digits && absl::SimpleAtoi(text, value) && *value <= max;
}

bool ReadSigned(absl::string_view text, int64_t min, int64_t max, int64_t* value) {
  const absl::string_view digits = absl::StartsWith(text, "-") ? text.substr(1) : text;
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return false;
  return absl::SimpleAtoi(text, value) && *value >= min && *value <= max;
}

std::string ExpectedInteger(const FieldDescriptor& field, uint64_t max) {
  return absl::StrCat(
      CountsBytes(field) ? "a size such as 64KiB or 10MB, at most " : "a whole number, at most ",
      max);
}

// Sets a singular field or adds to a repeated one.
#define CDGATE_PUT(Type, value)                                                      \
  (field.is_repeated() ? message->GetReflection()->Add##Type(message, &field, value) \
                       : message->GetReflection()->Set##Type(message, &field, value))

bool PutUnsigned(const FieldDescriptor& field, absl::string_view text, Message* message) {
  const bool wide = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  const uint64_t max =
      wide ? std::numeric_limits<uint64_t>::max() : std::numeric_limits<uint32_t>::max();
  uint64_t value;
  if (!ReadInteger(field, text, max, &value)) return false;
  if (wide) {
    CDGATE_PUT(UInt64, value);
  } else {
    CDGATE_PUT(UInt32, static_cast<uint32_t>(value));
  }
  return true;
}

bool PutSigned(const FieldDescriptor& field, absl::string_view text, Message* message) {
  const bool wide = field.cpp_type() == FieldDescriptor::CPPTYPE_INT64;
  int64_t value;
  if (wide ? !ReadSigned(text, INT64_MIN, INT64_MAX, &value)
           : !ReadSigned(text, INT32_MIN, INT32_MAX, &value)) {
    return false;
  }
  if (wide) {
    CDGATE_PUT(Int64, value);
  } else {
    CDGATE_PUT(Int32, static_cast<int32_t>(value));
  }
  return true;
}

bool PutReal(const FieldDescriptor& field, absl::string_view text, Message* message) {
  double value;
  if (!absl::SimpleAtod(text, &value)) return false;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    CDGATE_PUT(Double, value);
  } else {
    CDGATE_PUT(Float, static_cast<float>(value));
  }
  return true;
}

bool PutBool(const FieldDescriptor& field, absl::string_view text, Message* message) {
  if (text != "true" && text != "false") return false;
  CDGATE_PUT(Bool, text == "true");
  return true;
}

bool PutText(const FieldDescriptor& field, const std::string& text, Message* message) {
  std::string value = text;
  if (field.type() == FieldDescriptor::TYPE_BYTES && !absl::Base64Unescape(text, &value)) {
    return false;
  }
  CDGATE_PUT(String, std::move(value));
  return true;
}

bool PutEnum(const FieldDescriptor& field, absl::string_view text, Message* message) {
  const auto* const value = FindEnumValue(*field.enum_type(), text);
  if (value == nullptr) return false;
  CDGATE_PUT(Enum, value);
  return true;
}
#undef CDGATE_PUT

bool Put(const FieldDescriptor& field, const YamlNode& node, Message* message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: return PutText(field, node.text, message);
    case FieldDescriptor::CPPTYPE_ENUM: return PutEnum(field, node.text, message);
    case FieldDescriptor::CPPTYPE_BOOL: return !node.quoted && PutBool(field, node.text, message);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: return PutUnsigned(field, node.text, message);
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64: return PutSigned(field, node.text, message);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE: return PutReal(field, node.text, message);
    case FieldDescriptor::CPPTYPE_MESSAGE: return false;
  }
  return false;
}

// What a field takes, for messages.
std::string Expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "bytes in base64" : "text";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", absl::StrJoin(ShortEnumNames(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_BOOL: return "true or false, without quotes";
    case FieldDescriptor::CPPTYPE_UINT32:
      return ExpectedInteger(field, std::numeric_limits<uint32_t>::max());
    case FieldDescriptor::CPPTYPE_UINT64:
      return ExpectedInteger(field, std::numeric_limits<uint64_t>::max());
    case FieldDescriptor::CPPTYPE_INT32: return "a whole number of 32 bits";
    case FieldDescriptor::CPPTYPE_INT64: return "a whole number of 64 bits";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE: return "a number";
    case FieldDescriptor::CPPTYPE_MESSAGE: break;
  }
  switch (SpecialOf(*field.message_type())) {
    case Special::kDuration: return "a duration such as 90s, 15m, 24h or 7d";
    case Special::kTimestamp: return "a timestamp such as 2026-01-02T03:04:05Z";
    default: return "a mapping";
  }
}

std::string Found(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar) return std::string(DescribeKind(node.kind));
  return absl::StrCat("\"", base::Shorten(node.text), "\"");
}

void SetDuration(absl::Duration duration, Message* message) {
  google::protobuf::Duration value;
  value.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  value.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  message->CopyFrom(value);
}

void SetTimestamp(absl::Time time, Message* message) {
  google::protobuf::Timestamp value;
  value.set_seconds(absl::ToUnixSeconds(time));
  value.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(value.seconds()))));
  message->CopyFrom(value);
}

// A Duration or Timestamp from its text.
bool PutSpecial(Special special, absl::string_view text, Message* message) {
  if (special == Special::kDuration) {
    const auto duration = ParseDuration(text);
    if (duration.has_value()) SetDuration(*duration, message);
    return duration.has_value();
  }
  const auto time = ParseTimestamp(text);
  if (time.has_value()) SetTimestamp(*time, message);
  return time.has_value();
}

Message* MutableMessage(const FieldDescriptor& field, Message* message) {
  const auto* const reflection = message->GetReflection();
  return field.is_repeated() ? reflection->AddMessage(message, &field)
                             : reflection->MutableMessage(message, &field);
}

}  // namespace

absl::Status MessageReader::Read(const YamlNode& node, Message* message,
                                 absl::string_view ignored_key) {
  if (node.kind == YamlNode::Kind::kMap) return ReadMessage(node, "", ignored_key, message);
  return ConfigError(file_, node.line, "",
                     absl::StrCat("found ", DescribeKind(node.kind), "; expected a mapping"));
}

int MessageReader::LineOf(absl::string_view path) const {
  while (true) {
    const auto it = lines_.find(std::string(path));
    if (it != lines_.end()) return it->second;
    const size_t dot = path.find_last_of(".[");
    if (dot == absl::string_view::npos) return 1;
    path = path.substr(0, dot);
  }
}

absl::Status MessageReader::ErrorAt(absl::string_view path, absl::string_view what) const {
  return ConfigError(file_, LineOf(path), path, what);
}

absl::Status MessageReader::ReadMessage(const YamlNode& node, const std::string& path,
                                        absl::string_view ignored_key, Message* message) {
  for (const YamlMember& member : node.members) {
    if (!ignored_key.empty() && member.key == ignored_key) continue;
    CDGATE_RETURN_IF_ERROR(ReadMember(member, path, message));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadMember(const YamlMember& member, const std::string& path,
                                       Message* message) {
  const Descriptor& descriptor = *message->GetDescriptor();
  const FieldDescriptor* const field = descriptor.FindFieldByName(member.key);
  if (field == nullptr) return UnknownKey(member, path, descriptor);
  const std::string key = Join(path, member.key);
  lines_[key] = member.line;
  if (member.value.kind == YamlNode::Kind::kNull) return absl::OkStatus();
  const auto* const oneof = field->real_containing_oneof();
  if (oneof != nullptr && message->GetReflection()->HasOneof(*message, oneof)) {
    const auto* const other = message->GetReflection()->GetOneofFieldDescriptor(*message, oneof);
    return ErrorAt(key, absl::StrCat("cannot be given together with ", Join(path, other->name()),
                                     "; expected one of the two"));
  }
  return ReadField(member.value, key, *field, message);
}

absl::Status MessageReader::ReadField(const YamlNode& node, const std::string& path,
                                      const Field& field, Message* message) {
  if (field.is_map()) return ReadMap(node, path, field, message);
  if (field.is_repeated()) return ReadList(node, path, field, message);
  return ReadValue(node, path, field, message);
}

absl::Status MessageReader::ReadList(const YamlNode& node, const std::string& path,
                                     const Field& field, Message* message) {
  if (node.kind != YamlNode::Kind::kList) {
    return Wrong(node, path, absl::StrCat("a list, each ", Expected(field)));
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const std::string key = absl::StrCat(path, "[", i, "]");
    lines_[key] = node.items[i].line;
    CDGATE_RETURN_IF_ERROR(ReadValue(node.items[i], key, field, message));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadMap(const YamlNode& node, const std::string& path,
                                    const Field& field, Message* message) {
  if (node.kind != YamlNode::Kind::kMap) return Wrong(node, path, "a mapping");
  const Descriptor& entry = *field.message_type();
  for (const YamlMember& member : node.members) {
    const std::string key = Join(path, member.key);
    lines_[key] = member.line;
    YamlNode name;
    name.kind = YamlNode::Kind::kScalar;
    name.line = member.line;
    name.text = member.key;
    Message* const added = message->GetReflection()->AddMessage(message, &field);
    CDGATE_RETURN_IF_ERROR(ReadValue(name, key, *entry.map_key(), added));
    CDGATE_RETURN_IF_ERROR(ReadValue(member.value, key, *entry.map_value(), added));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadValue(const YamlNode& node, const std::string& path,
                                      const Field& field, Message* message) {
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) return ReadScalar(node, path, field, message);
  const Special special = SpecialOf(*field.message_type());
  if (special == Special::kUnsupported) {
    return ErrorAt(path, "cannot be written in YAML; remove the key");
  }
  if (special == Special::kNone) {
    if (node.kind != YamlNode::Kind::kMap) return Wrong(node, path, Expected(field));
    return ReadMessage(node, path, "", MutableMessage(field, message));
  }
  if (node.kind != YamlNode::Kind::kScalar ||
      !PutSpecial(special, node.text, MutableMessage(field, message))) {
    return Wrong(node, path, Expected(field));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadScalar(const YamlNode& node, const std::string& path,
                                       const Field& field, Message* message) {
  if (node.kind == YamlNode::Kind::kScalar && Put(field, node, message)) return absl::OkStatus();
  std::string expected = Expected(field);
  if (field.cpp_type() == Field::CPPTYPE_ENUM) {
    absl::StrAppend(&expected, DidYouMean(node.text, ShortEnumNames(*field.enum_type())));
  }
  return Wrong(node, path, expected);
}

absl::Status MessageReader::UnknownKey(const YamlMember& member, const std::string& path,
                                       const Descriptor& descriptor) const {
  std::vector<std::string> known;
  for (int i = 0; i < descriptor.field_count(); ++i) known.push_back(descriptor.field(i)->name());
  return ConfigError(file_, member.line, Join(path, base::Shorten(member.key)),
                     absl::StrCat("unknown key; expected one of ", absl::StrJoin(known, ", "),
                                  DidYouMean(member.key, known)));
}

absl::Status MessageReader::Wrong(const YamlNode& node, const std::string& path,
                                  absl::string_view expected) const {
  return ConfigError(file_, node.line, path,
                     absl::StrCat("found ", Found(node), "; expected ", expected));
}

}  // namespace cdgate::config
