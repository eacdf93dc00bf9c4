// The files that hold commit records, and nothing that knows what is in them beyond
// their keys. Thread-safe; one thread at a time calls Put.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/mutex.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/segments/commit_key.h"
#include "gateway/eventlog/segments/disk.h"
#include "gateway/eventlog/segments/segment.h"

namespace cdgate::eventlog {

// Where the entries of one file end.
struct FileEnd {
  std::string path = {};
  uint64_t bytes = 0;
};

struct CommitDbOptions {
  std::string directory = {};
  size_t file_bytes = 64 << 20;  // a file is closed before it would be larger
  Disk* disk = nullptr;          // null: the system's
};

class CommitDb {
 public:
  // Cuts a torn last write, and refuses damage before the end: LOG_CORRUPT names the
  // file or the commit. LOG_FORMAT_NEWER, FILE_UNREADABLE, FILE_UNWRITABLE.
  static absl::StatusOr<std::unique_ptr<CommitDb>> Open(const CommitDbOptions& options);
  ~CommitDb();

  // Durable on return. LOG_WRITE_FAILED: nothing can be written any more.
  absl::Status Put(const CommitKey& key, absl::string_view record);

  // Null where the log is empty.
  absl::StatusOr<event::CommitPtr> Newest() const;
  std::optional<CommitKey> Oldest() const;

  // As EventLog::Read, up to the commit with number `last`.
  absl::StatusOr<std::vector<event::CommitPtr>> Read(const ReadFrom& from, ReadLimits limits,
                                                     uint64_t last) const;

  // Removes files that hold only commits before the one that contains `keep_from`, without keeping
  // a Put waiting; one that is being read goes with a later call. Blocks.
  absl::Status DropFilesBefore(base::Sequence keep_from);
  // The next commit begins a file.
  void CloseFile();

  uint64_t bytes() const;
  // Where what was put last ends; for the thread that calls Put. No path: nothing was.
  FileEnd End() const;
  // Files in order, each with its entries' end, up to `end` and not behind it.
  std::vector<FileEnd> FilesUpTo(const FileEnd& end) const;

 private:
  using SegmentPtr = std::shared_ptr<Segment>;

  explicit CommitDb(const CommitDbOptions& options);
  // `begun`: the file, if any, that was begun and never used.
  absl::Status OpenSegments(std::string* begun);
  absl::Status RecoverLast(std::string begun);
  SegmentPtr OldestBefore(base::Sequence keep_from) const;
  std::string TakeUnread();
  absl::Status RemoveDropped();
  absl::Status Roll(const CommitKey& first);
  std::vector<SegmentPtr> From(const ReadFrom& from) const;
  SegmentPtr Last() const;

  const CommitDbOptions options_;
  Disk& disk_;
  mutable base::Mutex mu_;
  std::vector<SegmentPtr> segments_ CDGATE_GUARDED_BY(mu_);  // in order; the last is written
  std::vector<SegmentPtr> dropped_ CDGATE_GUARDED_BY(mu_);   // of these only the files are left
  bool close_ CDGATE_GUARDED_BY(mu_) = false;
  // The end of the last file is known. The writing thread's.
  bool sound_ = false;
};

}  // namespace cdgate::eventlog
