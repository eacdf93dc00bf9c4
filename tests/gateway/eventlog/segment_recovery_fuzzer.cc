// Any bytes as the last file of a log: an error, or a log whose every commit verifies, that
// takes a commit, and that opens again with all of it.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/eventlog/segments/segment.h"
#include "tests/support/temp_dir.h"

namespace {

using cdgate::eventlog::CommitKey;
using cdgate::eventlog::Segment;

void Require(bool holds) {
  if (!holds) abort();
}

// Reads all entries; each must follow the one before.
uint64_t Count(const Segment& segment) {
  auto cursor =
      segment.Find({.sequence = {}, .commit = 1}, cdgate::eventlog::BlockReader::Way::kStream);
  Require(cursor.ok());
  uint64_t count = 0;
  for (;; ++count) {
    const auto header = cursor->Peek();
    Require(header.ok());
    if (!*header) return count;
    Require((*header)->key.number == segment.header().first.number + count);
    Require(cursor->Read(**header).ok());
    cursor->Pass(**header);
  }
}

std::shared_ptr<Segment> Recovered(const std::string& path) {
  auto segment = Segment::Open(path, cdgate::eventlog::SystemDisk());
  if (!segment.ok() || *segment == nullptr || !(*segment)->Recover(false).ok()) return nullptr;
  return *segment;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const dir = new cdgate::test::TempDir;
  const std::string path = dir->File("fuzzed.segment");
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      << absl::string_view(reinterpret_cast<const char*>(data), size);
  const auto segment = Recovered(path);
  if (segment == nullptr) return 0;
  // Numbers count from 1, and no log comes to their end.
  const uint64_t first = segment->header().first.number;
  if (first == 0 || first > UINT64_MAX / 2) return 0;
  const uint64_t commits = Count(*segment);
  const CommitKey next{{}, first + commits};
  Require(segment->Append(next, "a record").ok());
  const auto again = Recovered(path);
  Require(again != nullptr && Count(*again) == commits + 1);
  return 0;
}
