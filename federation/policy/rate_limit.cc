#include "federation/policy/rate_limit.h"

#include <algorithm>

namespace cdgate::policy {

RateLimit::RateLimit(const admin::v1::Limits& limits) {
  SetLimits(limits);
  tokens_ = burst_;
}

void RateLimit::SetLimits(const admin::v1::Limits& limits) {
  rate_ = limits.events_per_second();
  burst_ = limits.burst() > 0 ? limits.burst() : rate_;
  tokens_ = std::min(tokens_, burst_);
}

uint64_t RateLimit::Take(uint64_t wanted, absl::Duration now) {
  if (unlimited()) return wanted;
  if (started_ && now > last_) {
    tokens_ = std::min(burst_, tokens_ + rate_ * absl::ToDoubleSeconds(now - last_));
  }
  last_ = started_ ? std::max(last_, now) : now;
  started_ = true;
  // A sum of fractions may miss the whole number it stands for by a little.
  const uint64_t taken = std::min(wanted, static_cast<uint64_t>(tokens_ + 1e-6));
  tokens_ = std::max(0.0, tokens_ - static_cast<double>(taken));
  return taken;
}

void RateLimit::Return(uint64_t n) { tokens_ = std::min(burst_, tokens_ + static_cast<double>(n)); }

absl::Duration RateLimit::NextAt(uint64_t n) const {
  if (unlimited()) return last_;
  const double missing = std::min(static_cast<double>(n), burst_) - tokens_;
  if (missing <= 0) return last_;
  return last_ + absl::Ceil(absl::Seconds(missing / rate_), absl::Microseconds(1));
}

}  // namespace cdgate::policy
