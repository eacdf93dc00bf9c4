// For which reasons a link ends because its peer did what no peer does.
#pragma once

#include "gateway/base/errors.h"

namespace cdgate::link {

inline bool IsOffence(base::Reason reason) {
  using base::Reason;
  return reason == Reason::kProtocolError || reason == Reason::kCreditExceeded ||
         reason == Reason::kPositionGap || reason == Reason::kTooLarge ||
         reason == Reason::kAttestationInvalid;
}

}  // namespace cdgate::link
