// Writes a file from front to back in whole blocks, past the system's page cache where
// the file system can: a commit is then copied once, into memory that is used again and
// again, and no page of the cache is made for bytes that readers get from memory.
//
//   BlockWriter writer(disk);
//   if (int error = writer.Make(path)) ...
//   if (int error = writer.Append({head, record})) ...  // durable once it returns 0
//
// The last block of what was appended is filled up with zeros, and written again, the
// same bytes at its beginning, with what is appended next. Behind small appends more zeros
// are written, at most kMostZeros together. For one thread. Functions
// return 0 or an errno; after an error the file's end is unknown and nothing may be
// appended any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/eventlog/segments/disk.h"

namespace cdgate::eventlog {

// A multiple of the sectors of all disks and of the pages of memory.
inline constexpr size_t kBlockBytes = 4096;
// Behind what was appended last, at most.
inline constexpr size_t kMostZeros = (128 << 10) + kBlockBytes;

class BlockWriter {
 public:
  // `disk` outlives the writer.
  explicit BlockWriter(Disk& disk) : disk_(disk) {}
  ~BlockWriter() { Close(); }
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  // A new, empty file: EEXIST where there is one. `room` bytes are reserved where the
  // file system can.
  int Make(const std::string& path, size_t room);
  // One that is there, to go on at Seek.
  int Open(const std::string& path);
  // Gives its memory back as well.
  void Close();
  int fd() const { return fd_; }
  // Of memory, while something may be written.
  size_t held_bytes() const;

  // What is appended next comes at `offset`, at most the file's size.
  int Seek(uint64_t offset);
  // Writes all pieces, one behind the other, and syncs.
  int Append(absl::Span<const absl::string_view> pieces);
  // Cuts the file after what was appended, durably.
  int Cut();

 private:
  struct Free {
    void operator()(char* memory) const;
  };

  int Take(int fd);
  void Hold();
  int Put(absl::string_view piece);
  int WriteRest();
  int WriteBlocks(size_t bytes);

  Disk& disk_;
  int fd_ = -1;
  std::unique_ptr<char, Free> blocks_;  // kBufferBytes
  uint64_t begin_ = 0;                  // of blocks_ in the file
  size_t filled_ = 0;                   // bytes of it
  uint64_t written_ = 0;                // up to here the file was, as far as is known
};

}  // namespace cdgate::eventlog
