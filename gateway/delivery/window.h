// What a subscription has delivered and not had acknowledged, and what it still has to
// look at: the flow control of one stream, as a value without I/O.
//
//   Window window({.max_events = 1000, .max_bytes = 8 << 20}, base::Sequence(42));
//   window.Offer(commits);                            // from the feed
//   while (auto frame = window.Next(scope)) Send(frame->batch);
//   CDGATE_RETURN_IF_ERROR(window.Acknowledge(sequence));
//   if (window.hungry()) feed.Next(window.next(), ...);
//
// It holds at most what one answer of the feed brought, and 16 bytes for each event
// outstanding. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gateway/base/types.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/event/record.h"

namespace cdgate::delivery {

// A frame is closed once it has so many bytes, if nothing else is said.
inline constexpr size_t kFrameBytes = 64 * 1024;

struct WindowLimits {
  size_t max_events = 1000;     // outstanding; at least 1
  size_t max_bytes = 8 << 20;   // outstanding; an event larger than this goes alone
  uint64_t total = UINT64_MAX;  // deliver so many and no more
  bool auto_ack = false;        // nothing is outstanding once it is delivered
  bool one_per_frame = false;   // for Watch
};

class Window {
 public:
  struct Frame {
    std::vector<const event::Record*> records;  // in order; valid until Release
    size_t bytes = 0;
  };

  // Delivers what comes after `after`.
  Window(WindowLimits limits, base::Sequence after)
      : limits_(limits), scanned_(after), delivered_(after), acknowledged_(after) {}

  // Takes what the feed answered to next(); only when hungry().
  void Offer(std::vector<event::CommitPtr> commits);

  // The next events to deliver that `scope` covers, as many as fit a frame and the
  // window; none where there are none or no room is left. They count as delivered.
  std::optional<Frame> Next(ReadScope& scope, size_t frame_bytes = kFrameBytes);
  // Lets go of what was offered, looked at or not: nothing of the log is held for a consumer
  // that does not read or acknowledge. Then the feed is asked again.
  void Release();

  // Nothing through `sequence` is to be delivered, as somebody else found out. Only when hungry().
  void SkipThrough(base::Sequence sequence) { scanned_ = std::max(scanned_, sequence); }

  // Everything up to `sequence` is acknowledged. INVALID_ARGUMENT for what was not
  // delivered; less than before changes nothing.
  absl::Status Acknowledge(base::Sequence sequence);

  // True where all that was offered is looked at or released, and more may be delivered.
  bool hungry() const { return commit_ == commits_.size() && !blocked_ && !complete(); }
  // True once `total` events are delivered.
  bool complete() const { return count_ >= limits_.total; }
  // True where the next event waits for an acknowledgement.
  bool blocked() const { return blocked_; }
  size_t outstanding() const { return outstanding_.size(); }

  // The first sequence not looked at yet.
  base::Sequence next() const { return scanned_.Next(); }
  // Everything up to here was delivered or does not match.
  base::Sequence scanned() const { return scanned_; }
  base::Sequence delivered() const { return delivered_; }
  base::Sequence acknowledged() const { return acknowledged_; }

 private:
  struct Outstanding {
    base::Sequence sequence;
    size_t bytes;
  };
  bool Full() const;
  bool HasRoom(const event::Record& record, const Frame& frame) const;
  bool Scan(const event::Commit& commit, ReadScope& scope, Frame* frame);
  void Deliver(const event::Record& record, Frame* frame);

  const WindowLimits limits_;
  size_t frame_bytes_ = kFrameBytes;  // of the frame that is being filled
  std::vector<event::CommitPtr> commits_;
  size_t commit_ = 0;  // looked at before this one
  size_t record_ = 0;  // and before this one of its events
  std::deque<Outstanding> outstanding_;
  size_t outstanding_bytes_ = 0;
  bool blocked_ = false;  // the next event waits for an acknowledgement
  uint64_t count_ = 0;
  base::Sequence scanned_;
  base::Sequence delivered_;
  base::Sequence acknowledged_;
};

}  // namespace cdgate::delivery
