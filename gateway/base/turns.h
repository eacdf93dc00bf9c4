// How the processors are shared between threads.
#pragma once

#include "absl/time/time.h"

namespace cdgate::base {

// From now on the calling thread runs in long turns: it gets as much of the processors as before,
// and gives way at once to a thread that wakes. For work that nobody waits for, so that it does
// not stand in the way of an event. Where the system knows no lengths of turns (Linux does since
// 6.12: sched_attr's sched_runtime), nothing changes. Thread-safe.
void TakeLongTurns();

// Of the calling thread, as the system says; zero: it does not.
absl::Duration LengthOfTurns();

}  // namespace cdgate::base
