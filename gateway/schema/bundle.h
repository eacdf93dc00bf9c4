// Prepares an operator's JSON Schema for the library that parses it: one document without
// references to anything outside, in which every keyword is one that is checked.
//
//   CDGATE_ASSIGN_OR_RETURN(Bundle bundle, MakeBundle(uri, find));
//
// Understood is what draft-07, 2019-09 and 2020-12 share and the library knows: type, enum,
// const, the bounds of numbers, strings, arrays and objects, multipleOf, pattern, format,
// uniqueItems, required, properties, patternProperties, additionalProperties,
// propertyNames, dependencies, items, additionalItems, contains, allOf, anyOf, oneOf, not,
// if, then, else, $ref, definitions, $defs. Annotations, `example` and x-… are dropped. Any
// other keyword is refused, because leaving it out would pass values that the author forbids.
//
// A `$ref` names a place in its own document or in another registered one, by that one's
// URI: nothing is ever fetched.
#pragma once

// Before any other header of RapidJSON.
#include <valijson/adapters/rapidjson_adapter.hpp>
// The library's own order ends here.
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::schema {

// The document that is registered under the URI; null where none is.
using FindDocument = absl::FunctionRef<const std::string*(absl::string_view uri)>;

struct Bundle {
  // {"allOf": [{"$ref": "#/definitions/0"}], "definitions": {"0": …, "1": …}}
  rapidjson::Document root;
  // The documents in it by URI, its own included.
  std::vector<std::string> documents;
  // The regular expressions in it.
  absl::flat_hash_set<std::string> patterns;
};

// SCHEMA_UNSUPPORTED, its message and its metadata "pointer" naming the place: what is
// not JSON or no schema, a keyword or format that is not checked, a reference that leads
// nowhere, or back to itself without going deeper into the value. The same where a referenced
// document has such a fault.
absl::StatusOr<Bundle> MakeBundle(absl::string_view uri, FindDocument find);

// `reference` resolved against `base` (RFC 3986, section 5.2), without a fragment.
std::string ResolveUri(absl::string_view base, absl::string_view reference);

// Whether it has a scheme and no fragment, white space or control character.
bool IsAbsoluteUri(absl::string_view uri);

// The fault of a schema: `pointer` is the place in the document of that URI.
absl::Status Unsupported(absl::string_view uri, absl::string_view pointer, absl::string_view what);

}  // namespace cdgate::schema
