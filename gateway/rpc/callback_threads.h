// The threads that gRPC runs callbacks on, client's and server's alike.
//
// gRPC starts them with the first channel or server that needs them and joins them with
// the last. A call's end may hold the last channel and drops it in a callback; then one of
// these threads would join itself and gRPC would abort.
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::rpc {

// From the first call on the threads live as long as the process. Thread-safe, cheap.
// Everything here that makes a channel calls it.
void KeepCallbackThreads();

// Has something to do for the threads, for as long as it lives. A thread of gRPC 1.51 that
// had nothing to do for a second sleeps for 100 ms, whatever comes meanwhile; when all of
// them do, and they fall into step, a message waits so long. Whoever handles a beat is
// awake until after the next.
//
//   rpc::CallbackBeat beat(clock, timers);
//
// Thread-safe. Its destructor does not wait for a beat under way.
class CallbackBeat {
 public:
  static constexpr absl::Duration kInterval = absl::Milliseconds(400);

  // Both outlive it.
  CallbackBeat(base::Clock& clock, base::TimerQueue& timers);
  ~CallbackBeat();
  CallbackBeat(const CallbackBeat&) = delete;
  CallbackBeat& operator=(const CallbackBeat&) = delete;

 private:
  class Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace cdgate::rpc
