#include "gateway/schema/keywords.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>

#include "absl/strings/match.h"

namespace cdgate::schema {

using rapidjson::Value;

bool IsName(const Value& value) {
  return value.IsString() && TextOf(value).find('\0') == absl::string_view::npos;
}

const char* NamesFault(const Value& value) {
  return value.IsArray() && std::all_of(value.Begin(), value.End(), IsName)
             ? nullptr
             : "expected an array of names without NUL";
}

namespace {

constexpr int64_t kMaxExactInteger = int64_t{1} << 53;
// Members of an object in const or enum, which the library compares member by member.
constexpr size_t kMaxConstMembers = 64;

// What the values of keywords must be. Null where all is well, else what was expected.

const char* CountFault(const Value& value) {
  return value.IsUint64() && value.GetUint64() <= kMaxExactInteger
             ? nullptr
             : "expected a whole number from 0 to 2^53";
}

const char* NumberFault(const Value& value) {
  if (!value.IsNumber()) return "expected a number";
  return value.IsDouble() || (value.IsInt64() && std::abs(value.GetInt64()) <= kMaxExactInteger)
             ? nullptr
             : "expected a number within 2^53, which is compared exactly";
}

const char* MultipleFault(const Value& value) {
  if (const char* const fault = NumberFault(value)) return fault;
  return value.GetDouble() > 0 ? nullptr : "expected a number greater than 0";
}

const char* FlagFault(const Value& value) {
  return value.IsBool() ? nullptr : "expected true or false";
}

bool IsTypeName(const Value& value) {
  static constexpr absl::string_view kTypes[] = {"array",  "boolean", "integer", "null",
                                                 "number", "object",  "string"};
  return value.IsString() &&
         std::find(std::begin(kTypes), std::end(kTypes), TextOf(value)) != std::end(kTypes);
}

const char* TypeFault(const Value& value) {
  const bool fits = value.IsArray()
                        ? !value.Empty() && std::all_of(value.Begin(), value.End(), IsTypeName)
                        : IsTypeName(value);
  return fits ? nullptr : "expected the name of a type, or an array of them";
}

const char* ConstFault(const Value& value) {
  const char* fault = nullptr;
  if (value.IsArray()) {
    for (const Value& item : value.GetArray()) fault = fault != nullptr ? fault : ConstFault(item);
  } else if (value.IsObject()) {
    if (value.MemberCount() > kMaxConstMembers) return "an object in it has more than 64 members";
    for (const auto& member : value.GetObject()) {
      fault = fault != nullptr ? fault : ConstFault(member.value);
    }
  }
  return fault;
}

const char* EnumFault(const Value& value) {
  return value.IsArray() && !value.Empty() ? ConstFault(value)
                                           : "expected an array with at least one value";
}

constexpr PlainKeyword kPlain[] = {
    {"const", ConstFault},
    {"enum", EnumFault},
    {"exclusiveMaximum", NumberFault},
    {"exclusiveMinimum", NumberFault},
    {"maximum", NumberFault},
    {"maxItems", CountFault},
    {"maxLength", CountFault},
    {"maxProperties", CountFault},
    {"minimum", NumberFault},
    {"minItems", CountFault},
    {"minLength", CountFault},
    {"minProperties", CountFault},
    {"multipleOf", MultipleFault},
    {"required", NamesFault},
    {"type", TypeFault},
    {"uniqueItems", FlagFault},
};

constexpr Applicator kApplicators[] = {
    {"additionalItems", Holds::kOne, false},
    {"additionalProperties", Holds::kOne, false},
    {"allOf", Holds::kList, true},
    {"anyOf", Holds::kList, true},
    {"contains", Holds::kOne, false},
    {"definitions", Holds::kUnused, false},
    {"$defs", Holds::kUnused, false},
    {"dependencies", Holds::kDependencies, true},
    {"else", Holds::kOne, true},
    {"if", Holds::kOne, true},
    {"items", Holds::kOneOrList, false},
    {"not", Holds::kOne, true},
    {"oneOf", Holds::kList, true},
    {"patternProperties", Holds::kMap, false},
    {"properties", Holds::kMap, false},
    {"then", Holds::kOne, true},
};

}  // namespace

const PlainKeyword* FindPlain(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kPlain), std::end(kPlain),
                   [name](const PlainKeyword& plain) { return plain.name == name; });
  return found == std::end(kPlain) ? nullptr : found;
}

const Applicator* FindApplicator(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kApplicators), std::end(kApplicators),
                   [name](const Applicator& applicator) { return applicator.name == name; });
  return found == std::end(kApplicators) ? nullptr : found;
}

bool IsAnnotation(absl::string_view name) {
  static constexpr absl::string_view kAnnotations[] = {
      "$comment",   "contentEncoding", "contentMediaType", "contentSchema", "default",
      "deprecated", "description",     "example",          "examples",      "readOnly",
      "title",      "writeOnly"};
  return absl::StartsWith(name, "x-") || std::find(std::begin(kAnnotations), std::end(kAnnotations),
                                                   name) != std::end(kAnnotations);
}

}  // namespace cdgate::schema
