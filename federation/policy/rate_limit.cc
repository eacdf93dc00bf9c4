#include "federation/policy/rate_limit.h"

#include <algorithm>

namespace cdgate::policy {
namespace {

constexpr int64_t kOneEvent = 1000000000;

}  // namespace

RateLimit::RateLimit(const admin::v1::Limits& limits) {
  SetLimits(limits);
  tokens_ = burst_;
}

void RateLimit::SetLimits(const admin::v1::Limits& limits) {
  rate_ = limits.events_per_second();
  burst_ = (limits.burst() > 0 ? limits.burst() : rate_) * kOneEvent;
  tokens_ = std::min(tokens_, burst_);
}

void RateLimit::Refill(absl::Duration now) {
  if (!started_) last_ = now;
  started_ = true;
  if (now <= last_) return;
  const int64_t elapsed = absl::ToInt64Nanoseconds(now - last_);
  // Compared before multiplying, which a long pause would overflow.
  if (elapsed > (burst_ - tokens_) / rate_) {
    tokens_ = burst_;
  } else {
    tokens_ += elapsed * rate_;
  }
  last_ += absl::Nanoseconds(elapsed);
}

uint64_t RateLimit::Take(uint64_t wanted, absl::Duration now) {
  if (unlimited()) return wanted;
  Refill(now);
  const uint64_t taken = std::min(wanted, static_cast<uint64_t>(tokens_ / kOneEvent));
  tokens_ -= static_cast<int64_t>(taken) * kOneEvent;
  return taken;
}

void RateLimit::Return(uint64_t n) {
  const auto room = static_cast<uint64_t>((burst_ - tokens_) / kOneEvent);
  tokens_ = n > room ? burst_ : tokens_ + static_cast<int64_t>(n) * kOneEvent;
}

absl::Duration RateLimit::NextAt(uint64_t n) const {
  if (unlimited()) return last_;
  const auto most = static_cast<uint64_t>(burst_ / kOneEvent);
  const int64_t missing = static_cast<int64_t>(std::min(n, most)) * kOneEvent - tokens_;
  if (missing <= 0) return last_;
  return last_ + absl::Nanoseconds((missing + rate_ - 1) / rate_);
}

}  // namespace cdgate::policy
