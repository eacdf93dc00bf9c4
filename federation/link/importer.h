// The receiving half of a link: from the peer to our log.
//
// It says where we stand (Resume), gives credit, checks that batches come without a gap
// and within credit, hands them on to be committed and acknowledges what is on disk.
//
//   received  ----------------------------->|            positions taken from the link
//   committed ----------------->|                        on disk: may be acknowledged
//   credit    --------------------------------------->|  committed + window, by events
//                                                        and by bytes
//
// Errors are what the peer did wrong, with the reason that goes into our GoAway. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "federation/link/config.h"
#include "federation/link/messages.h"
#include "federation/link/pace.h"

namespace cdgate::link {

class Importer {
 public:
  explicit Importer(const LinkConfig& config);

  // --- frames from the peer
  absl::Status OnBatch(FrameReceived received, Outputs* out);
  absl::Status OnHeartbeat(const federation::v1::Heartbeat& heartbeat, absl::Time now,
                           Outputs* out);

  // --- from whoever drives the link
  void OnCommitted(Committed committed);
  void SetRate(const Rate& rate) { pace().SetRate(rate); }
  // The link is over, and with it the credit that nothing came for. Once.
  void ReturnCredit() { pace().Return(granted_events_ - used_events_); }
  // More credit is out than the rate would have given: it was given under another.
  bool credit_exceeds_rate() const {
    return pace().limited() && granted_events_ - used_events_ > pace().capacity();
  }

  // Our Resume, once, before the first Credit.
  federation::v1::Resume MakeResume();
  // Whether a Credit or an Ack is worth a frame, and that frame.
  bool HasCredit(absl::Time now);
  federation::v1::Credit TakeCredit();
  // What is on disk waits for what is about to be: an Ack costs both sides as much as a batch, and
  // the commit that it waits for brings it. At most kMostUnacknowledged wait.
  bool HasAck() const {
    return acknowledged_ < committed_ &&
           (pending_.empty() || !refused_.empty() || stopped_ ||
            committed_.value() - acknowledged_.value() >= kMostUnacknowledged);
  }
  federation::v1::Ack TakeAck();

  // Batches are dropped from now on, and no more credit is given. The last token that only
  // counted withheld events is committed.
  void Stop(Outputs* out);

  // Everything taken is on disk.
  bool idle() const { return pending_.empty(); }
  // When HasCredit() may become true, because the rate allows it.
  absl::Time WakeAt() const { return wake_at_; }

  base::Position received() const { return received_; }
  base::Position committed() const { return committed_; }

 private:
  Pace& pace() { return paces_ == nullptr ? own_pace_ : paces_->imports; }
  const Pace& pace() const { return paces_ == nullptr ? own_pace_ : paces_->imports; }
  struct Pending {
    base::Position last;
    uint64_t events = 0;
    uint64_t bytes = 0;
  };

  absl::Status CheckBatch(const federation::v1::Batch& batch, uint64_t events,
                          size_t wire_bytes) const;
  absl::Status CheckPlace(absl::string_view link_epoch, absl::string_view token) const;
  void CommitIdleToken(Outputs* out);

  const uint32_t max_frame_bytes_;
  const uint64_t window_events_, window_bytes_;
  const ImportCursor resumed_from_;

  bool resumed_ = false;
  bool stopped_ = false;
  std::string link_epoch_;  // empty until the peer names it
  // Invariant: acknowledged_ <= committed_ <= received_.
  base::Position received_, committed_, acknowledged_;
  std::deque<Pending> pending_;                  // taken, not on disk
  std::deque<federation::v1::Refusal> refused_;  // committed, not acknowledged

  // Since the stream opened. Invariant: used <= granted events; freed <= used bytes.
  uint64_t granted_events_ = 0, granted_bytes_ = 0;
  uint64_t used_events_ = 0, used_bytes_ = 0;
  uint64_t freed_events_ = 0, freed_bytes_ = 0;
  uint64_t next_events_ = 0, next_bytes_ = 0;  // what TakeCredit() will say
  Paces* paces_;
  Pace own_pace_{Rate{}};  // where there are none
  absl::Time wake_at_ = absl::InfiniteFuture();

  std::string idle_token_;  // from a heartbeat, newer than the cursor on disk
  absl::Time token_committed_ = absl::InfinitePast();
};

}  // namespace cdgate::link
