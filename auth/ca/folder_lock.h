// Keeps two programs from changing a CA's folder at the same time.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cdgate::ca {

// Held for as long as it lives; the system gives it back where a process dies. Others may
// read, as each file is replaced whole. Thread-safe.
class FolderLock {
 public:
  // (blocks) Waits for at most `patience` for whoever has it. FILE_UNREADABLE where there is no
  // such folder, FILE_UNWRITABLE where it cannot be written, OVERLOADED where another program
  // keeps it.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& directory,
                                                          absl::Duration patience);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace cdgate::ca
