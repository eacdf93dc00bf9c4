// One direction of a session, waiting for its turn to catch up (catchup_share.h).
//
//   if (!turn_.Begin(event.accepted_time_nanos(), [this] { GoOn(); })) return;   // later
//   Decide(turn_.AtOnce(max_events));
//   turn_.End();
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
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
    begun_.reset();
    if (share_ == nullptr) return true;
    if (CatchupShare::IsBacklog(absl::FromUnixNanos(accepted_time_nanos), clock_.Now())) {
      return BeginBacklog(std::move(step));
    }
    share_->NoteLive(clock_.Monotonic());
    return true;
  }
  // The same of something that is always behind newer events.
  bool BeginBacklog(std::function<void()> step) {
    begun_.reset();
    if (share_ == nullptr) return true;
    const absl::Duration now = clock_.Monotonic();
    const absl::Duration turn = share_->NextTurn(now);
    if (turn <= now) {
      if (share_->Yields(now)) begun_ = now;
      return true;
    }
    Cancel();
    timer_ = timers_.At(turn, [this, turn, post = post_, step = std::move(step)] {
      post([this, turn, step] {
        if (std::exchange(timer_, 0) == 0) return;
        share_->NoteTurn(turn, clock_.Monotonic());
        step();
      });
    });
    return false;
  }
  // How many events to take at once, of those that the last Begin() was about.
  size_t AtOnce(size_t most) const {
    return begun_ ? std::min(most, CatchupShare::kEventsAtOnce) : most;
  }
  // What Begin() allowed is done; before anything that may begin again.
  void End() {
    if (!begun_) return;
    share_->NoteWork(*begun_, clock_.Monotonic());
    begun_.reset();
  }
  bool waiting() const { return timer_ != 0; }
  void Cancel() { timers_.Cancel(std::exchange(timer_, 0)); }

 private:
  CatchupShare* const share_;
  const base::Clock& clock_;
  base::TimerQueue& timers_;
  const Poster post_;
  std::optional<absl::Duration> begun_;  // work that yields to what is new
  base::TimerQueue::Id timer_ = 0;       // 0: nothing waits
};

}  // namespace cdgate::session
