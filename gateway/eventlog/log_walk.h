// A walk over the events of a log, in either direction, in pieces of bounded size.
//
//   LogWalk walk(log, {.begin = from, .end = log.head().sequence.Next(), .newest_first = true});
//   for (;;) {
//     CDGATE_ASSIGN_OR_RETURN(const auto piece, walk.Next());
//     if (piece.empty()) break;
//     for (const LogWalk::Place& place : piece) Look(*place.record);
//   }
//
// A log is read forward, so a walk towards its beginning reads each piece forward and turns it
// round. It holds one piece: some 512 events or 2 MiB, in whole commits. What
// retention has removed, or removes meanwhile, is passed over, and so are gaps: where it is known
// (search_index.h) that nothing is that the walk is for. Not thread-safe; reads the disk.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

class LogWalk {
 public:
  // Events from `begin` on and before `end`.
  struct Range {
    base::Sequence begin = {};
    base::Sequence end = {};  // at most the head's + 1
    bool newest_first = false;
  };

  // An event and the commit that it is in.
  struct Place {
    const event::Record* record = nullptr;
    const event::Commit* commit = nullptr;
  };

  // Events that the walk is not for, from `begin` on and before `end`.
  struct Gap {
    base::Sequence begin = {};
    base::Sequence end = {};
  };
  // The gap that has this event; an empty one where none is known to.
  using Gaps = std::function<Gap(base::Sequence)>;

  // Commits from that which has the event on, in order, where they are at hand; else none:
  // Feed::FromTail(), say.
  using Recent = std::function<std::vector<event::CommitPtr>(base::Sequence, ReadLimits)>;

  // `log` outlives the walk, and so does what `gaps` and `recent` (may be null) know. What `recent`
  // has is not read from the log on the way forward.
  LogWalk(const EventLog& log, const Range& range, Gaps gaps = nullptr, Recent recent = nullptr)
      : log_(log), range_(range), gaps_(std::move(gaps)), recent_(std::move(recent)) {}

  // The next events in the direction of the walk, good until the next call; none at its end.
  // Errors of EventLog::Read but TRIMMED.
  absl::StatusOr<absl::Span<const Place>> Next();

 private:
  absl::Status ReadForward();
  absl::Status ReadFrom(base::Sequence begin);
  absl::Status ReadBackward();
  // The events of [begin, end) that the commits have.
  void Take(base::Sequence begin, base::Sequence end);
  void PassGaps();
  // Nothing before the log's first event is there any more.
  void PassTrimmed();

  const EventLog& log_;
  Range range_;  // what is left
  const Gaps gaps_;
  const Recent recent_;
  size_t step_ = 512;
  std::vector<event::CommitPtr> commits_;
  std::vector<Place> piece_;
};

}  // namespace cdgate::eventlog
