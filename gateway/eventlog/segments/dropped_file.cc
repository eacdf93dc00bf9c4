#include "gateway/eventlog/segments/dropped_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/eventlog/segments/directory.h"

namespace cdgate::eventlog {
namespace {

std::string NameOf(const std::string& path) { return absl::StrCat(path, kDroppedExtension); }

absl::Status CannotRemove(const std::string& path) {
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot remove ", path, ": ", std::strerror(errno)),
                         {{"path", path}});
}

// From its end. Where the system refuses, unlink() gives back the rest.
void Empty(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_nlink != 1) return;
  for (auto left = static_cast<uint64_t>(info.st_size); left > 0;) {
    left = left > kGivenBack ? left - kGivenBack : 0;
    if (ftruncate(fd, static_cast<off_t>(left)) != 0 || fsync(fd) != 0) return;
  }
}

}  // namespace

absl::Status SetAside(const std::string& path) {
  if (std::rename(path.c_str(), NameOf(path).c_str()) == 0) {
    return SyncDirectory(std::filesystem::path(path).parent_path().string());
  }
  return errno == ENOENT ? absl::OkStatus() : CannotRemove(path);
}

absl::Status RemoveSetAside(const std::string& path) {
  const std::string dropped = NameOf(path);
  if (const int fd = open(dropped.c_str(), O_WRONLY | O_CLOEXEC); fd >= 0) {
    Empty(fd);
    close(fd);
  }
  if (unlink(dropped.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return CannotRemove(dropped);
}

}  // namespace cdgate::eventlog
