// Which of our own events we gave away for a destination, over any way or through one peer
// (docs/attestation.md).
//
//   OriginCounter counter(deps, {.destination = "gamma.example", .through = "beta.example",
//                                .from = from, .until = until});
//   for (;;) {                                       // a piece at a time, off everybody's strand
//     CDGATE_ASSIGN_OR_RETURN(const bool done, counter.Step());
//     if (done) break;
//   }
//   Sign(counter.Take());
//
// An event counts where a peer has it and, unless that is the destination, got it under terms that
// let the destination have it: onward of at least 1 and, where they name groups, one that the
// destination is in as far as we know. That is decided by the policy that decided then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/attestation/origin_count.h"
#include "federation/session/commit_scan.h"
#include "federation/session/outcomes.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/store.h"

namespace cdgate::session {

// How long after its acceptance an event is committed, at most, as far as counts know: one that
// takes longer is in none.
inline constexpr absl::Duration kCommitSlack = absl::Seconds(10);
// Events of the log that are looked at for one count.
inline constexpr size_t kMaxScannedEvents = 1'000'000;

// All outlive the counter.
struct OriginCounterDeps {
  std::string domain;
  const state::Store& store;
  const eventlog::EventLog& log;
  const PseudonymKeeper& keeper;
  LinkFactsOf link_facts;
};

// Not thread-safe.
class OriginCounter {
 public:
  struct Question {
    std::string destination;
    std::string through;  // a peer; empty: all, and what the destination was given itself
    absl::Time from;
    absl::Time until;
  };

  OriginCounter(const OriginCounterDeps& deps, Question question);

  // (disk) Looks at some more of the log; true: that was all. LOG_CORRUPT and other errors of the
  // log.
  absl::StatusOr<bool> Step();
  // What there is, once. Its while begins later than asked for where retention has removed what
  // was before, and ends earlier where it would be too much.
  attestation::CountedEvents Take() { return window_->Close(); }

 private:
  absl::Status Begin();
  absl::Status Look(const event::Commit& commit);
  absl::StatusOr<bool> Counts(const event::Record& record);
  absl::StatusOr<bool> GaveThrough(const admin::v1::Peer& peer, const event::Record& record);

  const OriginCounterDeps& deps_;
  const Question question_;
  Outcomes outcomes_;
  std::vector<admin::v1::Peer> peers_;  // the destination first
  CommitScan scan_;
  std::optional<attestation::CommitmentWindow> window_;
  size_t scanned_ = 0;
};

}  // namespace cdgate::session
