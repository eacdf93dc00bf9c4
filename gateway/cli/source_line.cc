#include "gateway/cli/source_line.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/cli/format.h"

namespace cdgate::cli {
namespace {

constexpr absl::string_view kIndent = "    ";
constexpr size_t kRoom = kTableWidth - 4;
// Of a long line, before the column.
constexpr size_t kBefore = kRoom / 2;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// What a terminal would not show as one character is a space.
std::vector<std::string> CharactersOf(absl::string_view line) {
  std::vector<std::string> out;
  for (const char c : ReplaceInvalidUtf8(line)) {
    if (IsContinuation(c) && !out.empty()) {
      out.back() += c;
    } else {
      out.emplace_back(1, absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? ' ' : c);
    }
  }
  return out;
}

}  // namespace

std::string ShowPlace(absl::string_view source, uint32_t line, uint32_t column) {
  const std::vector<absl::string_view> lines = absl::StrSplit(source, '\n');
  if (line == 0 || line > lines.size() || column == 0) return "";
  const std::vector<std::string> characters = CharactersOf(lines[line - 1]);
  const size_t at = std::min<size_t>(column - 1, characters.size());
  const size_t begin = characters.size() <= kRoom || at < kBefore ? 0 : at - kBefore;
  const size_t end = std::min(characters.size(), begin + kRoom);
  std::string out(kIndent);
  for (size_t i = begin; i < end; ++i) absl::StrAppend(&out, characters[i]);
  absl::StrAppend(&out, "\n", kIndent, std::string(at - begin, ' '), "^\n");
  return out;
}

}  // namespace cdgate::cli
