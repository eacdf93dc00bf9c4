// How much one principal may ask of the gateway: calls and published events a second, over all its
// connections, listeners and streams. What a connection or an address may do, the guard bounds.
//
//   PrincipalRates rates({.calls = {.per_second = 100, .burst = 200}, .clock = clock, ...});
//   CDGATE_RETURN_IF_ERROR(rates.TakeCall(principal));             // RATE_EXCEEDED
//   const RateAccountPtr account = rates.AccountOf(principal);     // once for a stream
//   const absl::Duration wait = rates.Charge(account, events);     // read on after so long
//
// Each principal has two token buckets, each a single number that is changed without a lock: a
// call costs a lookup in one of sixteen tables (50 ns), a message of a stream, however many events
// it has, one exchange (20 ns). A bucket that is full again says nothing that a new one would not,
// so idle principals are forgotten. Above max_principals at once, those that are new share one
// account, and so can only get less.
//
// Local users, who come by the Unix socket, are not bounded: they are who mends things.
// Thread-safe; nothing blocks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"

namespace cdgate::rpc {

struct RateBound {
  uint32_t per_second = 0;  // on average, at most 1,000,000; 0: no bound
  uint32_t burst = 0;       // at once; 0: as many as in one second
};

// A token bucket in one number: when it would be full (the generic cell rate algorithm).
class RateBucket {
 public:
  // Takes `n` where at least one is there, be it fewer than `n`: what was taken beyond is owed.
  // Zero where they were taken, else how long until one is there.
  absl::Duration Take(const RateBound& bound, uint64_t n, absl::Duration now);
  // Takes `n` in any case. How long until one is there again; zero: there is one.
  absl::Duration Charge(const RateBound& bound, uint64_t n, absl::Duration now);
  // The same without taking any.
  absl::Duration Wait(const RateBound& bound, absl::Duration now) const;
  bool IsFull(absl::Duration now) const;

 private:
  std::atomic<int64_t> full_at_{0};  // monotonic, nanoseconds
};

// Of one principal.
struct RateAccount {
  RateBucket calls;
  RateBucket events;
};
// Null: not bounded.
using RateAccountPtr = std::shared_ptr<RateAccount>;

class PrincipalRates {
 public:
  struct Options {
    RateBound calls = {};
    RateBound events = {};
    size_t max_principals = 16384;
    const base::Clock& clock;  // outlives it, as does what follows
    base::Metrics& metrics;
  };
  explicit PrincipalRates(const Options& options);

  // RATE_EXCEEDED, with when to try again (base::RetryAfterOf).
  absl::Status TakeCall(const authz::Principal& principal);
  // The same of events that are published by one call. A call goes through as a whole, also where
  // it has more than are there: the principal owes them.
  absl::Status TakeEvents(const authz::Principal& principal, uint64_t events);

  // For a stream, which keeps it: null where events are not bounded.
  RateAccountPtr AccountOf(const authz::Principal& principal);
  // Of events that a stream has brought: how long nothing more is to be read from it; zero: read
  // on.
  absl::Duration Charge(const RateAccountPtr& account, uint64_t events);
  // For how much longer; for who has waited, as others may have used up what there was.
  absl::Duration Wait(const RateAccountPtr& account) const;

  // Principals that are remembered.
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    base::Mutex mu;
    absl::flat_hash_map<std::string, RateAccountPtr> accounts CDGATE_GUARDED_BY(mu);
    absl::Duration swept CDGATE_GUARDED_BY(mu) = -absl::InfiniteDuration();
  };
  RateAccountPtr Find(const authz::Principal& principal, absl::Duration now);
  // Forgets those that are as good as new and that nobody holds.
  void Sweep(Shard& shard, absl::Duration now) CDGATE_REQUIRES(shard.mu);
  absl::Status Exceeded(const authz::Principal& principal, const char* what, const RateBound& bound,
                        absl::Duration wait, base::Counter& counter) const;

  const Options options_;
  base::Counter& refused_calls_;
  base::Counter& refused_events_;
  base::Counter& paused_;
  base::Counter& shared_uses_;
  base::Gauge& remembered_;
  const RateAccountPtr shared_ = std::make_shared<RateAccount>();
  std::vector<Shard> shards_{kShards};
  std::atomic<size_t> size_{0};
};

}  // namespace cdgate::rpc
