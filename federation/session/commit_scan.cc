#include "federation/session/commit_scan.h"

#include "gateway/base/status_macros.h"
#include "gateway/eventlog/log_search.h"

namespace cdgate::session {

absl::Status CommitScan::Begin(absl::Time from) {
  const eventlog::First first = log_.first();
  last_commit_ = log_.head().commit;
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence at, eventlog::SequenceAt(log_, from));
  next_ = {.sequence = first.sequence, .commit = first.commit};
  // Commits without events may lie before the one of `at`: from the event before it on.
  if (at > first.sequence) next_ = {.sequence = base::Sequence(at.value() - 1), .commit = 0};
  return absl::OkStatus();
}

absl::StatusOr<std::vector<event::CommitPtr>> CommitScan::Next() {
  if (next_.commit > last_commit_) return std::vector<event::CommitPtr>();
  CDGATE_ASSIGN_OR_RETURN(auto commits, log_.Read(next_, {.max_events = kScanEvents}));
  if (!commits.empty()) {
    const event::Commit& last = *commits.back();
    next_ = {.sequence = last.last_sequence.Next(), .commit = last.number + 1};
  }
  return commits;
}

absl::StatusOr<absl::Time> KeptSince(const eventlog::EventLog& log) {
  const eventlog::First first = log.first();
  if (first.commit <= 1) return absl::InfinitePast();
  CDGATE_ASSIGN_OR_RETURN(
      const auto commits,
      log.Read({.sequence = first.sequence, .commit = first.commit}, {.max_events = 1}));
  return commits.empty() ? absl::InfinitePast() : commits.front()->commit_time;
}

}  // namespace cdgate::session
