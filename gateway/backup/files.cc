#include "gateway/backup/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/fd.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::backup {
namespace {

namespace fs = std::filesystem;
using base::Reason;

constexpr size_t kPieceBytes = 1 << 20;

absl::Status FileError(Reason reason, absl::string_view what, const std::string& path,
                       absl::string_view why) {
  return base::MakeError(reason, absl::StrCat("cannot ", what, " ", path, ": ", why),
                         {{"path", path}});
}

absl::Status Unreadable(const std::string& path, int error) {
  return FileError(Reason::kFileUnreadable, "read", path, std::strerror(error));
}

absl::Status Unwritable(const std::string& path, int error) {
  return FileError(Reason::kFileUnwritable, "write", path, std::strerror(error));
}

bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Reads `from` up to `bytes`, and writes what it reads to `to` (-1: nowhere).
absl::StatusOr<Content> Pass(const base::Fd& from, const std::string& from_path, uint64_t bytes,
                             int to, const std::string& to_path) {
  crypto::Sha256Hasher hasher;
  const auto piece = std::make_unique<char[]>(kPieceBytes);
  Content out;
  while (out.size < bytes) {
    const size_t want = std::min<uint64_t>(kPieceBytes, bytes - out.size);
    const ssize_t n = read(from.get(), piece.get(), want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unreadable(from_path, errno);
    if (n == 0) break;
    const absl::string_view got(piece.get(), static_cast<size_t>(n));
    hasher.Update(got);
    if (to >= 0 && !WriteAll(to, got)) return Unwritable(to_path, errno);
    out.size += got.size();
  }
  out.sha256 = base::HexEncode(hasher.Final());
  return out;
}

absl::Status SyncFolder(const std::string& path) {
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) return Unwritable(path, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Content> CopyFile(const std::string& from, uint64_t bytes, const std::string& to) {
  const base::Fd in(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) return Unreadable(from, errno);
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(fs::path(to).parent_path().string(), 0700));
  const base::Fd out(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (out.get() < 0) return Unwritable(to, errno);
  CDGATE_ASSIGN_OR_RETURN(Content content, Pass(in, from, bytes, out.get(), to));
  if (content.size < bytes) {
    return FileError(Reason::kFileUnreadable, "read", from,
                     absl::StrCat("it has ", content.size, " bytes, not ", bytes));
  }
  if (fsync(out.get()) != 0) return Unwritable(to, errno);
  return content;
}

absl::StatusOr<Content> DigestFile(const std::string& path) {
  const base::Fd in(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) return Unreadable(path, errno);
  return Pass(in, path, std::numeric_limits<uint64_t>::max(), -1, "");
}

absl::StatusOr<std::vector<std::string>> ListTree(const std::string& root) {
  std::vector<std::string> out;
  std::error_code error;
  if (!fs::exists(root, error)) return out;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end;
       it.increment(error)) {
    const fs::file_status status = it->symlink_status(error);
    if (error || fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status)) {
      return FileError(Reason::kFileUnreadable, "take", it->path().string(), "it is no file");
    }
    out.push_back(it->path().lexically_relative(root).generic_string());
  }
  if (error) return FileError(Reason::kFileUnreadable, "read", root, error.message());
  std::sort(out.begin(), out.end());
  return out;
}

absl::Status SyncFolders(const std::string& root) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_directory(error)) CDGATE_RETURN_IF_ERROR(SyncFolder(it->path().string()));
  }
  if (error) return FileError(Reason::kFileUnreadable, "read", root, error.message());
  return SyncFolder(root);
}

absl::Status RemoveTree(const std::string& root) {
  std::error_code error;
  fs::remove_all(root, error);
  if (!error) return absl::OkStatus();
  return FileError(Reason::kFileUnwritable, "remove", root, error.message());
}

absl::Status MoveFolder(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    const absl::string_view remedy =
        errno == EBUSY ? "; it is where something is mounted: name a folder in it" : "";
    return FileError(Reason::kFileUnwritable, "make", to,
                     absl::StrCat(std::strerror(errno), remedy));
  }
  const std::string parent = fs::path(to).parent_path().string();
  return SyncFolder(parent.empty() ? "." : parent);
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace cdgate::backup
