#include "gateway/base/backoff.h"

#include <algorithm>

namespace cdgate::base {

absl::Duration Backoff::Next(double unit) {
  const absl::Duration delay = ceiling_ * (0.5 + 0.5 * unit);
  ceiling_ = std::min(options_.cap, ceiling_ * options_.factor);
  return delay;
}

}  // namespace cdgate::base
