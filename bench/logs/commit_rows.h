// Commit records as rows of a RocksDB: the key is first sequence and number, big endian, so that
// rows lie in the order of the log. Each write is synced in the write-ahead log; a memtable becomes
// one file of consecutive commits, which is moved on, never rewritten, and dropped whole.
//
// Thread-safe; one thread at a time calls Put.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/segments/commit_key.h"

namespace cdgate::bench {

using eventlog::CommitKey;

struct CommitRowsOptions {
  std::string directory = {};    // there already
  size_t file_bytes = 64 << 20;  // of a memtable, and of the file that it becomes
  // Records go to files of their own when a memtable is written, and rows only say where (BlobDB).
  bool blob_files = false;
  // Retention also deletes the rows that files keep it from dropping: exact to the commit. The
  // tombstones overlap what is kept, so that compaction rewrites it.
  bool delete_ranges = false;
  // Tests put faults between the database and the disk; null: the system's.
  std::shared_ptr<rocksdb::FileSystem> file_system = {};
};

class CommitRows {
 public:
  // Cuts a torn last write, and refuses damage before the end: LOG_CORRUPT names the file or the
  // commit. LOG_FORMAT_NEWER where a key is not one of ours; FILE_UNWRITABLE.
  static absl::StatusOr<std::unique_ptr<CommitRows>> Open(const CommitRowsOptions& options);

  // Durable on return. LOG_WRITE_FAILED: nothing can be written any more.
  absl::Status Put(const CommitKey& key, absl::string_view record);

  // Null where there is none.
  absl::StatusOr<event::CommitPtr> Newest() const;
  absl::StatusOr<std::optional<CommitKey>> Oldest() const;

  // As EventLog::Read, up to the commit with number `last`.
  absl::StatusOr<std::vector<event::CommitPtr>> Read(const eventlog::ReadFrom& from,
                                                     eventlog::ReadLimits limits,
                                                     uint64_t last) const;

  // Removes files that hold only commits before the one that contains `keep_from`, or the newest.
  absl::Status DropBefore(base::Sequence keep_from);
  // Puts what is in memory into a file of its own, and waits for what that makes the database do.
  absl::Status CloseFile();

  uint64_t bytes() const;

 private:
  explicit CommitRows(const CommitRowsOptions& options);
  absl::Status OpenDb();
  absl::Status CheckBlobFiles() const;
  absl::Status CheckComplete() const;
  absl::StatusOr<uint64_t> CountRows() const;
  absl::Status FindGap() const;
  std::unique_ptr<rocksdb::Iterator> NewIterator() const;
  absl::StatusOr<CommitKey> KeyOf(const rocksdb::Iterator& it) const;
  absl::Status DropRows(const rocksdb::Slice& limit);
  uint64_t Property(const std::string& name) const;

  const CommitRowsOptions options_;
  std::unique_ptr<rocksdb::Env> env_;  // null: the system's
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
};

// As rows have it, and back: none where `bytes` is no such key.
std::string EncodeKey(const CommitKey& key);
std::optional<CommitKey> DecodeKey(absl::string_view bytes);

}  // namespace cdgate::bench
