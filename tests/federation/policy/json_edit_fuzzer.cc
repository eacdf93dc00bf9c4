// A line of edits, "-a/b +c/d ~context/links", then JSON. What is JSON as admission takes it
// is edited as the oracle says; anything else is edited or refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "tests/federation/policy/json_edit_oracle.h"

namespace {

using cdgate::test::OneEdit;

std::vector<OneEdit> ReadEdits(absl::string_view line) {
  std::vector<OneEdit> out;
  for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    if (word.size() < 2 || out.size() == 8) continue;
    const auto what = word[0] == '-'   ? OneEdit::kRemove
                      : word[0] == '+' ? OneEdit::kReplace
                                       : OneEdit::kReplaceInLinks;
    OneEdit edit{what, absl::StrSplit(word.substr(1), '/')};
    // One list of links, and no path twice: what wins there is not the oracle's matter.
    bool alone = edit.names.size() <= 16;
    for (const OneEdit& other : out) {
      const size_t common = std::min(edit.names.size(), other.names.size());
      alone = alone &&
              !std::equal(edit.names.begin(), edit.names.begin() + common, other.names.begin());
    }
    if (alone) out.push_back(std::move(edit));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\n');
  if (end == absl::string_view::npos) return 0;
  static cdgate::policy::JsonEditor editor;  // reused, as a session does
  cdgate::test::CheckEdit(ReadEdits(input.substr(0, end)), input.substr(end + 1), &editor);
  return 0;
}
