// What every log can do with the ten functions it has.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

// The commit that contains event `sequence`. TRIMMED, or NOT_FOUND beyond the head.
absl::StatusOr<event::CommitPtr> ReadCommitOf(const EventLog& log, base::Sequence sequence);

// The first event that was committed at or after `time`; head's + 1 where there is none
// yet, first()'s where all are later. A binary search: about 30 reads of one commit.
absl::StatusOr<base::Sequence> SequenceAt(const EventLog& log, absl::Time time);

}  // namespace cdgate::eventlog
