#include "gateway/filter/like.h"

#include <string.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "gateway/filter/unicode.h"

namespace cdgate::filter {
namespace {

// Stands for '_' within a piece; UTF-8 has no such byte.
constexpr char kAny = '\xFF';
constexpr size_t kNone = absl::string_view::npos;

}  // namespace

LikePattern::LikePattern(absl::string_view pattern, TextMatch match) : pieces_(2) {
  shape_ = Shape::kEnds;
  switch (match) {
    case TextMatch::kPattern: Parse(pattern); return;
    case TextMatch::kPrefix: pieces_.front().text = std::string(pattern); return;
    case TextMatch::kSuffix: pieces_.back().text = std::string(pattern); return;
  }
}

absl::string_view LikePattern::prefix() const { return head().substr(0, head().find(kAny)); }

void LikePattern::Parse(absl::string_view pattern) {
  shape_ = Shape::kOther;
  pieces_.resize(1);
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size() && (pattern[i + 1] == '%' || pattern[i + 1] == '_')) {
      pieces_.back().text += pattern[++i];
    } else if (c == '%') {
      pieces_.emplace_back();
    } else if (c == '_') {
      pieces_.back().text += kAny;
      pieces_.back().has_any = true;
    } else {
      pieces_.back().text += c;
    }
  }
  // Several '%' in a row are one.
  if (pieces_.size() > 2) {
    pieces_.erase(std::remove_if(pieces_.begin() + 1, pieces_.end() - 1,
                                 [](const Piece& piece) { return piece.text.empty(); }),
                  pieces_.end() - 1);
  }
  bool any = false;
  for (const Piece& piece : pieces_) {
    any = any || piece.has_any;
    if (piece.has_any) scans_ = std::max<uint64_t>(scans_, piece.text.size());
  }
  if (!any && pieces_.size() == 1) shape_ = Shape::kExact;
  if (!any && pieces_.size() == 2) shape_ = Shape::kEnds;
}

// Bytes of `text` that `piece` matches at its beginning; kNone where it does not.
size_t LikePattern::MatchAt(const Piece& piece, absl::string_view text) {
  if (!piece.has_any) return absl::StartsWith(text, piece.text) ? piece.text.size() : kNone;
  size_t at = 0;
  for (const char c : piece.text) {
    if (at == text.size()) return kNone;
    if (c == kAny) {
      at += DecodeFirst(text.substr(at)).size;
    } else if (text[at++] != c) {
      return kNone;
    }
  }
  return at;
}

bool LikePattern::MatchSuffix(const Piece& piece, absl::string_view text) {
  if (!piece.has_any) return absl::EndsWith(text, piece.text);
  const size_t characters = CountCharacters(piece.text);
  const size_t have = CountCharacters(text);
  if (have < characters) return false;
  const absl::string_view tail = text.substr(OffsetOfCharacter(text, have - characters));
  return MatchAt(piece, tail) == tail.size();
}

// Where the first match of `piece` in `text` ends; kNone where there is none.
size_t LikePattern::FindEnd(const Piece& piece, absl::string_view text) {
  if (!piece.has_any) {
    if (piece.text.empty()) return 0;
    // Linear also for patterns made to be slow; string_view::find is not.
    const void* at = memmem(text.data(), text.size(), piece.text.data(), piece.text.size());
    if (at == nullptr) return kNone;
    return static_cast<const char*>(at) - text.data() + piece.text.size();
  }
  for (size_t at = 0;; at += DecodeFirst(text.substr(at)).size) {
    const size_t matched = MatchAt(piece, text.substr(at));
    if (matched != kNone) return at + matched;
    if (at == text.size()) return kNone;
  }
}

bool LikePattern::MatchesOther(absl::string_view text) const {
  const size_t matched = MatchAt(pieces_.front(), text);
  if (matched == kNone) return false;
  if (pieces_.size() == 1) return matched == text.size();
  text.remove_prefix(matched);
  for (size_t i = 1; i + 1 < pieces_.size(); ++i) {
    const size_t end = FindEnd(pieces_[i], text);
    if (end == kNone) return false;
    text.remove_prefix(end);
  }
  return MatchSuffix(pieces_.back(), text);
}

}  // namespace cdgate::filter
