// Says when a gateway has come to rest, so that it may give memory back: once after its start, and
// then after each time in which it had much to do. Never again and again, since the next event pays
// for what it has to fetch.
//
//   IdleTrim trim;
//   if (trim.IsDue(clock.Monotonic(), base::ProcessTime())) base::ReleaseUnusedMemory();
//
// For one thread at a time.
#pragma once

#include "absl/time/time.h"

namespace cdgate::app {

class IdleTrim {
 public:
  // At rest: no more than this share of one processor, since the last time that it was more.
  static constexpr double kRestShare = 0.02;
  static constexpr absl::Duration kRestAfterStart = absl::Seconds(4);
  static constexpr absl::Duration kRest = absl::Minutes(1);

  // Every few seconds, with the processor time that was used so far.
  bool IsDue(absl::Duration now, absl::Duration used);

 private:
  absl::Duration last_ = -absl::InfiniteDuration();  // when it was asked
  absl::Duration used_;
  absl::Duration busy_;  // when it was at work last
  bool first_ = true;
  bool due_ = true;  // there is something to give back
};

}  // namespace cdgate::app
