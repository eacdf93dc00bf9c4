// The writes of a log, so that a test can let one of them fail.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cdgate::eventlog {

// Thread-safe. Each returns 0 or an errno.
class Disk {
 public:
  virtual ~Disk() = default;
  // Writes all pieces, one behind the other, from `offset` on.
  virtual int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) = 0;
  // Makes what was written durable, and the file's size.
  virtual int Sync(int fd) = 0;
};

// The system's.
Disk& SystemDisk();

}  // namespace cdgate::eventlog
