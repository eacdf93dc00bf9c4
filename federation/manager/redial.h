// When a link that is down is dialled again.
//
// A link that was steady comes back soon: a peer that restarts is gone for a second or
// two, so the first tries after an outage are close together. What stays away, or comes
// up only to fall again, is tried less and less often, up to the configured cap. A peer
// whose connection was cut because it cost more than it carried is left alone for longer:
// to dial it is to be attacked, and each attack costs until it is noticed. All delays are
// jittered, so that a thousand links cut at once do not come back at once, and where many are
// down each is tried less often: a try in vain costs some 6 ms of a processor.
//
//   Redial redial(backoff);
//   redial.OnUp(now);
//   absl::Duration wait = redial.OnDown(now, {.asked = retry_after, .down = links}, random.Unit());
//   absl::Duration wait = redial.OnAbuse(now, random.Unit());  // instead
//
// Times are base::Clock::Monotonic(). A value; not thread-safe.
#pragma once

#include <cstddef>
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
// All links that are down are tried no closer than this together: half a processor.
inline constexpr absl::Duration kTriesApart = absl::Microseconds(12'500);

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
    size_t down = 1;       // links that are down and dialled, with this one
  };
  // How long to wait. `unit` is uniform in [0, 1).
  absl::Duration OnDown(absl::Duration now, const Circumstances& circumstances, double unit);

  // How long to wait where we cut the connection for abuse; `unit` as above.
  absl::Duration OnAbuse(absl::Duration now, double unit);

  // Forgets outage and abuse: something changed, and the next try may be the good one.
  void Reset();

 private:
  void ForgetOutage();

  base::Backoff quick_;
  base::Backoff later_;
  base::Backoff abuse_;
  absl::Duration paused_;  // after the last abuse
  std::optional<absl::Duration> up_since_;
  std::optional<absl::Duration> outage_since_;
};

}  // namespace cdgate::manager
