// The sending half of a link: from our log to the peer.
//
// It takes the peer's Interest, Resume, Credit and Ack, asks for events, gives out
// batches and turns acks into ledger rows. In order: Resume opens it; NeedEvents and
// Decided alternate; a decided block waits until the horizon on disk covers it and names
// what decided it, and then becomes one Batch; an Ack moves a block that it covers from in flight
// to the ledger.
//
//   log:     1 2 3 4 5 6 7 8 9 ...          a = allowed, d = denied
//            a d a d d a a d d
//   blocks:  [--- 1..5 ---][- 6..9 -]       scanned ranges, gapless
//   sent:    positions 1,2 | 3,4            only allowed events have one
//   Ack 2:   row 1..5 (the denied ones included: the epoch decides them, counts say how
//            many); an Ack of 3 makes no row more, as it covers no other block
//
// Each sequence is in one row, once, with its outcome: what a receiver asks for again of
// what the ledger has is sent again and not recorded, and what it has ahead of the ledger is
// accounted for first, and not sent.
//
// Where nothing newer waits, a ReplayLane may have past events to send. They take the same
// positions, credit and pace, and do not move the place.
//
// Errors are what the peer did wrong, with the reason that goes into our GoAway. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "federation/link/blocks.h"
#include "federation/link/config.h"
#include "federation/link/messages.h"
#include "federation/link/pace.h"
#include "federation/link/replay_lane.h"

namespace cdgate::link {

class Exporter {
 public:
  explicit Exporter(const LinkConfig& config);

  // --- frames from the peer
  absl::Status OnInterest(const federation::v1::Interest& interest, Outputs* out);
  absl::Status OnResume(const federation::v1::Resume& resume, Outputs* out);
  absl::Status OnCredit(const federation::v1::Credit& credit);
  absl::Status OnAck(const federation::v1::Ack& ack);
  void OnReceipt(const federation::v1::Receipt& receipt, Outputs* out);

  // --- answers from whoever drives the link
  void OnDecided(Decided decided);
  void OnReplayDecided(ReplayDecided decided);
  absl::Status OnPlaceChecked(bool same);
  void OnHorizonWritten(base::Sequence through);
  void OnHeadMoved(const HeadMoved& head);
  void OnPolicyChanged(const PolicyChanged& change);
  // Whether nothing is to be sent for now; true where that is another than before. What is
  // decided and not sent is decided again afterwards.
  bool SetHeld(bool held);
  void OnReplayChanged(const ReplayChanged& change) { replay_.SetJob(change); }

  // The peer's limits, from its Hello.
  void SetPeerMaxFrame(uint32_t bytes) { peer_max_frame_ = bytes; }
  // Both sides know of replays.
  void EnableReplay() { replay_.Enable(); }
  // Both sides know of statements.
  void EnableStatements() { statements_ = true; }
  // Nothing new is sent from now on; acks still count.
  void Stop();
  // Gives out what is still to be recorded. Last; nothing waits for an Ack any more.
  void RecordRest(Outputs* out) { FlushRows(out); }

  // Asks for what can go on at `now`.
  void Pump(absl::Time now, Outputs* out);
  // Whether TakeBatch() has one.
  bool HasBatch() const;
  // The next Batch; it counts as sent.
  SendFrame TakeBatch();
  // What will be signed besides its tree, if a block of `events` is decided and sent next; none:
  // something else will come first, or nothing is signed. Good until the next call that is not
  // const.
  std::optional<BatchClaim> NextClaim(size_t events) const;
  // Fills position, token and time of a Heartbeat; what is to be recorded of withheld
  // events goes with the next Pump().
  void FillHeartbeat(federation::v1::Heartbeat* heartbeat);

  bool resumed() const { return place_known_; }
  bool idle() const { return unacknowledged_ == 0; }
  // When Pump() may have more to ask for, because a rate allows it.
  absl::Time WakeAt() const { return wake_at_; }

  base::Position sent_position() const { return sent_; }
  base::Position acknowledged_position() const { return acknowledged_; }
  base::Sequence sent_through() const { return sent_place_.sequence; }
  base::Sequence acknowledged_through() const { return acknowledged_through_; }
  uint64_t unacknowledged() const { return unacknowledged_; }
  bool paused() const { return paused_; }
  bool held() const { return held_; }

 private:
  Pace& pace() { return paces_ == nullptr ? own_pace_ : paces_->exports; }
  // A block that is sent, or had nothing to send.
  struct Sent {
    Block block;  // without its events
    base::Position first_position;
    size_t acknowledged = 0;  // of block.sequences
  };

  absl::Status BeginFromNothing(const federation::v1::Resume& resume);
  absl::Status BeginAfter(const federation::v1::Resume& resume, Outputs* out);
  absl::StatusOr<Place> OpenEarlier(const federation::v1::Resume& resume, Outputs* out);
  void Begin(const Place& place, std::string link_epoch);
  void PlaceIsKnown();

  absl::Status TakeDigest(const federation::v1::Resume& resume, Outputs* out);
  void Sign(const BatchTree& tree, base::Position first, size_t count,
            federation::v1::Batch* batch);

  absl::Status CheckAck(const federation::v1::Ack& ack) const;
  void NoteRefusals(const federation::v1::Ack& ack);
  void AcknowledgeThrough(base::Position position);
  void Record(Block block);
  void FlushRows(Outputs* out);

  // What the receiver has ahead of the ledger, while some of it is not in there.
  bool accounting() const { return account_next_ <= account_through_; }
  base::Sequence AskThrough() const;
  void Enqueue(Block block);

  void Requeue();
  void RequeueLive();
  void RequeueWhatDoesNotFit();
  void MoveQuietBlocks();
  void KeepSent(Block block, base::Position first_position);
  void Ask(uint64_t max_events, Outputs* out);
  void AskForEvents(absl::Time now, Outputs* out);
  void AskForReplay(absl::Time now, Outputs* out);
  void AskForHorizon(Outputs* out);
  uint64_t MayAskFor(absl::Time now);
  uint64_t RoomForEvents() const;
  const Block* NextToSend() const;
  bool Fits(const Block& block) const;
  // What decided the block is on disk, so that it may count as sent.
  bool IsCovered(const Block& block) const {
    return sent_epoch_ && sent_epoch_first_ <= block.first &&
           SameEpoch(block.policy_epoch, *sent_epoch_);
  }
  void UpdateCaughtUp();
  TokenScope Scope(base::Epoch log_epoch, std::string link_epoch) const;

  // Constant after construction.
  const std::string peer_, agreement_id_, fresh_link_epoch_;
  const base::Epoch log_epoch_;
  const std::vector<EarlierEpoch> earlier_epochs_;
  const base::Sequence agreed_;
  const base::Sequence recorded_;  // acknowledged in the ledger when the link began
  const TokenSealer* const sealer_;
  BatchSigner* const signer_;
  const std::optional<federation::v1::Receipt> receipt_;  // when the link began
  const std::string receipt_epoch_;
  const uint64_t max_unacknowledged_;

  // The peer as a receiver.
  uint32_t peer_max_frame_ = kLeastMaxFrameBytes;
  bool interest_seen_ = false;
  uint64_t interest_version_ = 0;
  bool paused_ = false;
  uint64_t credit_events_ = 0, credit_bytes_ = 0;
  uint64_t used_events_ = 0, used_bytes_ = 0;

  // Where we stand. Invariant: acknowledged_ <= sent_ == sent_place_.position;
  // sent_place_.sequence < queue_ ranges < next_.
  bool resume_seen_ = false;
  bool place_known_ = false;
  bool stopped_ = false;
  bool held_ = false;
  std::string link_epoch_;
  base::Position sent_, acknowledged_;
  Place sent_place_;                     // sent or withheld through here
  base::Sequence acknowledged_through_;  // acknowledged or withheld through here
  base::Sequence next_;                  // the next to ask for
  base::Sequence account_next_{1}, account_through_;
  bool asked_ = false;  // last_request_ is unanswered
  uint64_t last_request_ = 0;
  std::deque<Block> queue_;    // decided, not sent; at most kMaxQueuedBlocks
  std::deque<Sent> inflight_;  // sent, not acknowledged
  uint64_t unacknowledged_ = 0;
  std::vector<storage::v1::LedgerRow> rows_;  // to be recorded
  bool record_now_ = false;                   // with the next Pump()
  ReplayLane replay_;

  // What was signed: the rolling digest of all that was sent, and those before it that the peer
  // may still sign for, by the positions behind them.
  bool statements_ = false;
  std::string digest_ = EmptyRollingDigest();
  std::deque<std::pair<base::Position, std::string>> signed_;

  base::Sequence horizon_, horizon_asked_;
  std::optional<storage::v1::PolicyEpoch> sent_epoch_;  // on disk
  base::Sequence sent_epoch_first_;                     // from here on
  std::optional<storage::v1::LedgerRow> epoch_asked_;   // on its way there, then nothing else is
  Paces* paces_;
  Pace own_pace_{Rate{}};  // where there are none
  absl::Time wake_at_ = absl::InfiniteFuture();

  // "Caught up as of": see FillHeartbeat.
  HeadMoved head_;
  absl::Time head_before_ = absl::InfinitePast();
  std::optional<HeadMoved> claim_;  // true once sent through claim_->head
  absl::Time caught_up_ = absl::InfinitePast();
};

}  // namespace cdgate::link
