#include "bench/logs/engines.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/logs/rocks_log.h"
#include "bench/logs/zero_filled_disk.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/random.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/segments/segment_log.h"

namespace cdgate::bench {
namespace {

using eventlog::EventLog;
using eventlog::SegmentLog;

class RocksEngine final : public Engine {
 public:
  explicit RocksEngine(std::unique_ptr<RocksLog> log) : log_(std::move(log)) {}
  EventLog& log() override { return *log_; }
  absl::Status CloseFile() override { return log_->CloseFile(); }

 private:
  const std::unique_ptr<RocksLog> log_;
};

class SegmentEngine final : public Engine {
 public:
  SegmentEngine(std::unique_ptr<eventlog::Disk> disk, std::unique_ptr<SegmentLog> log)
      : disk_(std::move(disk)), log_(std::move(log)) {}
  EventLog& log() override { return *log_; }
  absl::Status CloseFile() override { return log_->Trim(base::Sequence(0)); }

 private:
  const std::unique_ptr<eventlog::Disk> disk_;  // null: the system's
  const std::unique_ptr<SegmentLog> log_;
};

absl::StatusOr<std::unique_ptr<Engine>> OpenRocks(absl::string_view name,
                                                  const EngineOptions& options,
                                                  base::Clock& clock) {
  CDGATE_ASSIGN_OR_RETURN(auto log,
                          RocksLog::Open({.directory = options.directory,
                                          .file_bytes = options.file_bytes,
                                          .blob_files = absl::StartsWith(name, "blobs"),
                                          .delete_ranges = absl::EndsWith(name, "-ranges")},
                                         clock, base::SystemRandom()));
  return std::make_unique<RocksEngine>(std::move(log));
}

absl::StatusOr<std::unique_ptr<Engine>> OpenSegments(std::unique_ptr<eventlog::Disk> disk,
                                                     const EngineOptions& options,
                                                     base::Clock& clock) {
  CDGATE_ASSIGN_OR_RETURN(auto log, SegmentLog::Open({.directory = options.directory,
                                                      .file_bytes = options.file_bytes,
                                                      .disk = disk.get()},
                                                     clock, base::SystemRandom()));
  return std::make_unique<SegmentEngine>(std::move(disk), std::move(log));
}

// Beside the log: nothing else may be in its directory.
std::unique_ptr<eventlog::Disk> ZeroFilled(const EngineOptions& options) {
  return std::make_unique<ZeroFilledDisk>(options.directory + ".spare", options.file_bytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(absl::string_view name,
                                                   const EngineOptions& options,
                                                   base::Clock& clock) {
  if (name == "segments") return OpenSegments(nullptr, options, clock);
  if (name == "zero-filled") return OpenSegments(ZeroFilled(options), options, clock);
  for (const absl::string_view known : {"rocksdb", "rocksdb-ranges", "blobs", "blobs-ranges"}) {
    if (name == known) return OpenRocks(name, options, clock);
  }
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat("no log is called ", name));
}

}  // namespace cdgate::bench
