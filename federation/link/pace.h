// A token bucket over given times, so that it stays pure.
//
//   Pace pace(rate, now);
//   size_t n = pace.Available(now);   // events that may go now
//   pace.Take(n);
//   absl::Time when = pace.When(1);   // when one more may go
//
// A value; not thread-safe. Without a limit everything is always available.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "federation/link/config.h"

namespace cdgate::link {

class Pace {
 public:
  explicit Pace(const Rate& rate) { SetRate(rate); }

  // Begins anew with a full bucket where the rate differs.
  void SetRate(const Rate& rate) {
    if (rate == rate_) return;
    rate_ = rate;
    tokens_ = capacity();
  }

  bool limited() const { return rate_.events_per_second > 0; }
  uint64_t capacity() const {
    return std::max<uint64_t>(1, rate_.burst > 0 ? rate_.burst : rate_.events_per_second);
  }

  // Events that may go at `now`; no more than `most`.
  uint64_t Available(absl::Time now, uint64_t most) {
    if (!limited()) return most;
    Refill(now);
    return std::min<uint64_t>(most, static_cast<uint64_t>(std::max(0.0, tokens_)));
  }

  void Take(uint64_t events) {
    if (limited()) tokens_ -= static_cast<double>(events);
  }

  // What was taken and will not go.
  void Return(uint64_t events) {
    if (limited()) tokens_ = std::min(tokens_ + static_cast<double>(events), Full());
  }

  // When `events` (at most capacity()) will be available, as of the last Available().
  absl::Time When(uint64_t events) const {
    const double missing = static_cast<double>(events) - tokens_;
    if (!limited() || missing <= 0) return filled_;
    // Rounded up, so that waking then always finds them.
    return filled_ + absl::Seconds(missing / rate_.events_per_second) + absl::Milliseconds(1);
  }

 private:
  double Full() const { return static_cast<double>(capacity()); }
  void Refill(absl::Time now) {
    if (now <= filled_) return;
    if (filled_ != absl::InfinitePast()) {
      tokens_ += absl::ToDoubleSeconds(now - filled_) * rate_.events_per_second;
      tokens_ = std::min(tokens_, Full());
    }
    filled_ = now;
  }

  Rate rate_;
  double tokens_ = 0;
  absl::Time filled_ = absl::InfinitePast();
};

// Both directions of a peer. What is left goes over from one link to the next: who connects again
// does not get a burst each time.
struct Paces {
  Pace imports{Rate{}};
  Pace exports{Rate{}};
};

}  // namespace cdgate::link
