// Reads the commits of our log from about a time on to the head, a piece at a time, so that
// whoever reads much of it can let others run in between.
//
//   CommitScan scan(log);
//   CDGATE_RETURN_IF_ERROR(scan.Begin(from));
//   for (;;) {
//     CDGATE_ASSIGN_OR_RETURN(auto commits, scan.Next());
//     if (commits.empty()) break;
//   }
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::session {

// Events of one piece, about.
inline constexpr size_t kScanEvents = 256;

// Not thread-safe. Errors are those of the log.
class CommitScan {
 public:
  // `log` outlives it.
  explicit CommitScan(const eventlog::EventLog& log) : log_(log) {}

  // (disk) From the first commit at or after `from` on, or from one before. Ends at the head of
  // this moment.
  absl::Status Begin(absl::Time from);
  // (disk) The next ones; none: that is all.
  absl::StatusOr<std::vector<event::CommitPtr>> Next();

 private:
  const eventlog::EventLog& log_;
  eventlog::ReadFrom next_;
  uint64_t last_commit_ = 0;
};

// (disk) When the first commit that `log` keeps was made; the infinite past where retention has
// removed none yet.
absl::StatusOr<absl::Time> KeptSince(const eventlog::EventLog& log);

}  // namespace cdgate::session
