// What an author of a condition should know although it compiles: the pitfalls of the
// language, and whether the condition can be true at all.
//
//   for (const Pitfall& p : Analyse(expression).pitfalls) Warn(p.position, p.message);
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

struct Pitfall {
  Position position;
  std::string message;
  // Of the data, where it is that the condition fails on an event that has nothing there.
  std::string path = {};
};

// "left = 'text'" that must hold for the condition to be true.
struct Requirement {
  std::string left;           // an attribute in lower case, or a function: "ORIGIN()"
  std::string value;          // as STRING() casts it
  Type type = Type::kString;  // of the literal, to which the left side is cast
};

struct Analysis {
  std::vector<Pitfall> pitfalls;
  // No event can make it true.
  bool never_true = false;
  std::vector<Requirement> requirements;
};

// `source` must compile as a condition; nothing is found in what does not.
Analysis Analyse(absl::string_view source);

}  // namespace cdgate::filter
