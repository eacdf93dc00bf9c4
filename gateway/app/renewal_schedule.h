// When a certificate is renewed, and when its end is worth a warning. Pure.
#pragma once

#include "absl/time/time.h"

namespace cdgate::app {

// The validity of the certificate in use, and when this process put it in place: infinite past
// where it found it at its start.
struct InUse {
  absl::Time not_before;
  absl::Time not_after;
  absl::Time renewed = absl::InfinitePast();
};

// `before` its end, or where that is zero a third of its lifetime before. One that was just
// renewed has at least half of what was left of it then, so that a `before` that is longer
// than lifetimes, or a CA that backdates what it issues, makes nobody renew without end.
absl::Time RenewalDue(const InUse& in_use, absl::Duration before);

// Below this much time left somebody should look: a quarter of the lifetime, by when a renewal
// has failed more than once, and 14 days at most.
absl::Duration ExpiryWarning(const InUse& in_use);

}  // namespace cdgate::app
