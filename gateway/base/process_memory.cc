#include "gateway/base/process_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <ctime>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/base/file.h"

namespace cdgate::base {
namespace {

// "7f12-7f34 r-xp 0000 08:01 42   /usr/lib/x.so": where that is a file that cannot be written.
std::optional<AddressRange> ReadOnlyFile(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() < 6 || words[5].front() != '/') return std::nullopt;
  if (words[1] != "r-xp" && words[1] != "r--p") return std::nullopt;
  const std::vector<absl::string_view> ends = absl::StrSplit(words[0], '-');
  AddressRange range;
  if (ends.size() != 2 || !absl::SimpleHexAtoi(ends[0], &range.begin) ||
      !absl::SimpleHexAtoi(ends[1], &range.end)) {
    return std::nullopt;
  }
  return range;
}

// Does a line with a mapping's figures say that pages are its own?
bool SaysChanged(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "Anonymous:") && !absl::ConsumePrefix(&line, "Swap:"))
    return false;
  return absl::StripAsciiWhitespace(line) != "0 kB";
}

bool BeginsMapping(absl::string_view line) {
  const absl::string_view word = line.substr(0, line.find(' '));
  return !word.empty() && word.back() != ':';
}

}  // namespace

std::vector<AddressRange> UnchangedFileMappings(absl::string_view smaps) {
  std::vector<AddressRange> out;
  std::optional<AddressRange> mapping;
  bool counted = false;  // its Anonymous line came
  const auto end = [&] {
    if (mapping && counted) out.push_back(*mapping);
  };
  for (const absl::string_view line : absl::StrSplit(smaps, '\n')) {
    if (BeginsMapping(line)) {
      end();
      mapping = ReadOnlyFile(line);
      counted = false;
    } else if (SaysChanged(line)) {
      mapping.reset();
    } else if (absl::StartsWith(line, "Anonymous:")) {
      counted = true;
    }
  }
  end();
  return out;
}

void ReleaseUnusedMemory() {
  malloc_trim(0);
  const auto smaps = ReadFile("/proc/self/smaps");
  if (!smaps.ok()) return;
  for (const AddressRange& range : UnchangedFileMappings(*smaps)) {
    // Where it is refused, the pages stay.
    (void)madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_DONTNEED);
  }
}

absl::Duration ProcessTime() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

}  // namespace cdgate::base
