// The embedded log: commit records in a RocksDB of their own. docs/log_format.md has
// keys, files and what is done about each kind of damage.
//
//   CDGATE_ASSIGN_OR_RETURN(auto log, eventlog::RocksLog::Open({.directory = dir}, clock, random));
//
// One Append is one write and one fdatasync, in the calling thread; its callback has run
// when Append returns. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/event_log.h"

namespace rocksdb {
class FileSystem;
}

namespace cdgate::eventlog {

struct RocksLogOptions {
  std::string directory = {};  // made with mode 0700; nothing else may be in it
  // Begin a new epoch: after a restore from a backup.
  bool new_epoch = false;
  // Bytes of one file, and of commits in memory that are not in a file yet.
  size_t file_bytes = 32 << 20;
  // A file is closed at this age even where it is smaller, so that retention, which
  // drops whole files, can be that exact. Looked at by Trim.
  absl::Duration file_age = absl::Hours(24);
  size_t cache_bytes = 8 << 20;
  // Tests put faults between RocksDB and the disk with this. Null: the system's.
  std::shared_ptr<rocksdb::FileSystem> file_system = {};
};

class RocksLog final : public EventLog {
 public:
  // Opens the log in `directory`, or begins one. A torn last write is cut away: it was
  // never acknowledged. A log that ends before what was acknowledged (a disk rolled
  // back) is taken as it is, with a new epoch and an error in our log. LOG_CORRUPT where
  // something before the end is damaged or missing; LOG_FORMAT_NEWER; LOG_LOCKED;
  // FILE_UNWRITABLE. On an error nothing was changed.
  static absl::StatusOr<std::unique_ptr<RocksLog>> Open(const RocksLogOptions& options,
                                                        base::Clock& clock, base::Random& random);
  ~RocksLog() override;

  void Append(event::CommitPtr commit, Appended done) override;
  absl::StatusOr<std::vector<event::CommitPtr>> Read(ReadFrom from,
                                                     ReadLimits limits) const override;
  Head head() const override;
  First first() const override;
  absl::Status Trim(base::Sequence keep_from) override;
  void AddObserver(CommitObserver* observer) override;
  void RemoveObserver(CommitObserver* observer) override;
  Stats stats() const override;

 private:
  class Impl;
  explicit RocksLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::eventlog
