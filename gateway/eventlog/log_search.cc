#include "gateway/eventlog/log_search.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::eventlog {

absl::StatusOr<event::CommitPtr> ReadCommitOf(const EventLog& log, base::Sequence sequence) {
  if (sequence.value() == 0 || sequence > log.head().sequence) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("no event has sequence ", sequence.value()));
  }
  CDGATE_ASSIGN_OR_RETURN(const std::vector<event::CommitPtr> commits,
                          log.Read({.sequence = sequence}, {.max_events = 1, .max_bytes = 1}));
  return commits.front();
}

absl::StatusOr<base::Sequence> SequenceAt(const EventLog& log, absl::Time time) {
  // Invariant: what is before `low` was committed before `time`, `high` was not, or is
  // the sequence that comes next.
  base::Sequence low = log.first().sequence;
  base::Sequence high = log.head().sequence.Next();
  while (low < high) {
    const base::Sequence middle(low.value() + (high.value() - low.value()) / 2);
    CDGATE_ASSIGN_OR_RETURN(const event::CommitPtr commit, ReadCommitOf(log, middle));
    if (commit->commit_time < time) {
      low = commit->last_sequence.Next();
    } else {
      high = commit->first_sequence < low ? low : commit->first_sequence;
    }
  }
  return low;
}

}  // namespace cdgate::eventlog
