// Rows in a RocksDB without a write-ahead log: what the log of commits can make again
// need not be synced twice. Tables are column families, flushed together, so that the
// rows and the number of the last commit in them agree after a crash.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

struct RocksKvOptions {
  std::string directory = {};  // made with mode 0700
  RowExpired expired = {};     // empty: nothing ever is
  // At this age a file is rewritten without the rows that have expired.
  absl::Duration tidy_period = absl::Hours(24 * 7);
  size_t cache_bytes = 8 << 20;
  bool flush_on_close = true;  // false: as if the process died, for tests
};

class RocksKv final : public KvStore {
 public:
  // LOG_CORRUPT where the database is damaged, FILE_UNWRITABLE where the system refuses.
  static absl::StatusOr<std::unique_ptr<RocksKv>> Open(const RocksKvOptions& options);
  ~RocksKv() override;

  std::unique_ptr<KvBatch> NewBatch() const override;
  absl::Status Write(KvBatch& batch) override;
  absl::Status WriteSorted(Table table, NextRow next) override;
  absl::StatusOr<bool> Get(Table table, absl::string_view key, std::string* value) const override;
  absl::Status MultiGet(Table table, absl::Span<const absl::string_view> keys,
                        std::vector<std::string>* values, std::vector<bool>* found) const override;
  absl::Status Scan(Table table, absl::string_view begin, absl::string_view end,
                    Row row) const override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      Table table, absl::string_view key) const override;
  absl::Status Flush() override;

  // A copy of everything written so far in a new folder `directory` of the same file system: files
  // that never change are there by a second name. Open() opens it. May run beside everything else;
  // FILE_UNWRITABLE, and nothing is left there.
  absl::Status Checkpoint(const std::string& directory);

  // Rewrites everything now, without the rows that have expired. Blocks.
  absl::Status Tidy();

 private:
  class Impl;
  explicit RocksKv(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::state
