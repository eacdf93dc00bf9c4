#include "gateway/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/fd.h"
#include "gateway/base/status_macros.h"

namespace cdgate::base {
namespace {

absl::Status Unreadable(const std::string& path, int error) {
  return MakeError(Reason::kFileUnreadable,
                   absl::StrCat("cannot read ", path, ": ", std::strerror(error)),
                   {{"path", path}});
}

absl::Status Unwritable(const std::string& path, int error) {
  return MakeError(Reason::kFileUnwritable,
                   absl::StrCat("cannot write ", path, ": ", std::strerror(error)),
                   {{"path", path}});
}

absl::Status WriteAll(int fd, const std::string& path, absl::string_view content) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unwritable(path, errno);
    content.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(fd) != 0) return Unwritable(path, errno);
  return absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string dir = std::filesystem::path(path).parent_path().string();
  const Fd fd(open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) return Unwritable(path, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return Unreadable(path, errno);
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unreadable(path, errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > max_bytes) return Unreadable(path, EFBIG);
  }
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view content, mode_t mode) {
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid());
  {
    const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (fd.get() < 0) return Unwritable(temporary, errno);
    // The mode given to open is cut by the umask; secrets need exactly theirs.
    if (fchmod(fd.get(), mode) != 0) return Unwritable(temporary, errno);
    if (absl::Status status = WriteAll(fd.get(), temporary, content); !status.ok()) {
      unlink(temporary.c_str());
      return status;
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return Unwritable(path, error);
  }
  return SyncDirectoryOf(path);
}

absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  if (path.empty() || FileExists(path)) return absl::OkStatus();
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (parent != path) CDGATE_RETURN_IF_ERROR(MakeDirectories(parent, mode));
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return Unwritable(path, errno);
  return absl::OkStatus();
}

bool FileExists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

std::string JoinPath(absl::string_view dir, absl::string_view name) {
  if (dir.empty()) return std::string(name);
  return absl::StrCat(dir, dir.back() == '/' ? "" : "/", name);
}

}  // namespace cdgate::base
