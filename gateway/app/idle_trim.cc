#include "gateway/app/idle_trim.h"

#include <utility>

namespace cdgate::app {

bool IdleTrim::IsDue(absl::Duration now, absl::Duration used) {
  const absl::Duration past = now - std::exchange(last_, now);
  const absl::Duration work = used - std::exchange(used_, used);
  if (work > past * kRestShare || past == absl::InfiniteDuration()) {
    busy_ = now;
    due_ = true;
    return false;
  }
  if (!due_ || now - busy_ < (first_ ? kRestAfterStart : kRest)) return false;
  first_ = due_ = false;
  return true;
}

}  // namespace cdgate::app
