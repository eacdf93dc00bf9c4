// What is here of the events that an origin accepted in a while, and what of them our own import
// refused, by their commitments, in whichever copy.
//
//   HeldEvents held(log, "alpha.example", from, until);
//   for (;;) {                                       // a piece at a time
//     CDGATE_ASSIGN_OR_RETURN(const bool done, held.Step());
//     if (done) break;
//   }
//   held.Sort();
//   Compare(counted, held.here(), held.refused());
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "federation/attestation/origin_count.h"
#include "federation/session/commit_scan.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::session {

// How far clocks of two domains may be apart.
inline constexpr absl::Duration kClockSkew = absl::Minutes(10);
// Events of an origin that are remembered for one comparison.
inline constexpr size_t kMaxHeld = 1'000'000;

// Not thread-safe.
class HeldEvents {
 public:
  // `log` outlives it. Refusals do not say when the origin accepted the event: all since `from`
  // are there.
  HeldEvents(const eventlog::EventLog& log, std::string origin, absl::Time from, absl::Time until)
      : origin_(std::move(origin)), from_(from), until_(until), scan_(log) {}

  // (disk) Looks at some more of the log; true: that was all. QUOTA where more than kMaxHeld are
  // here, and errors of the log.
  absl::StatusOr<bool> Step();
  // When Step() is done, once.
  void Sort();

  // By commitment, each once.
  const std::vector<attestation::Digest>& here() const { return here_; }
  const std::vector<attestation::Digest>& refused() const { return refused_; }

 private:
  void Look(const event::Commit& commit);

  const std::string origin_;
  const absl::Time from_, until_;
  CommitScan scan_;
  bool begun_ = false;
  std::vector<attestation::Digest> here_, refused_;
};

}  // namespace cdgate::session
