// How many events a second may cross, as a token bucket. Time is given, so that tests
// and simulations decide it.
//
//   RateLimit limit(policy->exports().limits);
//   const uint64_t n = limit.Take(wanted, clock.Monotonic());
//   if (n < wanted) timers.At(limit.NextAt(1), ...);
//
// Not thread-safe: it belongs to one direction of one link.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"

namespace cdgate::policy {

class RateLimit {
 public:
  // No limit.
  RateLimit() = default;
  // events_per_second 0: no limit; burst 0: as many as in one second. The bucket starts full.
  explicit RateLimit(const admin::v1::Limits& limits);

  bool unlimited() const { return rate_ == 0; }

  // Takes up to `wanted` events at `now`, and says how many may cross. `now` is a
  // monotonic time; one that goes back counts as the last.
  uint64_t Take(uint64_t wanted, absl::Duration now);
  // Returns `n` events that were taken and did not cross after all.
  void Return(uint64_t n);
  // When `n` events (at most the burst) can be taken, after the last Take.
  absl::Duration NextAt(uint64_t n) const;

  // A policy changed: the new rate holds from now on; what is saved stays, up to the new burst.
  void SetLimits(const admin::v1::Limits& limits);

 private:
  void Refill(absl::Duration now);

  // Billionths of an event, so that nothing is lost to rounding at nanoseconds.
  int64_t rate_ = 0;   // events a second: billionths a nanosecond
  int64_t burst_ = 0;  // most tokens
  int64_t tokens_ = 0;
  bool started_ = false;
  absl::Duration last_;  // up to when tokens were counted
};

}  // namespace cdgate::policy
