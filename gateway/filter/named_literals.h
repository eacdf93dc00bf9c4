// Which types, sources and planes a condition names by itself, in so many words.
//
//   auto named = LiteralsOf("type = 'dev.cdevents.build.finished.0.2.0' AND PLANE() IN ('a','b')");
//   named->kinds      // {type, "", "a"}, {type, "", "b"}
//
// A condition is of that form where it compares attributes, PLANE() and ORIGIN() with literals
// by = and IN alone, and joins that with AND and OR. A pattern is no literal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::filter {

// Kinds that one condition may name; one that names more names none.
inline constexpr size_t kMaxNamedKinds = 1000;

// Events of one kind. An empty field: any.
struct NamedKind {
  std::string type;
  std::string source;
  std::string plane;

  bool operator==(const NamedKind&) const = default;
  auto operator<=>(const NamedKind&) const = default;
  bool any() const { return type.empty() && source.empty() && plane.empty(); }
  // Every event of `other` is one of this.
  bool Covers(const NamedKind& other) const;
};

struct NamedLiterals {
  // What must be so for the condition to be true: one of these. Sorted, each once.
  std::vector<NamedKind> kinds;
  // Nothing else is asked for: the condition is true for all events of each.
  bool exact = true;
};

// None where the condition is not of that form, or does not compile. Pure.
std::optional<NamedLiterals> LiteralsOf(absl::string_view condition);

}  // namespace cdgate::filter
