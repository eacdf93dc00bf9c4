#include "bench/logs/damage.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "bench/logs/wal_tail.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/segment.h"

namespace cdgate::bench {
namespace {

using eventlog::Corrupt;

constexpr size_t kMostWalBytes = size_t{4} << 30;

// The write-ahead log with the greatest number; empty where there is none.
std::string NewestWal(const std::string& directory) {
  std::string newest;
  uint64_t greatest = 0;
  std::error_code ignored;  // an unreadable directory has no log: the caller says so
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() != ".log") continue;
    const uint64_t number = std::strtoull(entry.path().stem().c_str(), nullptr, 10);
    if (number < greatest) continue;
    greatest = number;
    newest = entry.path().string();
  }
  return newest;
}

absl::Status Truncate(const std::string& directory, const std::string& path, size_t size) {
  if (truncate(path.c_str(), static_cast<off_t>(size)) != 0) {
    return base::MakeError(base::Reason::kFileUnwritable,
                           absl::StrCat("cannot cut ", path, ": ", std::strerror(errno)),
                           {{"path", path}});
  }
  return eventlog::SyncDirectory(directory);
}

}  // namespace

absl::Status CutTornTail(const std::string& directory, const rocksdb::Status& refusal) {
  const std::string path = NewestWal(directory);
  if (path.empty()) return Unopenable(directory, refusal);
  CDGATE_ASSIGN_OR_RETURN(const std::string wal, base::ReadFile(path, kMostWalBytes));
  const WalTail tail = ScanWal(wal);
  if (tail.damaged_before_end) {
    return Corrupt(path, absl::StrCat("is damaged at byte ", tail.good_bytes, ", after ",
                                      tail.good_records, " whole commits, and not at its end"));
  }
  if (tail.good_bytes == wal.size()) return Unopenable(directory, refusal);
  base::Log(base::LogLevel::kWarning, "cut the torn last write of the log",
            {{"path", path}, {"bytes", absl::StrCat(wal.size() - tail.good_bytes)}});
  return Truncate(directory, path, tail.good_bytes);
}

absl::Status Unopenable(const std::string& directory, const rocksdb::Status& refusal) {
  if (refusal.IsIOError() || refusal.IsNoSpace()) {
    return FromRocks(refusal, absl::StrCat("cannot open the log in ", directory));
  }
  return Corrupt(directory, absl::StrCat("is damaged: ", refusal.ToString()));
}

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const base::Reason reason = status.IsIOError() || status.IsNoSpace()
                                  ? base::Reason::kFileUnwritable
                                  : base::Reason::kLogCorrupt;
  return base::MakeError(reason, absl::StrCat(what, ": ", status.ToString()));
}

absl::Status MissingCommit(uint64_t number) {
  return Corrupt(absl::StrCat("commit ", number), "of the log is missing");
}

}  // namespace cdgate::bench
