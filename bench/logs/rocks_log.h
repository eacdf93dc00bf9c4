// The log with RocksDB for everything, or with its blob files: what the log in segment files is
// measured against (docs/adr/0035). It promises what that one does, and is held to the same
// contract and the same crashes; nothing runs with it.
//
//   CDGATE_ASSIGN_OR_RETURN(auto log, bench::RocksLog::Open({.directory = dir}, clock, random));
//
// One Append is one synced write to the write-ahead log, in the calling thread; its callback has
// run when Append returns. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/logs/commit_rows.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/head_file.h"

namespace cdgate::bench {

class RocksLog final : public eventlog::EventLog {
 public:
  // Opens the log in `options.directory`, made with mode 0700, or begins one. What is done about a
  // torn write, damage and a lost tail is what SegmentLog::Open says, and so are the errors.
  static absl::StatusOr<std::unique_ptr<RocksLog>> Open(CommitRowsOptions options,
                                                        base::Clock& clock, base::Random& random);

  void Append(event::CommitPtr commit, Appended done) override;
  absl::StatusOr<std::vector<event::CommitPtr>> Read(eventlog::ReadFrom from,
                                                     eventlog::ReadLimits limits) const override;
  eventlog::Head head() const override;
  eventlog::First first() const override;
  absl::Status Trim(base::Sequence keep_from) override;
  void AddObserver(eventlog::CommitObserver* observer) override { observers_.Add(observer); }
  void RemoveObserver(eventlog::CommitObserver* observer) override { observers_.Remove(observer); }
  eventlog::Stats stats() const override { return {.bytes = rows_->bytes()}; }

  // What was appended becomes a file that Trim can drop. Blocks.
  absl::Status CloseFile() { return rows_->CloseFile(); }

 private:
  RocksLog(std::unique_ptr<eventlog::DirectoryLock> directory,
           std::unique_ptr<eventlog::HeadFile> head_file, std::unique_ptr<CommitRows> rows);
  absl::Status Begin(base::Clock& clock, base::Random& random);
  bool Regressed(const eventlog::Head& newest) const;
  absl::Status AppendNow(const event::CommitPtr& commit);
  absl::Status Check(const event::Commit& commit) const;
  absl::Status Write(const event::Commit& commit);
  absl::Status FindFirst();

  const std::unique_ptr<eventlog::DirectoryLock> directory_;
  const std::unique_ptr<eventlog::HeadFile> head_file_;
  const std::unique_ptr<CommitRows> rows_;
  eventlog::ObserverList observers_;

  mutable base::Mutex mu_;
  eventlog::Head head_ CDGATE_GUARDED_BY(mu_);
  eventlog::First first_ CDGATE_GUARDED_BY(mu_);
  bool failed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::bench
