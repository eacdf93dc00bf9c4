// A LIKE pattern, compiled: '%' stands for any characters, '_' for one, and '\' before
// either for itself.
//
//   LikePattern pattern("dev.cdevents.artifact.%");
//   pattern.Matches(type)
//
// Matching is a comparison where '%' only stands at the ends, else one pass over the
// text for each piece between two '%'; no pattern makes it exponential. Immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::filter {

class LikePattern {
 public:
  explicit LikePattern(absl::string_view pattern);

  bool Matches(absl::string_view text) const;

  // Bytes that Matches may compare for a text of `size` bytes.
  uint64_t WorkFor(size_t size) const { return size * scans_ + 1; }

  // The text that it stands for, where it has no wildcard.
  bool exact() const { return pieces_.size() == 1 && !pieces_[0].has_any; }
  absl::string_view exact_text() const { return pieces_[0].text; }

 private:
  // What stands between two '%'. In `text` a '_' is held as kAny.
  struct Piece {
    std::string text;
    bool has_any = false;
  };
  static size_t MatchAt(const Piece& piece, absl::string_view text);
  static bool MatchSuffix(const Piece& piece, absl::string_view text);
  static size_t FindEnd(const Piece& piece, absl::string_view text);

  std::vector<Piece> pieces_;
  uint64_t scans_ = 1;
};

}  // namespace cdgate::filter
