// The regular expressions of schemas, by a library whose time is linear in the text.
//
//   CDGATE_ASSIGN_OR_RETURN(PatternPtr pattern, CompilePattern("^rel-[0-9]+$"));
//   pattern->MatchesIn("rel-12");
//
// The dialect is RE2's. It is that of JSON Schema (ECMA-262) without what needs
// backtracking: look-around and back references are refused.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}

namespace cdgate::schema {

inline constexpr size_t kMaxPatternBytes = 1024;
// A longer string does not match: what is matched costs the gateway, not its sender.
inline constexpr size_t kMaxMatchedBytes = 16 << 10;

// Immutable; thread-safe.
class Pattern {
 public:
  explicit Pattern(std::unique_ptr<re2::RE2> regex);
  ~Pattern();

  // Whether it matches anywhere in `text`, of at most kMaxMatchedBytes.
  bool MatchesIn(absl::string_view text) const;
  // Steps that matching it costs, about; a step is what looking at one value costs.
  size_t CostOf(absl::string_view text) const;

 private:
  const std::unique_ptr<re2::RE2> regex_;
  size_t instructions_ = 0;
};
using PatternPtr = std::unique_ptr<const Pattern>;

// INVALID_ARGUMENT saying what is wrong with it.
absl::StatusOr<PatternPtr> CompilePattern(const std::string& text);

}  // namespace cdgate::schema
