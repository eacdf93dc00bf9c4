// What the CDEvents catalogue says of a path that a rule names: whether it may be removed or
// replaced, and what a replacement has to look like.
//
//   const FieldFacts facts = FactsOf(type, path);
//   if (facts.needed) Refuse(type.name);                // an event without it is invalid
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/filter/data_path.h"

namespace cdgate::policy {

// The kind of pseudonyms at `path`: its names, without indexes into arrays.
std::string KindOf(const filter::DataPath& path);

// In some type of some release the value at `path` is a URI.
bool HoldsUri(const filter::DataPath& path);

// `path` is what an event is known by, or what says its type and release, or is above or
// below that. These are never touched.
bool IsIdentity(const filter::DataPath& path);

// `path` is a chain or the links, or below them: the rule's `links` says what becomes of
// them.
bool IsLinkOrChain(const filter::DataPath& path);

// `path` is that of `other`, or below it.
bool IsWithin(const filter::DataPath& path, const filter::DataPath& other);

// What is at a path in the events of one type, whichever of its releases they declare.
struct FieldFacts {
  // It may be there.
  bool possible = false;
  // It is in every event of the type.
  bool always = true;
  // An event that loses it would be invalid.
  bool needed = false;
  // What is there and may not be replaced by any text: "an object", "one of 4 texts"; empty:
  // nothing of that kind.
  std::string fixed;
};
FieldFacts FactsOf(const cdevents::Type& type, const filter::DataPath& path);

}  // namespace cdgate::policy
