// The side file that remembers how far the log was acknowledged. It is written after
// every commit without a sync: when a process dies it is exact, when the machine does it
// may be behind, and it is ahead of the log only where the log lost what it had said was
// on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace cdgate::eventlog {

class HeadFile {
 public:
  // Opens or makes `path`. FILE_UNWRITABLE.
  static absl::StatusOr<std::unique_ptr<HeadFile>> Open(const std::string& path);
  ~HeadFile();
  HeadFile(const HeadFile&) = delete;
  HeadFile& operator=(const HeadFile&) = delete;

  // Number of the last acknowledged commit; none where nothing legible is there.
  std::optional<uint64_t> Read() const;
  // False where the system refuses; the log goes on without.
  bool Write(uint64_t commit);

 private:
  explicit HeadFile(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace cdgate::eventlog
