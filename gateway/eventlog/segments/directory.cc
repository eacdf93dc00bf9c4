#include "gateway/eventlog/segments/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::eventlog {
namespace {

absl::Status Unwritable(const std::string& path) {
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot write ", path, ": ", std::strerror(errno)),
                         {{"path", path}});
}

}  // namespace

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unwritable(directory);
  const bool synced = fsync(fd) == 0;
  const absl::Status status = synced ? absl::OkStatus() : Unwritable(directory);
  close(fd);
  return status;
}

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& directory) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory, 0700));
  const std::string parent = std::filesystem::path(directory).parent_path().string();
  CDGATE_RETURN_IF_ERROR(SyncDirectory(parent.empty() ? "." : parent));
  const std::string path = base::JoinPath(directory, "lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unwritable(path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    return std::unique_ptr<DirectoryLock>(new DirectoryLock(fd));
  }
  const bool held = errno == EWOULDBLOCK;
  const absl::Status status =
      held
          ? base::MakeError(base::Reason::kLogLocked,
                            absl::StrCat("another process has ", directory, " open; stop it first"),
                            {{"path", directory}})
          : Unwritable(path);
  close(fd);
  return status;
}

DirectoryLock::~DirectoryLock() { close(fd_); }

}  // namespace cdgate::eventlog
