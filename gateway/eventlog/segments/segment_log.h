// The log on this machine's disk: commit records in segment files. docs/log_format.md has
// the files and what is done about each kind of damage.
//
//   CDGATE_ASSIGN_OR_RETURN(auto log, eventlog::SegmentLog::Open({.directory = dir}, clock,
//   random));
//
// One Append is one write (of each MiB) and one fdatasync, in the calling thread; its
// callback has run when Append returns. Thread-safe.
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
#include "gateway/eventlog/segments/disk.h"

namespace cdgate::eventlog {

struct SegmentLogOptions {
  std::string directory = {};  // made with mode 0700; nothing else may be in it
  // Begin a new epoch: after a restore from a backup.
  bool new_epoch = false;
  // A file is closed before it would be larger, but for a single commit.
  size_t file_bytes = 64 << 20;
  // A file is closed at this age even where it is smaller, so that retention, which
  // drops whole files, can be that exact. Looked at by Trim.
  absl::Duration file_age = absl::Hours(24);
  Disk* disk = nullptr;  // tests put faults between the log and the disk; null: the system's
};

// What is on disk of a log at one moment: its newest commit, and every file that a copy needs up to
// that, cut to `bytes`. Appends go on behind it; what Trim removes meanwhile is gone.
struct LogFiles {
  struct File {
    std::string path;
    uint64_t bytes = 0;
  };
  Head head = {};
  std::vector<File> files = {};  // in order
};

class SegmentLog final : public EventLog {
 public:
  // Opens the log in `directory`, or begins one. A torn last write is cut away: it was
  // never acknowledged. A log that ends before what was acknowledged (a disk rolled
  // back) is taken as it is, with a new epoch and an error in our log. LOG_CORRUPT where
  // something before the end is damaged or missing; LOG_FORMAT_NEWER; LOG_LOCKED;
  // FILE_UNWRITABLE. On an error nothing was changed.
  static absl::StatusOr<std::unique_ptr<SegmentLog>> Open(const SegmentLogOptions& options,
                                                          base::Clock& clock, base::Random& random);
  ~SegmentLog() override;

  void Append(event::CommitPtr commit, Appended done) override;
  absl::StatusOr<std::vector<event::CommitPtr>> Read(ReadFrom from,
                                                     ReadLimits limits) const override;
  Head head() const override;
  First first() const override;
  absl::Status Trim(base::Sequence keep_from) override;
  void AddObserver(CommitObserver* observer) override;
  void RemoveObserver(CommitObserver* observer) override;
  Stats stats() const override;

  // For a backup. A log that is made of the files goes on where `head` is, whatever was appended
  // meanwhile.
  LogFiles Files() const;

 private:
  class Impl;
  explicit SegmentLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::eventlog
