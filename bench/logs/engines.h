// The logs that are compared, by name:
//   rocksdb, blobs                 RocksDB for everything; with blob files. Retention drops files
//   rocksdb-ranges, blobs-ranges   the same, and retention deletes the rest of the rows
//   segments                       the log in segment files, as the gateway has it
//   zero-filled                    the same in files that were filled with zeros beforehand
//
//   CDGATE_ASSIGN_OR_RETURN(auto engine, bench::OpenEngine("blobs", {.directory = dir}, clock));
//   engine->log().Append(...);
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/clock.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::bench {

class Engine {
 public:
  virtual ~Engine() = default;
  virtual eventlog::EventLog& log() = 0;
  // Ends the file that is being filled and waits for what that makes the log do; one in segments
  // only where it is older than a day by the clock.
  virtual absl::Status CloseFile() = 0;
};

struct EngineOptions {
  std::string directory = {};    // of this log alone
  size_t file_bytes = 64 << 20;  // a multiple of a MiB
};

// INVALID_ARGUMENT for a name that is none; else what the log's Open says. `clock` outlives it.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(absl::string_view name,
                                                   const EngineOptions& options,
                                                   base::Clock& clock);

}  // namespace cdgate::bench
