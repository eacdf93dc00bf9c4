// The directory of a log: one process at a time.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cdgate::eventlog {

// Holds the lock of a directory as long as it lives.
class DirectoryLock {
 public:
  // Makes `directory` with mode 0700 where it is missing, durably. LOG_LOCKED where
  // another DirectoryLock holds it, in this process or another; FILE_UNWRITABLE.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  const int fd_;
};

// Makes the entries of `directory` durable.
absl::Status SyncDirectory(const std::string& directory);

}  // namespace cdgate::eventlog
