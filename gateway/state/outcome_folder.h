// What retention does before it removes events: makes a row of what became of each.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/fold.h"
#include "gateway/state/options.h"

namespace cdgate::state {

// For one thread at a time.
class OutcomeFolder {
 public:
  // Both outlive it. `fold_outcomes` as in StoreDeps; may be null.
  OutcomeFolder(eventlog::EventLog& log, Fold& fold, FoldOutcomes fold_outcomes)
      : log_(log), fold_(fold), fold_outcomes_(std::move(fold_outcomes)) {}

  // Removes commits all of whose events are older than `keep_from` and have durable rows, as
  // EventLog::Trim does. After an error (of `fold_outcomes`, of the log, LOG_WRITE_FAILED) nothing
  // that has no row was removed; rows made so far stay, and the next call goes on behind them.
  absl::Status Trim(base::Sequence keep_from);

 private:
  absl::Status MakeRows(base::Sequence keep_from);
  absl::Status MakePiece(absl::Span<const event::CommitPtr> commits);

  eventlog::EventLog& log_;
  Fold& fold_;
  const FoldOutcomes fold_outcomes_;
};

}  // namespace cdgate::state
