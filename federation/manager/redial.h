// When a link that is down is dialled again.
//
// A link that was steady comes back soon: a peer that restarts is gone for a second or
// two, so the first tries after an outage are close together. What stays away, or comes
// up only to fall again, is tried less and less often, up to the configured cap. A peer
// whose connection was cut because it cost more than it carried is left alone for longer:
// to dial it is to be attacked, and each attack costs until it is noticed. All delays are
// jittered, so that a thousand links cut at once do not come back at once. And where all that are
// down would be tried more often than is worth it, each is tried less often by as much: a try in
// vain costs some 6 ms of a processor.
//
//   Redial redial(backoff);
//   redial.OnUp(now);
//   absl::Duration wait = redial.OnDown(now, {.asked = retry_after}, random.Unit());
//   absl::Duration wait = redial.OnAbuse(now, random.Unit());  // instead
//
// Times are base::Clock::Monotonic(). A value; not thread-safe.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "gateway/base/backoff.h"

namespace cdgate::manager {

// A link that was up for so long was steady: what ended it is a new outage.
inline constexpr absl::Duration kSteady = absl::Seconds(5);
// How long the close tries go on, and how close they are.
inline constexpr absl::Duration kQuickPhase = absl::Seconds(15);
inline constexpr base::BackoffOptions kQuickBackoff = {
    .first = absl::Milliseconds(100), .cap = absl::Milliseconds(250), .factor = 2.0};
// How often all links that are down are tried together: half a processor.
inline constexpr double kTriesASecond = 80;

// What follows an attack. It begins anew after a link that was up for as long as the pause
// before it.
inline constexpr base::BackoffOptions kAbuseBackoff = {
    .first = absl::Seconds(15), .cap = absl::Minutes(10), .factor = 2.0};

class Redial {
 public:
  // `later` is what follows the quick phase.
  explicit Redial(base::BackoffOptions later)
      : quick_(kQuickBackoff), later_(later), abuse_(kAbuseBackoff) {}

  void OnUp(absl::Duration now) { up_since_ = now; }

  struct Circumstances {
    absl::Duration asked;  // how long the peer asked to be left alone; zero: it did not
    double others = 0;     // the sum of tries() of the other links that are down
  };
  // How long to wait. `unit` is uniform in [0, 1).
  absl::Duration OnDown(absl::Duration now, const Circumstances& circumstances, double unit);

  // How long to wait where we cut the connection for abuse; `unit` as above.
  absl::Duration OnAbuse(absl::Duration now, double unit);

  // How often a second it would be tried if it were the only one; 0 before the first OnDown().
  double tries() const { return own_ > absl::ZeroDuration() ? absl::Seconds(1) / own_ : 0; }

  // Forgets outage and abuse: something changed, and the next try may be the good one.
  void Reset();

 private:
  void ForgetOutage();

  base::Backoff quick_;
  base::Backoff later_;
  base::Backoff abuse_;
  absl::Duration own_;     // the last wait, had it been the only one
  absl::Duration paused_;  // after the last abuse
  std::optional<absl::Duration> up_since_;
  std::optional<absl::Duration> outage_since_;
};

}  // namespace cdgate::manager
