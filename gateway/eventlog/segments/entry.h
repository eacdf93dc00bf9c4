// The bytes of a segment: a header, and entries one behind the other. All numbers are
// little endian; docs/log_format.md has the table.
//
//   segment header, 64 bytes: magic "cdgate\0s", format 4, zero 4, first commit 8, its
//     first sequence 8, the segment before: first commit 8 and bytes 8 (0: none), zero 8,
//     checksum of the above 8
//   entry: bytes of the record 4, zero 4, number 8, first sequence 8, checksum of these
//     and the record 8, the record
//
// Checksums are XXH3, 64 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/eventlog/segments/commit_key.h"

namespace cdgate::eventlog {

inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kEntryHeaderBytes = 32;
inline constexpr uint32_t kSegmentFormat = 1;
// Greater than any commit: records have at most 2 GiB, protobuf's own limit.
inline constexpr uint32_t kMaxRecordBytes = INT32_MAX;

struct SegmentHeader {
  uint32_t format = kSegmentFormat;
  CommitKey first = {};
  // The segment before this one, by its first commit, and how long it is; 0, 0 where this
  // is the first of a log.
  uint64_t previous = 0;
  uint64_t previous_bytes = 0;

  std::string Encode() const;
  // None where `bytes`, at least kSegmentHeaderBytes, do not begin with one.
  static std::optional<SegmentHeader> Decode(absl::string_view bytes);
};

struct EntryHeader {
  uint32_t size = 0;
  CommitKey key = {};
  uint64_t checksum = 0;

  uint64_t end(uint64_t offset) const { return offset + kEntryHeaderBytes + size; }
  static EntryHeader Of(const CommitKey& key, absl::string_view record);
  std::string Encode() const;
  // Of the kEntryHeaderBytes that `bytes` begins with, whatever they are.
  static EntryHeader Decode(absl::string_view bytes);
  bool Fits(absl::string_view record) const;
};

}  // namespace cdgate::eventlog
