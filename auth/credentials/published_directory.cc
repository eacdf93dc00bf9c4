#include "auth/credentials/published_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kNamePrefix = "cdgate-identity-";
constexpr char kLockFile[] = "lock";

absl::Status Unwritable(const std::string& path, int error) {
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot write ", path, ": ", std::strerror(error)),
                         {{"path", path}});
}

std::string DefaultParent() {
  const char* runtime = std::getenv("RUNTIME_DIRECTORY");
  if (runtime != nullptr && runtime[0] != '\0') {
    const std::vector<std::string> directories = absl::StrSplit(runtime, ':');
    return directories.front();
  }
  if (access("/dev/shm", W_OK | X_OK) == 0) return "/dev/shm";
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr && temporary[0] != '\0' ? temporary : "/tmp";
}

absl::Status SetTime(const std::string& path, time_t seconds) {
  const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
  return utimensat(AT_FDCWD, path.c_str(), times, 0) == 0 ? absl::OkStatus()
                                                          : Unwritable(path, errno);
}

// Points `link` to `target`, in one step also where it exists.
absl::Status SwapLink(const std::string& link, const std::string& target) {
  const std::string fresh = absl::StrCat(link, ".new");
  unlink(fresh.c_str());
  if (symlink(target.c_str(), fresh.c_str()) != 0) return Unwritable(fresh, errno);
  if (rename(fresh.c_str(), link.c_str()) != 0) return Unwritable(link, errno);
  return absl::OkStatus();
}

// True where `directory` is ours by owner, has a lock file, and no process holds the lock: its
// process died. A directory without one is just being made.
bool IsAbandoned(const std::string& directory) {
  struct stat info {};
  if (lstat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
    return false;
  }
  const int fd = open(base::JoinPath(directory, kLockFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool abandoned = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return abandoned;
}

// Private keys must not stay behind a process that was killed.
void RemoveAbandoned(const std::string& parent) {
  std::error_code error;  // what cannot be read or removed is left to the next process
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string path = entry->path().string();
    if (!absl::StartsWith(entry->path().filename().string(), kNamePrefix)) continue;
    std::error_code ignored;
    if (IsAbandoned(path)) fs::remove_all(path, ignored);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PublishedDirectory>> PublishedDirectory::Create(
    const std::string& parent) {
  const std::string under = parent.empty() ? DefaultParent() : parent;
  RemoveAbandoned(under);
  std::string path = base::JoinPath(under, absl::StrCat(kNamePrefix, "XXXXXX"));
  if (mkdtemp(path.data()) == nullptr) return Unwritable(path, errno);  // mode 0700
  std::unique_ptr<PublishedDirectory> directory(new PublishedDirectory(std::move(path)));
  CDGATE_RETURN_IF_ERROR(directory->Lock());
  return directory;
}

// Locked before it has the name that others look for.
absl::Status PublishedDirectory::Lock() {
  const std::string lock = base::JoinPath(path_, kLockFile);
  const std::string unlocked = absl::StrCat(lock, ".new");
  lock_fd_ = open(unlocked.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (lock_fd_ < 0 || flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) return Unwritable(unlocked, errno);
  if (rename(unlocked.c_str(), lock.c_str()) != 0) return Unwritable(lock, errno);
  return absl::OkStatus();
}

PublishedDirectory::~PublishedDirectory() {
  std::error_code ignored;  // nobody is left to tell; the directory is private anyway
  fs::remove_all(path_, ignored);
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::Status PublishedDirectory::Publish(absl::string_view chain_pem, absl::string_view key_pem,
                                         absl::string_view roots_pem) {
  const uint64_t set = ++sets_;
  const std::string name = absl::StrCat("set-", set);
  const std::string directory = base::JoinPath(path_, name);
  if (mkdir(directory.c_str(), 0700) != 0) return Unwritable(directory, errno);
  const std::pair<const char*, absl::string_view> files[] = {
      {"tls.crt", chain_pem}, {"tls.key", key_pem}, {"roots.pem", roots_pem}};
  for (const auto& [file, content] : files) {
    const std::string path = base::JoinPath(directory, file);
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(path, content, 0600));
    CDGATE_RETURN_IF_ERROR(SetTime(path, static_cast<time_t>(set)));
  }
  CDGATE_RETURN_IF_ERROR(SwapLink(base::JoinPath(path_, "current"), name));
  // A reader may be within the set before; the one before that is nobody's any more.
  if (set > 2) {
    std::error_code ignored;  // a leftover set costs a few kilobytes until the end
    fs::remove_all(base::JoinPath(path_, absl::StrCat("set-", set - 2)), ignored);
  }
  return absl::OkStatus();
}

}  // namespace cdgate::credentials
