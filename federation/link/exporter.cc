#include "federation/link/exporter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/link/protocol_error.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Position;
using base::Reason;
using base::Sequence;
using storage::v1::LedgerRow;

// Two: while one is written the next is decided.
constexpr size_t kMaxQueuedBlocks = 2;
constexpr size_t kMaxInflightBlocks = 8192;

Sequence Before(Sequence s) { return Sequence(s.value() == 0 ? 0 : s.value() - 1); }

constexpr char kUndisclosed[] = "acknowledged_undisclosed";

}  // namespace

Exporter::Exporter(const LinkConfig& config)
    : peer_(config.peer),
      agreement_id_(config.agreement_id),
      fresh_link_epoch_(config.fresh_link_epoch),
      log_epoch_(config.log_epoch),
      earlier_epochs_(config.earlier_epochs),
      agreed_(std::max(config.agreed_sequence, Sequence(1))),
      recorded_(config.acknowledged),
      sealer_(config.sealer),
      signer_(config.signer),
      receipt_(config.receipt),
      receipt_epoch_(config.receipt_epoch),
      max_unacknowledged_(std::max<uint64_t>(1, config.max_unacknowledged)),
      held_(config.exports_held),
      replay_(config),
      horizon_(config.horizon),
      horizon_asked_(config.horizon),
      sent_epoch_(config.sent_epoch),
      sent_epoch_first_(config.sent_epoch_first),
      paces_(config.paces) {
  pace().SetRate(config.export_rate);
  head_.head = config.head;
  head_.as_of = absl::InfinitePast();
}

// ------------------------------------------------------ frames from the peer

absl::Status Exporter::OnInterest(const federation::v1::Interest& interest, Outputs* out) {
  if (interest.version() != 0 && interest.version() < interest_version_) {
    return ProtocolError(
        absl::StrCat("Interest of version ", interest.version(), " after ", interest_version_));
  }
  interest_seen_ = true;
  interest_version_ = std::max(interest_version_, interest.version());
  paused_ = interest.paused();
  Requeue();
  out->push_back(InterestReceived{interest});
  return absl::OkStatus();
}

absl::Status Exporter::OnResume(const federation::v1::Resume& resume, Outputs* out) {
  if (!interest_seen_) return ProtocolError("Resume before Interest");
  if (resume_seen_) return ProtocolError("a second Resume");
  resume_seen_ = true;
  CDGATE_RETURN_IF_ERROR(TakeDigest(resume, out));
  if (resume.token().empty()) return BeginFromNothing(resume);
  return BeginAfter(resume, out);
}

absl::Status Exporter::OnCredit(const federation::v1::Credit& credit) {
  if (!resume_seen_) return ProtocolError("Credit before Resume");
  if (credit.events() < credit_events_ || credit.bytes() < credit_bytes_) {
    return ProtocolError("Credit takes back what was given");
  }
  credit_events_ = credit.events();
  credit_bytes_ = credit.bytes();
  return absl::OkStatus();
}

absl::Status Exporter::CheckAck(const federation::v1::Ack& ack) const {
  if (ack.position() < acknowledged_.value() || ack.position() > sent_.value()) {
    return ProtocolError(absl::StrCat("Ack of position ", ack.position(), ", acknowledged are ",
                                      acknowledged_.value(), ", sent ", sent_.value()));
  }
  uint64_t last = acknowledged_.value();
  for (const federation::v1::Refusal& refusal : ack.refusals()) {
    if (refusal.position() <= last || refusal.position() > ack.position()) {
      return ProtocolError("refusals of an Ack are not ascending or outside of it");
    }
    last = refusal.position();
  }
  return absl::OkStatus();
}

absl::Status Exporter::OnAck(const federation::v1::Ack& ack) {
  if (!place_known_) return ProtocolError("Ack before anything was sent");
  CDGATE_RETURN_IF_ERROR(CheckAck(ack));
  NoteRefusals(ack);
  AcknowledgeThrough(Position(ack.position()));
  record_now_ = true;
  return absl::OkStatus();
}

void Exporter::NoteRefusals(const federation::v1::Ack& ack) {
  auto sent = inflight_.begin();
  for (const federation::v1::Refusal& refusal : ack.refusals()) {
    const auto covers = [&](const Sent& s) {
      return refusal.position() < s.first_position.value() + s.block.sequences.size();
    };
    sent = std::find_if(sent, inflight_.end(), covers);
    if (sent == inflight_.end()) return;  // cannot be: CheckAck
    NoteRefusal(refusal, refusal.position() - sent->first_position.value(), &sent->block);
  }
}

// A part of a block makes no row: receivers acknowledge whole batches in the end.
void Exporter::AcknowledgeThrough(Position position) {
  acknowledged_ = position;
  while (!inflight_.empty()) {
    Sent& front = inflight_.front();
    const size_t size = front.block.sequences.size();
    const uint64_t before = front.first_position.value() - 1;
    const size_t covered =
        position.value() <= before ? 0 : std::min<size_t>(size, position.value() - before);
    unacknowledged_ -= covered - front.acknowledged;
    front.acknowledged = covered;
    if (covered < size) return;
    Record(std::move(front.block));
    inflight_.pop_front();
  }
}

void Exporter::Record(Block block) {
  if (!block.exceptions.empty()) record_now_ = true;
  if (block.replay != 0) return replay_.Record(std::move(block));
  acknowledged_through_ = block.last;
  if (block.last <= recorded_) return;  // the first outcome stands
  AppendRow(MakeRow(peer_, std::move(block)), &rows_);
}

// ------------------------------------------- answers from whoever drives us

void Exporter::OnDecided(Decided decided) {
  if (!asked_ || decided.request != last_request_) return;  // superseded
  asked_ = false;
  const Sequence from = accounting() ? account_next_ : next_;
  if (decided.first > from) {
    Sequence last = Before(decided.first);
    if (AskThrough() != Sequence(0)) last = std::min(last, AskThrough());
    Enqueue(
        GoneBlock(from, last, accounting() ? kUndisclosed : "dead_lettered", decided.policy_epoch));
  }
  if (decided.last < decided.first) return;
  pace().Take(decided.sequences.size());
  Enqueue(MakeBlock(std::move(decided)));
}

// Behind which sequence an answer may not go on; 0: none. A block is wholly in what the
// ledger has, or wholly behind it.
Sequence Exporter::AskThrough() const {
  if (accounting()) return account_through_;
  return next_ <= recorded_ ? recorded_ : Sequence(0);
}

void Exporter::Enqueue(Block block) {
  if (!accounting()) {
    next_ = block.last.Next();
    queue_.push_back(std::move(block));
    return;
  }
  account_next_ = block.last.Next();
  block.state = kUndisclosed;
  record_now_ = record_now_ || !accounting();
  Record(std::move(block));
}

void Exporter::OnReplayDecided(ReplayDecided decided) {
  pace().Take(replay_.OnDecided(std::move(decided)));
}

void Exporter::OnHorizonWritten(Sequence through) {
  horizon_ = std::max(horizon_, through);
  if (!epoch_asked_) return;
  sent_epoch_ = std::move(*epoch_asked_->mutable_policy_epoch());
  sent_epoch_first_ = Sequence(epoch_asked_->first_sequence());
  epoch_asked_.reset();
}

void Exporter::OnHeadMoved(const HeadMoved& head) {
  if (head.head >= head_.head) head_ = head;
}

void Exporter::OnPolicyChanged(const PolicyChanged& change) {
  pace().SetRate(change.export_rate);
  Requeue();
}

bool Exporter::SetHeld(bool held) {
  if (held_ == held) return false;
  held_ = held;
  Requeue();
  return true;
}

void Exporter::Stop() {
  stopped_ = true;
  Requeue();
  record_now_ = true;
}

// Forgets what is decided and not sent: it is asked for again, and decided by what is
// in force then.
void Exporter::Requeue() {
  RequeueLive();
  replay_.Requeue();
}

void Exporter::RequeueLive() {
  asked_ = false;
  ++last_request_;
  if (queue_.empty()) return;
  next_ = queue_.front().first;
  queue_.clear();
}

// Each lane asks as if it were alone, so one may have used the room of the other. What has
// no room waits for it, but where nothing is on its way that could give any: then the
// receiver gives less than before, and smaller blocks are asked for.
void Exporter::RequeueWhatDoesNotFit() {
  if (unacknowledged_ > 0) return;
  if (!queue_.empty() && !Fits(queue_.front())) RequeueLive();
  if (replay_.queued() != nullptr && !Fits(*replay_.queued())) replay_.Requeue();
}

// -------------------------------------------------------------- what goes out

void Exporter::Pump(absl::Time now, Outputs* out) {
  wake_at_ = absl::InfiniteFuture();
  if (!place_known_) return;
  MoveQuietBlocks();
  if (!stopped_) {
    RequeueWhatDoesNotFit();
    AskForHorizon(out);
    AskForEvents(now, out);
    AskForReplay(now, out);
  }
  if (record_now_ || replay_.finished()) FlushRows(out);
}

// Blocks without anything to send count as sent when all before them is.
void Exporter::MoveQuietBlocks() {
  bool moved = false;
  while (!queue_.empty() && queue_.front().sequences.empty() && IsCovered(queue_.front())) {
    KeepSent(std::move(queue_.front()), sent_.Next());
    queue_.pop_front();
    moved = true;
  }
  if (replay_.queued() != nullptr && replay_.queued()->sequences.empty()) {
    KeepSent(replay_.Take(), sent_.Next());
    moved = true;
  }
  if (moved) AcknowledgeThrough(acknowledged_);
}

void Exporter::KeepSent(Block block, Position first_position) {
  sent_place_.position = sent_;
  if (block.replay == 0) {
    sent_place_.sequence = block.last;
    sent_place_.mark = block.last_mark;
  }
  // A quiet range behind a block is part of it, so that a long one takes no memory.
  const bool known = block.last <= recorded_;
  if (block.quiet() && !inflight_.empty()) {
    Block& before = inflight_.back().block;
    const bool alike = (before.last <= recorded_) == known;
    if (alike && Absorb(block, &before)) return;
  }
  inflight_.push_back({.block = std::move(block), .first_position = first_position});
}

void Exporter::AskForHorizon(Outputs* out) {
  const bool other_epoch = !queue_.empty() && !IsCovered(queue_.front());
  if (epoch_asked_ || (other_epoch && horizon_ < horizon_asked_)) return;  // one at a time
  uint64_t last = 0;
  Sequence first = Sequence(UINT64_MAX);
  const auto cover = [&](const Block& block) {
    if (block.sequences.empty()) return;
    first = std::min(first, block.first);
    last = std::max(last, block.sequences.back().value());
  };
  std::for_each(queue_.begin(), queue_.end(), cover);
  if (replay_.queued() != nullptr) cover(*replay_.queued());
  if (last == 0 && !other_epoch) return;
  // Asked for half a step ahead, so that nothing waits for it in a steady stream.
  const uint64_t want = last == 0 ? 0 : last + kHorizonStep / 2;
  if (want <= horizon_asked_.value() && !other_epoch) return;
  const Sequence through(
      std::max(horizon_asked_.value(), (want + kHorizonStep - 1) / kHorizonStep * kHorizonStep));
  LedgerRow row;
  row.set_peer(peer_);
  row.set_first_sequence(std::max(horizon_asked_.Next(), first).value());
  row.set_last_sequence(through.value());
  row.set_horizon(true);
  if (other_epoch) {
    row.set_first_sequence(queue_.front().first.value());
    *row.mutable_policy_epoch() = queue_.front().policy_epoch;
    epoch_asked_ = row;
  }
  horizon_asked_ = through;
  out->push_back(WriteHorizon{std::move(row)});
}

uint64_t Exporter::RoomForEvents() const {
  uint64_t queued = replay_.queued() == nullptr ? 0 : replay_.queued()->sequences.size();
  for (const Block& block : queue_) queued += block.sequences.size();
  const auto left = [queued](uint64_t limit, uint64_t used) {
    return limit > used + queued ? limit - used - queued : 0;
  };
  if (used_bytes_ >= credit_bytes_) return 0;
  return std::min({left(credit_events_, used_events_), left(max_unacknowledged_, unacknowledged_),
                   kFullBatchEvents});
}

// Events that may be asked for at `now`; 0: none, and WakeAt() says when that may change.
uint64_t Exporter::MayAskFor(absl::Time now) {
  if (paused_ || held_ || inflight_.size() >= kMaxInflightBlocks) return 0;
  const uint64_t room = RoomForEvents();
  if (room == 0) return 0;
  const uint64_t events = pace().Available(now, room);
  if (events == 0) wake_at_ = pace().When(1);
  return events;
}

void Exporter::AskForEvents(absl::Time now, Outputs* out) {
  if (asked_ || queue_.size() >= kMaxQueuedBlocks) return;
  // What the receiver has needs no room.
  const uint64_t events = accounting() ? kMaxBatchEvents : MayAskFor(now);
  if (events > 0) Ask(events, out);
}

void Exporter::Ask(uint64_t max_events, Outputs* out) {
  asked_ = true;
  out->push_back(
      NeedEvents{.request = ++last_request_,
                 .from = accounting() ? account_next_ : next_,
                 .through = AskThrough(),
                 .max_events = static_cast<size_t>(max_events),
                 .max_bytes = std::min(peer_max_frame_, kFullFrameBytes) - kBatchOverheadBytes,
                 .max_event_bytes = peer_max_frame_ - kBatchOverheadBytes,
                 .account_only = accounting()});
}

// Newer events go first.
void Exporter::AskForReplay(absl::Time now, Outputs* out) {
  const Sequence place = sent_place_.sequence;
  if (accounting() || !queue_.empty() || !replay_.WantsEvents(place)) return;
  const uint64_t events = MayAskFor(now);
  if (events > 0) out->push_back(replay_.Ask(place, events, peer_max_frame_));
}

void Exporter::FlushRows(Outputs* out) {
  record_now_ = false;
  if (!rows_.empty()) {
    out->push_back(
        RecordLedger{std::move(rows_), acknowledged_, acknowledged_through_, link_epoch_});
    rows_.clear();
  }
  replay_.Flush(out);
}

bool Exporter::Fits(const Block& block) const {
  const size_t events = block.sequences.size();
  return used_bytes_ < credit_bytes_ && used_events_ + events <= credit_events_ &&
         unacknowledged_ + events <= max_unacknowledged_;
}

const Block* Exporter::NextToSend() const {
  const Block* const next = queue_.empty() ? replay_.queued() : &queue_.front();
  if (next == nullptr || next->sequences.empty()) return nullptr;
  if (!queue_.empty() && !IsCovered(*next)) return nullptr;
  return next->sequences.back() <= horizon_ && Fits(*next) ? next : nullptr;
}

bool Exporter::HasBatch() const {
  return place_known_ && !stopped_ && !paused_ && !held_ && NextToSend() != nullptr;
}

SendFrame Exporter::TakeBatch() {
  Block block;
  if (queue_.empty()) {
    block = replay_.Take();
  } else {
    block = std::move(queue_.front());
    queue_.pop_front();
  }
  const Position first = sent_.Next();
  const size_t events = block.sequences.size();
  sent_ = sent_.Plus(events);
  unacknowledged_ += events;

  SendFrame send;
  send.events = std::move(block.events);
  federation::v1::Batch& batch = *send.frame.mutable_batch();
  Sign(std::exchange(block.tree, {}), first, events, &batch);
  KeepSent(std::move(block), first);
  batch.set_first_position(first.value());
  batch.set_token(sealer_->Seal(sent_place_, Scope(log_epoch_, link_epoch_)));
  batch.set_link_epoch(link_epoch_);
  batch.set_replay(inflight_.back().block.replay != 0);
  used_events_ += events;
  used_bytes_ += EncodedSize(send);
  MoveQuietBlocks();
  return send;
}

TokenScope Exporter::Scope(base::Epoch log_epoch, std::string link_epoch) const {
  return {peer_, agreement_id_, std::move(log_epoch), std::move(link_epoch)};
}

}  // namespace cdgate::link
