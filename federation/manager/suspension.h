// A peer whose links end by its own fault, again and again, is not heard for a while: a circuit
// breaker. Each link costs a handshake, and what is refused of it costs to be read.
//
//   Suspension suspension;
//   suspension.OnUp(now);
//   if (IsOffence(close)) suspension.OnOffence(now, "CREDIT_EXCEEDED: ...");
//   suspension.left(now);             // how long it is not heard; zero: it is
//   suspension.AfterNext(now);        // how long it would be, were it to offend now
//
// The first offences cost nothing but the link. After a pause one link is tried; if that ends by an
// offence, too, the next pause is four times as long. A link that was steady begins it anew. Times
// are base::Clock::Monotonic(). A value; not thread-safe.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "federation/link/messages.h"
#include "federation/link/offence.h"

namespace cdgate::manager {

// Whether a link ended by the fault of the peer.
inline bool IsOffence(const link::CloseStream& close) {
  return !close.by_peer && link::IsOffence(close.reason);
}

class Suspension {
 public:
  // Offences in a row that are borne.
  static constexpr int kBorne = 2;
  static constexpr absl::Duration kFirst = absl::Seconds(4);
  static constexpr absl::Duration kLongest = absl::Minutes(10);
  // Between two links that are no reason for more.
  static constexpr absl::Duration kSteadyFor = absl::Minutes(1);

  void OnUp(absl::Duration now) { up_since_ = now; }

  // `what`: for people.
  void OnOffence(absl::Duration now, std::string what) {
    if (WasSteady(now)) Reset();
    up_since_.reset();
    pause_ = AfterNext(now);
    ++offences_;
    until_ = now + pause_;
    what_ = std::move(what);
  }
  // The link ended in another way.
  void OnEnd(absl::Duration now) {
    if (WasSteady(now)) Reset();
    up_since_.reset();
  }

  absl::Duration left(absl::Duration now) const {
    return std::max(until_ - now, absl::ZeroDuration());
  }
  absl::Duration AfterNext(absl::Duration now) const {
    if (WasSteady(now) || offences_ < kBorne) return absl::ZeroDuration();
    return pause_ == absl::ZeroDuration() ? kFirst : std::min(4 * pause_, kLongest);
  }
  // What it did last.
  const std::string& what() const { return what_; }

  // An operator changed something: it may try again.
  void Reset() { *this = Suspension(); }

 private:
  bool WasSteady(absl::Duration now) const {
    return up_since_ && now - *up_since_ >= std::max(kSteadyFor, pause_);
  }

  int offences_ = 0;
  absl::Duration pause_;  // after the last offence
  absl::Duration until_;
  std::optional<absl::Duration> up_since_;
  std::string what_;
};

}  // namespace cdgate::manager
