#include "federation/manager/redial.h"

#include <algorithm>

namespace cdgate::manager {

absl::Duration Redial::OnDown(absl::Duration now, absl::Duration asked, double unit) {
  if (up_since_ && now - *up_since_ >= kSteady) Reset();
  up_since_.reset();
  if (!outage_since_) outage_since_ = now;
  const bool quick = now - *outage_since_ < kQuickPhase;
  const absl::Duration own = quick ? quick_.Next(unit) : later_.Next(unit);
  // Those who were all asked to wait the same time do not all come then.
  return std::max(own, asked * (1 + unit / 4));
}

void Redial::Reset() {
  quick_.Reset();
  later_.Reset();
  outage_since_.reset();
}

}  // namespace cdgate::manager
