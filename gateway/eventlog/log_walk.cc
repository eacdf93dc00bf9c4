#include "gateway/eventlog/log_walk.h"

#include <algorithm>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::eventlog {
namespace {

constexpr size_t kMostEvents = 512;
constexpr size_t kMostBytes = 2 << 20;

}  // namespace

absl::StatusOr<absl::Span<const LogWalk::Place>> LogWalk::Next() {
  piece_.clear();
  PassTrimmed();
  PassGaps();
  while (piece_.empty() && range_.begin < range_.end) {
    const absl::Status read = range_.newest_first ? ReadBackward() : ReadForward();
    if (read.ok()) {
      PassGaps();
      continue;
    }
    if (base::ReasonOf(read) != base::Reason::kTrimmed) return read;
    // Between the look at the log's beginning and the read.
    PassTrimmed();
  }
  return absl::MakeConstSpan(piece_);
}

absl::Status LogWalk::ReadFrom(base::Sequence begin) {
  constexpr ReadLimits kLimits = {.max_events = kMostEvents, .max_bytes = kMostBytes};
  if (recent_) commits_ = recent_(begin, kLimits);
  if (recent_ && !commits_.empty()) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(commits_, log_.Read({.sequence = begin}, kLimits));
  return absl::OkStatus();
}

absl::Status LogWalk::ReadForward() {
  CDGATE_RETURN_IF_ERROR(ReadFrom(range_.begin));
  if (commits_.empty()) {
    range_.begin = range_.end;
    return absl::OkStatus();
  }
  const base::Sequence next = commits_.back()->last_sequence.Next();
  Take(range_.begin, range_.end);
  range_.begin = std::max(next, range_.begin);
  return absl::OkStatus();
}

absl::Status LogWalk::ReadBackward() {
  const uint64_t left = range_.end.value() - range_.begin.value();
  base::Sequence from(range_.end.value() - std::min<uint64_t>(left, step_));
  CDGATE_ASSIGN_OR_RETURN(
      commits_, log_.Read({.sequence = from}, {.max_events = step_, .max_bytes = kMostBytes}));
  if (commits_.empty()) {
    range_.end = range_.begin;
    return absl::OkStatus();
  }
  const bool whole = commits_.back()->last_sequence.Next() >= range_.end;
  if (!whole && step_ > 1) {
    step_ = std::max<size_t>(1, step_ / 4);  // large events: their bytes end the read
    return absl::OkStatus();
  }
  // The whole of the first commit, so that a large one is read once.
  from = std::max(range_.begin, commits_.front()->first_sequence);
  Take(from, range_.end);
  std::reverse(piece_.begin(), piece_.end());
  range_.end = from;
  step_ = std::min(kMostEvents, step_ * 2);
  return absl::OkStatus();
}

void LogWalk::Take(base::Sequence begin, base::Sequence end) {
  for (const event::CommitPtr& commit : commits_) {
    for (const event::Record& record : commit->events) {
      if (record.sequence() < begin || record.sequence() >= end) continue;
      piece_.push_back({.record = &record, .commit = commit.get()});
    }
  }
}

void LogWalk::PassGaps() {
  while (gaps_ && range_.begin < range_.end) {
    const base::Sequence at =
        range_.newest_first ? base::Sequence(range_.end.value() - 1) : range_.begin;
    const Gap gap = gaps_(at);
    if (gap.begin >= gap.end) return;
    if (range_.newest_first) {
      range_.end = std::max(range_.begin, gap.begin);
    } else {
      range_.begin = std::min(range_.end, gap.end);
    }
  }
}

void LogWalk::PassTrimmed() {
  const base::Sequence first = log_.first().sequence;
  range_.begin = std::max(range_.begin, first);
  range_.end = std::max(range_.begin, range_.end);
}

}  // namespace cdgate::eventlog
