// How busy the processors are, as one thread finds them.
//
//   const absl::Duration before = base::ThreadRunDelay();
//   ...
//   base::ThreadRunDelay() - before;  // of that time the thread was kept from running
#pragma once

#include "absl/time/time.h"

namespace cdgate::base {

// For how long the calling thread has been ready to run while the processors ran others, since it
// began. Zero where the system does not say (Linux does: sched-stats.rst, /proc/PID/schedstat).
// A microsecond; thread-safe.
absl::Duration ThreadRunDelay();

}  // namespace cdgate::base
