#include "gateway/app/renewal_schedule.h"

#include <algorithm>

namespace cdgate::app {

absl::Time RenewalDue(const InUse& in_use, absl::Duration before) {
  const absl::Duration lifetime = in_use.not_after - in_use.not_before;
  const absl::Time due = in_use.not_after - (before > absl::ZeroDuration() ? before : lifetime / 3);
  if (in_use.renewed == absl::InfinitePast()) return due;
  return std::max(due, in_use.renewed + (in_use.not_after - in_use.renewed) / 2);
}

absl::Duration ExpiryWarning(const InUse& in_use) {
  return std::min(absl::Hours(24 * 14), (in_use.not_after - in_use.not_before) / 4);
}

}  // namespace cdgate::app
