// One direction of a session, waiting for its turn to catch up (catchup_share.h).
//
//   if (!turn_.Begin(event.accepted_time_nanos(), [this] { GoOn(); })) return;   // later
//   Decide(turn_.AtOnce(max_events));
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "federation/session/catchup_share.h"
#include "federation/session/session_types.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::session {

class CatchupTurn {
 public:
  // `share`: null: backlogs wait for nothing. All outlive it.
  CatchupTurn(CatchupShare* share, const base::Clock& clock, base::TimerQueue& timers, Poster post)
      : share_(share), clock_(clock), timers_(timers), post_(std::move(post)) {}
  ~CatchupTurn() { Cancel(); }
  CatchupTurn(const CatchupTurn&) = delete;
  CatchupTurn& operator=(const CatchupTurn&) = delete;

  // True where work on an event that its origin accepted then may go on now. Else `step` runs
  // when it may, on the strand; what it waited for before is forgotten.
  bool Begin(int64_t accepted_time_nanos, std::function<void()> step) {
    if (share_ == nullptr) return true;
    const absl::Duration now = clock_.Monotonic();
    backlog_ = CatchupShare::IsBacklog(absl::FromUnixNanos(accepted_time_nanos), clock_.Now());
    if (!backlog_) {
      share_->NoteLive(now);
      return true;
    }
    return BeginBacklog(std::move(step));
  }
  // The same of something that is always behind newer events.
  bool BeginBacklog(std::function<void()> step) {
    if (share_ == nullptr || std::exchange(begun_, false)) return true;
    backlog_ = true;
    const absl::Duration now = clock_.Monotonic();
    const absl::Duration turn = share_->NextTurn(now);
    if (turn <= now) return true;
    Cancel();
    timer_ = timers_.At(turn, [this, turn, post = post_, step = std::move(step)] {
      post([this, turn, step] {
        if (std::exchange(timer_, 0) == 0) return;
        // It has waited, and goes on however late it is: the next one is put off.
        share_->NoteBegun(turn, clock_.Monotonic());
        begun_ = true;
        step();
      });
    });
    return false;
  }
  // How many events to take at once, of those that the last Begin() was about.
  size_t AtOnce(size_t most) const {
    const bool few = backlog_ && share_->Yields(clock_.Monotonic());
    return few ? std::min(most, CatchupShare::kEventsAtOnce) : most;
  }
  bool waiting() const { return timer_ != 0; }
  void Cancel() {
    begun_ = false;
    timers_.Cancel(std::exchange(timer_, 0));
  }

 private:
  CatchupShare* const share_;
  const base::Clock& clock_;
  base::TimerQueue& timers_;
  const Poster post_;
  bool backlog_ = false;
  bool begun_ = false;              // a turn that was waited for, and nothing was done in it
  base::TimerQueue::Id timer_ = 0;  // 0: nothing waits
};

}  // namespace cdgate::session
