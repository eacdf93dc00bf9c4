// What is done about a log that RocksDB refuses to open.
#pragma once

#include <rocksdb/status.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::bench {

// After RocksDB called the database in `directory` corrupt. Where the only damage is in
// the last record of the newest write-ahead log, which was never acknowledged, cuts it
// off: OK, open again. Otherwise LOG_CORRUPT, naming file and place; nothing was changed.
absl::Status CutTornTail(const std::string& directory, const rocksdb::Status& refusal);

// LOG_CORRUPT with what to do, or FILE_UNWRITABLE.
absl::Status Unopenable(const std::string& directory, const rocksdb::Status& refusal);

// OK, FILE_UNWRITABLE or LOG_CORRUPT; `what` was done when it failed.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what);

// LOG_CORRUPT: commit `number` is not where it should be.
absl::Status MissingCommit(uint64_t number);

}  // namespace cdgate::bench
