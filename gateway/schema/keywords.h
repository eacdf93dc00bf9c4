// The keywords of JSON Schema that are checked, and what their values must be.
#pragma once

// Before any other header of RapidJSON.
#include <valijson/adapters/rapidjson_adapter.hpp>
// The library's own order ends here.
#include "absl/strings/string_view.h"

namespace cdgate::schema {

inline absl::string_view TextOf(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// A string that the library takes whole: without NUL.
bool IsName(const rapidjson::Value& value);
// Null for an array of names, else what was expected.
const char* NamesFault(const rapidjson::Value& value);

// A keyword without subschemas.
struct PlainKeyword {
  absl::string_view name;
  // Null where the value fits, else what was expected.
  const char* (*fault)(const rapidjson::Value& value);
};
// Null where it is none of them.
const PlainKeyword* FindPlain(absl::string_view name);

// A keyword with subschemas: how it holds them, and whether they judge the same value.
enum class Holds { kOne, kList, kMap, kOneOrList, kDependencies, kUnused };
struct Applicator {
  absl::string_view name;
  Holds holds;
  bool in_place;
};
// Null where it is none of them.
const Applicator* FindApplicator(absl::string_view name);

// Whether it says nothing about what is valid: `title`, `example`, x-….
bool IsAnnotation(absl::string_view name);

}  // namespace cdgate::schema
