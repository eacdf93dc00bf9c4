// A LIKE pattern, compiled: '%' stands for any characters, '_' for one, and '\' before
// either for itself.
//
//   LikePattern pattern("dev.cdevents.artifact.%");
//   pattern.Matches(type)
//
// Matching is a comparison where '%' only stands at the ends, else one pass over the
// text for each piece between two '%'; no pattern makes it exponential. Immutable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace cdgate::filter {

// What a text is looked for as. kPrefix and kSuffix: as it stands, without '%' and '_'.
enum class TextMatch : uint8_t { kPattern, kPrefix, kSuffix };

class LikePattern {
 public:
  explicit LikePattern(absl::string_view pattern, TextMatch match = TextMatch::kPattern);

  bool Matches(absl::string_view text) const {
    switch (shape_) {
      case Shape::kExact: return text == head();
      case Shape::kEnds:
        return text.size() >= head().size() + tail().size() && absl::StartsWith(text, head()) &&
               absl::EndsWith(text, tail());
      case Shape::kOther: break;
    }
    return MatchesOther(text);
  }

  // What every text that it matches begins with.
  absl::string_view prefix() const;
  // It matches that text alone.
  bool exact() const { return shape_ == Shape::kExact; }
  // Matches is one pass over the text.
  bool linear() const { return scans_ == 1; }
  // Bytes that Matches may compare for a text of `size` bytes.
  uint64_t WorkFor(size_t size) const {
    if (shape_ == Shape::kOther) return size * scans_ + 1;
    return std::min(size, head().size() + tail().size()) + 1;
  }

 private:
  // What stands between two '%'. In `text` a '_' is held as kAny.
  struct Piece {
    std::string text;
    bool has_any = false;
  };
  // kEnds: a text, '%', a text.
  enum class Shape : uint8_t { kExact, kEnds, kOther };

  void Parse(absl::string_view pattern);
  absl::string_view head() const { return pieces_.front().text; }
  absl::string_view tail() const { return pieces_.back().text; }
  bool MatchesOther(absl::string_view text) const;
  static size_t MatchAt(const Piece& piece, absl::string_view text);
  static bool MatchSuffix(const Piece& piece, absl::string_view text);
  static size_t FindEnd(const Piece& piece, absl::string_view text);

  std::vector<Piece> pieces_;
  uint64_t scans_ = 1;
  Shape shape_ = Shape::kOther;
};

}  // namespace cdgate::filter
