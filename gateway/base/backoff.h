// Delay before the next try: exponential, capped, with full jitter, so that a
// thousand links cut at once do not come back at once.
//
//   Backoff backoff({.first = absl::Milliseconds(100), .cap = absl::Seconds(30)});
//   absl::Duration wait = backoff.Next(random.Unit());   // in [first/2, first]
//   backoff.Reset();                                     // after a success
//
// A value; not thread-safe.
#pragma once

#include "absl/time/time.h"

namespace cdgate::base {

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(100);
  absl::Duration cap = absl::Seconds(30);
  double factor = 2.0;
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options) : options_(options), ceiling_(options.first) {}

  // The next delay, in [ceiling/2, ceiling], where the ceiling grows by `factor` up to
  // `cap` with every call. `unit` is uniform in [0, 1).
  absl::Duration Next(double unit);
  void Reset() { ceiling_ = options_.first; }

 private:
  BackoffOptions options_;
  absl::Duration ceiling_;
};

}  // namespace cdgate::base
