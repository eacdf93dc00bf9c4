// Time, injected. Nothing outside this file and the composition root reads the
// system's clocks, so that tests decide what time it is.
//
// Now() is wall time for records, certificates and people; it may jump.
// Monotonic() only ever grows and is for timeouts and measured durations; its zero
// has no meaning. Thread-safe.
#pragma once

#include "absl/time/time.h"

namespace cdgate::base {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  virtual absl::Duration Monotonic() const = 0;
};

// The machine's clocks. Lives as long as the process.
Clock& SystemClock();

}  // namespace cdgate::base
