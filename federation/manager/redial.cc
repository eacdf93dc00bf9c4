#include "federation/manager/redial.h"

#include <algorithm>

namespace cdgate::manager {

absl::Duration Redial::OnDown(absl::Duration now, const Circumstances& circumstances, double unit) {
  if (up_since_ && now - *up_since_ >= kSteady) ForgetOutage();
  up_since_.reset();
  if (!outage_since_) outage_since_ = now;
  const bool quick = now - *outage_since_ < kQuickPhase;
  own_ = quick ? quick_.Next(unit) : later_.Next(unit);
  const double too_often = std::max(1.0, (circumstances.others + tries()) / kTriesASecond);
  // Those who were all asked to wait the same time do not all come then.
  return std::max(own_ * too_often, circumstances.asked * (1 + unit / 4));
}

absl::Duration Redial::OnAbuse(absl::Duration now, double unit) {
  const bool steady = up_since_ && now - *up_since_ >= std::max(kSteady, paused_);
  if (steady) abuse_.Reset();
  up_since_.reset();
  if (!outage_since_) outage_since_ = now;
  own_ = paused_ = abuse_.Next(unit);
  return paused_;
}

void Redial::ForgetOutage() {
  quick_.Reset();
  later_.Reset();
  outage_since_.reset();
}

void Redial::Reset() {
  ForgetOutage();
  abuse_.Reset();
  paused_ = absl::ZeroDuration();
}

}  // namespace cdgate::manager
