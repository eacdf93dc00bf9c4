// The RocksDB that holds commit records, and nothing that knows what is in them beyond
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
#include "absl/time/time.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/rocksdb/commit_key.h"

namespace rocksdb {
class FileSystem;
}

namespace cdgate::eventlog {

struct CommitDbOptions {
  std::string directory = {};
  size_t file_bytes = 0;
  size_t cache_bytes = 0;
  std::shared_ptr<rocksdb::FileSystem> file_system = {};  // null: the system's
};

class CommitDb {
 public:
  // Cuts a torn last write, and refuses damage before the end: LOG_CORRUPT names the
  // file or the commit. LOG_FORMAT_NEWER where a key is not one of ours.
  static absl::StatusOr<std::unique_ptr<CommitDb>> Open(const CommitDbOptions& options);
  virtual ~CommitDb() = default;

  // Durable on return. LOG_WRITE_FAILED: nothing can be written any more.
  virtual absl::Status Put(const CommitKey& key, absl::string_view record) = 0;

  // Null where the log is empty.
  virtual absl::StatusOr<event::CommitPtr> Newest() const = 0;
  virtual absl::StatusOr<std::optional<CommitKey>> Oldest() const = 0;

  // As EventLog::Read, up to the commit with number `last`.
  virtual absl::StatusOr<std::vector<event::CommitPtr>> Read(const ReadFrom& from,
                                                             ReadLimits limits,
                                                             uint64_t last) const = 0;

  // Removes files that hold only commits before the one that contains `keep_from`.
  virtual absl::Status DropFilesBefore(base::Sequence keep_from) = 0;
  // Puts what is in memory into a file of its own.
  virtual absl::Status CloseFile() = 0;

  virtual uint64_t bytes() const = 0;
};

}  // namespace cdgate::eventlog
