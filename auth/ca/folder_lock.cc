#include "auth/ca/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"

namespace cdgate::ca {
namespace {

// flock() cannot wait for a limited time.
constexpr absl::Duration kAskAgain = absl::Milliseconds(20);

absl::Status CannotOpen(const std::string& path, const std::string& directory, int error) {
  if (!base::FileExists(directory)) {
    return base::MakeError(base::Reason::kFileUnreadable,
                           absl::StrCat("there is no folder ", directory,
                                        ": name the CA's, or make one with cdgate ca init"),
                           {{"path", directory}});
  }
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot open ", path, ": ", std::strerror(error)),
                         {{"path", path}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& directory,
                                                             absl::Duration patience) {
  const std::string path = base::JoinPath(directory, ".lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return CannotOpen(path, directory, errno);
  std::unique_ptr<FolderLock> lock(new FolderLock(fd));
  const base::Clock& clock = base::SystemClock();
  const absl::Duration end = clock.Monotonic() + patience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return CannotOpen(path, directory, errno);
    if (clock.Monotonic() >= end) {
      return base::MakeError(
          base::Reason::kOverloaded,
          absl::StrCat("another program is at work in the CA's folder ", directory,
                       " and did not end in ", absl::FormatDuration(patience), "; try again"),
          {{"path", directory}});
    }
    absl::SleepFor(kAskAgain);
  }
  return lock;
}

FolderLock::~FolderLock() { close(fd_); }

}  // namespace cdgate::ca
