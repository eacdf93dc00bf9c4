// What a log does to the disk, so that a test can let a part of it fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cdgate::eventlog {

// Thread-safe. Each returns 0 or an errno, if nothing else is said.
class Disk {
 public:
  virtual ~Disk() = default;
  // A new file of nothing, or of nothing but zeros: its descriptor, or an errno negated; -EEXIST
  // where there is one. `room` bytes are reserved where the file system can.
  virtual int Make(const std::string& path, size_t room);
  // Writes all pieces, one behind the other, from `offset` on.
  virtual int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) = 0;
  // Makes what was written durable, and the file's size.
  virtual int Sync(int fd) = 0;
};

// The system's.
Disk& SystemDisk();

}  // namespace cdgate::eventlog
