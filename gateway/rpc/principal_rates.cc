#include "gateway/rpc/principal_rates.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::rpc {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Between two looks for idle principals in one table.
constexpr absl::Duration kSweepPause = absl::Seconds(1);
// Beyond this nobody waits: it keeps sums of nanoseconds far from their end.
constexpr int64_t kLongestDebt = 3600 * kSecond;
constexpr char kRefused[] = "cdgate_principal_rate_refusals_total";
constexpr char kRefusedHelp[] =
    "Calls and requests refused because their principal makes too many, or publishes too many "
    "events.";

int64_t CostOf(const RateBound& bound, uint64_t n) {
  const int64_t one = kSecond / bound.per_second;
  return n > static_cast<uint64_t>(kLongestDebt / one) ? kLongestDebt
                                                       : static_cast<int64_t>(n) * one;
}

int64_t BurstOf(const RateBound& bound) {
  return CostOf(bound, bound.burst == 0 ? bound.per_second : bound.burst);
}

// Until one is there: a moment after the debt has come down to the burst.
absl::Duration WaitOf(int64_t full_at, int64_t burst, int64_t now) {
  return absl::Nanoseconds(full_at - burst - now + 1);
}

}  // namespace

absl::Duration RateBucket::Take(const RateBound& bound, uint64_t n, absl::Duration now) {
  const int64_t cost = CostOf(bound, n);
  const int64_t burst = BurstOf(bound);
  const int64_t time = absl::ToInt64Nanoseconds(now);
  int64_t before = full_at_.load(std::memory_order_relaxed);
  int64_t from = 0;
  do {
    from = std::max(before, time);
    if (from - time >= burst) return WaitOf(from, burst, time);
  } while (!full_at_.compare_exchange_weak(before, from + cost, std::memory_order_relaxed));
  return absl::ZeroDuration();
}

absl::Duration RateBucket::Charge(const RateBound& bound, uint64_t n, absl::Duration now) {
  const int64_t cost = CostOf(bound, n);
  const int64_t burst = BurstOf(bound);
  const int64_t time = absl::ToInt64Nanoseconds(now);
  int64_t before = full_at_.load(std::memory_order_relaxed);
  int64_t after = 0;
  do {
    after = std::min(std::max(before, time) + cost, time + burst + kLongestDebt);
  } while (!full_at_.compare_exchange_weak(before, after, std::memory_order_relaxed));
  return after - time < burst ? absl::ZeroDuration() : WaitOf(after, burst, time);
}

absl::Duration RateBucket::Wait(const RateBound& bound, absl::Duration now) const {
  const int64_t burst = BurstOf(bound);
  const int64_t time = absl::ToInt64Nanoseconds(now);
  const int64_t full_at = full_at_.load(std::memory_order_relaxed);
  return full_at - time < burst ? absl::ZeroDuration() : WaitOf(full_at, burst, time);
}

bool RateBucket::IsFull(absl::Duration now) const {
  return full_at_.load(std::memory_order_relaxed) <= absl::ToInt64Nanoseconds(now);
}

PrincipalRates::PrincipalRates(const Options& options)
    : options_(options),
      refused_calls_(options.metrics.AddCounter(kRefused, kRefusedHelp, {{"of", "calls"}})),
      refused_events_(options.metrics.AddCounter(kRefused, kRefusedHelp, {{"of", "events"}})),
      paused_(options.metrics.AddCounter(
          "cdgate_principal_rate_pauses_total",
          "Pauses in reading a stream whose principal publishes too many events.")),
      shared_uses_(options.metrics.AddCounter(
          "cdgate_principal_rate_shared_total",
          "Times that a principal had to share an account because too many are remembered.")),
      remembered_(options.metrics.AddGauge("cdgate_principal_rate_principals",
                                           "Principals whose rates are remembered.")) {}

absl::Status PrincipalRates::TakeCall(const authz::Principal& principal) {
  if (options_.calls.per_second == 0 || principal.kind == authz::Principal::Kind::kLocal) {
    return absl::OkStatus();
  }
  const absl::Duration now = options_.clock.Monotonic();
  const absl::Duration wait = Find(principal, now)->calls.Take(options_.calls, 1, now);
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  return Exceeded(principal, "calls", options_.calls, wait, refused_calls_);
}

absl::Status PrincipalRates::TakeEvents(const authz::Principal& principal, uint64_t events) {
  const RateAccountPtr account = AccountOf(principal);
  if (account == nullptr || events == 0) return absl::OkStatus();
  const absl::Duration wait =
      account->events.Take(options_.events, events, options_.clock.Monotonic());
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  return Exceeded(principal, "events", options_.events, wait, refused_events_);
}

RateAccountPtr PrincipalRates::AccountOf(const authz::Principal& principal) {
  if (options_.events.per_second == 0 || principal.kind == authz::Principal::Kind::kLocal) {
    return nullptr;
  }
  return Find(principal, options_.clock.Monotonic());
}

absl::Duration PrincipalRates::Charge(const RateAccountPtr& account, uint64_t events) {
  if (account == nullptr || events == 0) return absl::ZeroDuration();
  const absl::Duration wait =
      account->events.Charge(options_.events, events, options_.clock.Monotonic());
  if (wait > absl::ZeroDuration()) paused_.Add();
  return wait;
}

absl::Duration PrincipalRates::Wait(const RateAccountPtr& account) const {
  if (account == nullptr) return absl::ZeroDuration();
  return account->events.Wait(options_.events, options_.clock.Monotonic());
}

RateAccountPtr PrincipalRates::Find(const authz::Principal& principal, absl::Duration now) {
  Shard& shard = shards_[absl::HashOf(principal.id) % kShards];
  base::MutexLock lock(shard.mu);
  if (const auto found = shard.accounts.find(principal.id); found != shard.accounts.end()) {
    return found->second;
  }
  const size_t most = std::max<size_t>(options_.max_principals / kShards, 1);
  if (shard.accounts.size() >= most) Sweep(shard, now);
  if (shard.accounts.size() >= most) {
    shared_uses_.Add();
    return shared_;
  }
  size_.fetch_add(1, std::memory_order_relaxed);
  remembered_.Add(1);
  return shard.accounts[principal.id] = std::make_shared<RateAccount>();
}

void PrincipalRates::Sweep(Shard& shard, absl::Duration now) {
  if (now - shard.swept < kSweepPause) return;
  shard.swept = now;
  const size_t before = shard.accounts.size();
  absl::erase_if(shard.accounts, [now](const auto& entry) {
    const RateAccount& account = *entry.second;
    return entry.second.use_count() == 1 && account.calls.IsFull(now) && account.events.IsFull(now);
  });
  const size_t gone = before - shard.accounts.size();
  size_.fetch_sub(gone, std::memory_order_relaxed);
  remembered_.Add(-static_cast<double>(gone));
}

absl::Status PrincipalRates::Exceeded(const authz::Principal& principal, const char* what,
                                      const RateBound& bound, absl::Duration wait,
                                      base::Counter& counter) const {
  counter.Add();
  return base::WithRetryAfter(
      base::MakeError(base::Reason::kRateExceeded,
                      absl::StrCat(principal.id, " has made more than ", bound.per_second, " ",
                                   what, " a second"),
                      {{"principal", principal.id},
                       {"of", what},
                       {"per_second", absl::StrCat(bound.per_second)}}),
      wait);
}

}  // namespace cdgate::rpc
