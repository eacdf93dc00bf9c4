// Reads a file from front to back in large steps, past the system's page cache where the file
// system can: who reads a long stretch of the log copies it once, out of memory that is used again
// and again, and no page is made for bytes that nobody reads a second time (Feed keeps what several
// readers want). What BlockWriter is for writing.
//
//   BlockReader reader;
//   if (const int error = reader.Open(path, BlockReader::Way::kStream); error != 0) ...
//   if (!reader.Read(offset, size, out)) ...
//
// kLookup is for a few bytes here and there, through the cache. For one thread; movable. The file
// may grow meanwhile: of what came since Open, what is read may be what was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace cdgate::eventlog {

class BlockReader {
 public:
  enum class Way { kLookup, kStream };

  BlockReader() = default;
  BlockReader(BlockReader&& other) noexcept { *this = std::move(other); }
  BlockReader& operator=(BlockReader&& other) noexcept;
  ~BlockReader();

  // 0 or an errno. Once.
  int Open(const std::string& path, Way way);
  // Exactly `size` bytes from `offset`; false where they are not there, or cannot be read.
  bool Read(uint64_t offset, size_t size, char* out);
  int fd() const { return fd_; }

 private:
  struct Free {
    void operator()(char* memory) const;
  };

  bool ReadThrough(uint64_t offset, size_t size, char* out) const;
  bool ReadSteps(uint64_t offset, size_t size, char* out);
  int Fill(uint64_t offset);

  int fd_ = -1;
  Way way_ = Way::kLookup;
  std::unique_ptr<char, Free> blocks_;  // kStepBytes, from the first read in steps on
  uint64_t begin_ = 0;                  // of blocks_ in the file
  size_t filled_ = 0;                   // bytes of it
};

}  // namespace cdgate::eventlog
