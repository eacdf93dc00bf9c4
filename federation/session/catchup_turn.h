// One direction of a session, waiting for its turn to catch up (catchup_share.h).
//
//   if (!turn_.Begin(event.accepted_time_nanos(), [this] { GoOn(); })) return;   // later
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "federation/session/catchup_share.h"
#include "federation/session/session_types.h"

namespace cdgate::session {

class CatchupTurn {
 public:
  CatchupTurn(const SessionDeps& deps, Poster post) : deps_(deps), post_(std::move(post)) {}
  ~CatchupTurn() { Cancel(); }
  CatchupTurn(const CatchupTurn&) = delete;
  CatchupTurn& operator=(const CatchupTurn&) = delete;

  // True where work on an event that its origin accepted then may go on now. Else `step` runs
  // when it may, on the strand; what it waited for before is forgotten.
  bool Begin(int64_t accepted_time_nanos, std::function<void()> step) {
    if (deps_.catchup == nullptr) return true;
    const absl::Duration now = deps_.clock.Monotonic();
    if (!CatchupShare::IsBacklog(absl::FromUnixNanos(accepted_time_nanos), deps_.clock.Now())) {
      deps_.catchup->NoteLive(now);
      return true;
    }
    return BeginBacklog(std::move(step));
  }
  // The same of something that is always behind newer events.
  bool BeginBacklog(std::function<void()> step) {
    if (deps_.catchup == nullptr) return true;
    const absl::Duration now = deps_.clock.Monotonic();
    const absl::Duration turn = deps_.catchup->NextTurn(now);
    if (turn <= now) return true;
    Cancel();
    timer_ = deps_.timers.At(turn, [this, post = post_, step = std::move(step)] {
      post([this, step] {
        if (std::exchange(timer_, 0) != 0) step();
      });
    });
    return false;
  }
  bool waiting() const { return timer_ != 0; }
  void Cancel() { deps_.timers.Cancel(std::exchange(timer_, 0)); }

 private:
  const SessionDeps& deps_;
  const Poster post_;
  base::TimerQueue::Id timer_ = 0;  // 0: nothing waits
};

}  // namespace cdgate::session
