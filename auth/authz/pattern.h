// Patterns of texts: '%' stands for any characters, also none.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::authz {

// Compiled once, matched often. Immutable; thread-safe.
class Pattern {
 public:
  explicit Pattern(absl::string_view text);

  // Over the whole of `text`; allocates nothing. Linear in practice: at most one search
  // of the rest for each piece between two '%'.
  bool Matches(absl::string_view text) const;

  bool is_literal() const { return literal_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool literal_;
  // What must be found between the first '%' and the last, in order; not the prefix
  // and the suffix.
  std::vector<std::string> middle_;
  size_t prefix_bytes_ = 0;
  size_t suffix_bytes_ = 0;
};

}  // namespace cdgate::authz
