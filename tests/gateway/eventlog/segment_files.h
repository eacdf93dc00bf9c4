// The files of a log, for tests that damage them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "gateway/eventlog/segments/entry.h"

namespace cdgate::test {

inline std::string ReadBytes(const std::string& path) {
  const auto bytes = base::ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : "";
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// `to` is then what `from` is.
inline void CopyTree(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

// In the order of the log.
inline std::vector<std::string> SegmentFiles(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".segment") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Where each entry of a segment's bytes ends.
inline std::vector<size_t> EntryEnds(absl::string_view bytes) {
  std::vector<size_t> ends;
  size_t at = eventlog::kSegmentHeaderBytes;
  while (at + eventlog::kEntryHeaderBytes <= bytes.size()) {
    at = eventlog::EntryHeader::Decode(bytes.substr(at)).end(at);
    ends.push_back(at);
  }
  return ends;
}

}  // namespace cdgate::test
