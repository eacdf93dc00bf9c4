// RocksDB's errors as ours.
#pragma once

#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::eventlog {

// LOG_CORRUPT for damage, FILE_UNWRITABLE for everything the system refused. `what`
// says what was tried and names the place.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view what);

}  // namespace cdgate::eventlog
