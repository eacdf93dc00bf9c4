#include "auth/authz/pattern.h"

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace cdgate::authz {

Pattern::Pattern(absl::string_view text) : text_(text), literal_(!absl::StrContains(text, "%")) {
  if (literal_) return;
  const std::vector<absl::string_view> pieces = absl::StrSplit(text, '%');
  prefix_bytes_ = pieces.front().size();
  suffix_bytes_ = pieces.back().size();
  for (size_t i = 1; i + 1 < pieces.size(); ++i) {
    if (!pieces[i].empty()) middle_.emplace_back(pieces[i]);
  }
}

bool Pattern::Matches(absl::string_view text) const {
  const absl::string_view pattern = text_;
  if (literal_) return text == pattern;
  if (text.size() < prefix_bytes_ + suffix_bytes_ ||
      !absl::StartsWith(text, pattern.substr(0, prefix_bytes_)) ||
      !absl::EndsWith(text, pattern.substr(pattern.size() - suffix_bytes_))) {
    return false;
  }
  absl::string_view rest = text.substr(prefix_bytes_, text.size() - prefix_bytes_ - suffix_bytes_);
  // The leftmost place of each piece leaves the most for the others, so no choice is ever
  // taken back.
  for (const std::string& piece : middle_) {
    const size_t at = rest.find(piece);
    if (at == absl::string_view::npos) return false;
    rest.remove_prefix(at + piece.size());
  }
  return true;
}

}  // namespace cdgate::authz
