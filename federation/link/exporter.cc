#include "federation/link/exporter.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Position;
using base::Reason;
using base::Sequence;
using storage::v1::LedgerException;
using storage::v1::LedgerRow;
using storage::v1::PolicyEpoch;

// Two: while one is written the next is decided.
constexpr size_t kMaxQueuedBlocks = 2;
constexpr size_t kMaxInflightBlocks = 8192;

absl::Status ProtocolError(absl::string_view message) {
  return base::MakeError(Reason::kProtocolError, message);
}

Sequence Before(Sequence s) { return Sequence(s.value() == 0 ? 0 : s.value() - 1); }

bool SameEpoch(const PolicyEpoch& a, const PolicyEpoch& b) {
  return a.policy_version() == b.policy_version() && a.interest_version() == b.interest_version() &&
         a.engine_version() == b.engine_version() &&
         a.environment_version() == b.environment_version();
}

bool Extends(const LedgerRow& row, const LedgerRow& next) {
  return row.last_sequence() + 1 == next.first_sequence() && row.state().empty() &&
         next.state().empty() && SameEpoch(row.policy_epoch(), next.policy_epoch());
}

}  // namespace

Exporter::Exporter(const LinkConfig& config)
    : peer_(config.peer),
      agreement_id_(config.agreement_id),
      fresh_link_epoch_(config.fresh_link_epoch),
      log_epoch_(config.log_epoch),
      agreed_(std::max(config.agreed_sequence, Sequence(1))),
      recorded_(config.acknowledged),
      sealer_(config.sealer),
      max_unacknowledged_(std::max<uint64_t>(1, config.max_unacknowledged)),
      policy_epoch_(config.policy_epoch),
      horizon_(config.horizon),
      horizon_asked_(config.horizon),
      pace_(config.export_rate) {
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
  if (resume.token().empty()) return BeginFromNothing(resume);
  return BeginAfter(resume, out);
}

absl::Status Exporter::BeginFromNothing(const federation::v1::Resume& resume) {
  if (resume.position() != 0 || !resume.link_epoch().empty()) {
    return ProtocolError("Resume has a position or an epoch, but no token");
  }
  Begin({.sequence = Before(agreed_)}, fresh_link_epoch_);
  PlaceIsKnown();
  return absl::OkStatus();
}

absl::Status Exporter::BeginAfter(const federation::v1::Resume& resume, Outputs* out) {
  const auto invalid = [](absl::string_view why) {
    return base::MakeError(Reason::kTokenInvalid, absl::StrCat("the resume token ", why));
  };
  if (resume.token().size() > kMaxTokenBytes || resume.link_epoch().empty() ||
      resume.link_epoch().size() > kMaxLinkEpochBytes) {
    return invalid("or its epoch has an impossible size");
  }
  const auto place = sealer_->Open(resume.token(), Scope(resume.link_epoch()));
  if (!place.ok()) return invalid("is not one of ours for this agreement and log");
  if (place->position.value() != resume.position()) return invalid("is of another position");
  if (place->sequence.Next() < agreed_) return invalid("is from before the agreement");
  if (place->sequence > head_.head) {
    return base::MakeError(Reason::kEpochRegressed,
                           "the resume token is beyond the head of the sender's log, which was "
                           "rolled back");
  }
  Begin(*place, resume.link_epoch());
  if (place->mark == 0) {
    PlaceIsKnown();
  } else {
    out->push_back(CheckPlace{place->sequence, place->mark});
  }
  return absl::OkStatus();
}

void Exporter::Begin(const Place& place, std::string link_epoch) {
  link_epoch_ = std::move(link_epoch);
  sent_ = acknowledged_ = place.position;
  sent_place_ = place;
  acknowledged_through_ = place.sequence;
  next_ = place.sequence.Next();
}

void Exporter::PlaceIsKnown() {
  place_known_ = true;
  // The receiver stands behind what our ledger knows it to have: the acks in between
  // were lost with a crash of ours, and with them what it refused.
  const Sequence first = std::max(recorded_.Next(), agreed_);
  if (sent_place_.sequence < first) return;
  LedgerRow row;
  row.set_peer(peer_);
  row.set_first_sequence(first.value());
  row.set_last_sequence(sent_place_.sequence.value());
  *row.mutable_policy_epoch() = policy_epoch_;
  row.set_state("acknowledged_undisclosed");
  rows_.push_back(std::move(row));
  record_now_ = true;
}

absl::Status Exporter::OnPlaceChecked(bool same) {
  if (!resume_seen_ || place_known_) return absl::OkStatus();
  if (!same) {
    return base::MakeError(Reason::kEpochRegressed,
                           "the sender's log has another event at the resume token's place: it "
                           "was rolled back");
  }
  PlaceIsKnown();
  return absl::OkStatus();
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
    const size_t index = refusal.position() - sent->first_position.value();
    LedgerException exception;
    exception.set_sequence(sent->block.sequences[index].value());
    exception.set_state("refused");
    // What a peer says is kept where it means something here.
    if (const auto reason = base::ReasonFromText(refusal.reason())) {
      exception.set_reason(base::ReasonLabel(*reason));
    }
    if (refusal.rule().size() <= kMaxNameBytes) exception.set_rule(refusal.rule());
    sent->block.exceptions.push_back(std::move(exception));
  }
}

void Exporter::AcknowledgeThrough(Position position) {
  acknowledged_ = position;
  while (!inflight_.empty()) {
    Sent& front = inflight_.front();
    const size_t size = front.block.sequences.size();
    const uint64_t before = front.first_position.value() - 1;
    const size_t covered =
        position.value() <= before ? 0 : std::min<size_t>(size, position.value() - before);
    const size_t fresh = covered - front.acknowledged;
    unacknowledged_ -= fresh;
    front.acknowledged = covered;
    if (covered < size) {
      if (fresh > 0) AddRow(&front.block, front.block.sequences[covered - 1]);
      return;
    }
    AddRow(&front.block, front.block.last);
    inflight_.pop_front();
  }
}

// Moves the block's range up to `last`, with its exceptions, into a row.
void Exporter::AddRow(Block* block, Sequence last) {
  LedgerRow row;
  row.set_peer(peer_);
  row.set_first_sequence(block->first.value());
  row.set_last_sequence(last.value());
  *row.mutable_policy_epoch() = block->policy_epoch;
  if (block->trimmed) {
    row.set_state("dead_lettered");
    row.set_reason(base::ReasonLabel(Reason::kTrimmed));
  }
  auto& exceptions = block->exceptions;
  std::stable_sort(exceptions.begin(), exceptions.end(),
                   [](const auto& a, const auto& b) { return a.sequence() < b.sequence(); });
  const auto end = std::find_if(exceptions.begin(), exceptions.end(),
                                [&](const auto& e) { return e.sequence() > last.value(); });
  for (auto it = exceptions.begin(); it != end; ++it) *row.add_exceptions() = std::move(*it);
  exceptions.erase(exceptions.begin(), end);
  if (row.exceptions_size() > 0) record_now_ = true;
  block->first = last.Next();
  acknowledged_through_ = last;

  if (rows_.empty() || !Extends(rows_.back(), row)) {
    rows_.push_back(std::move(row));
    return;
  }
  rows_.back().set_last_sequence(row.last_sequence());
  rows_.back().mutable_exceptions()->MergeFrom(row.exceptions());
}

// ------------------------------------------- answers from whoever drives us

void Exporter::OnDecided(Decided decided) {
  if (!asked_ || decided.request != last_request_) return;  // superseded
  asked_ = false;
  if (decided.first > next_) {
    Block gone;
    gone.first = next_;
    gone.last = Before(decided.first);
    gone.policy_epoch = decided.policy_epoch;
    gone.trimmed = true;
    queue_.push_back(std::move(gone));
  }
  pace_.Take(decided.sequences.size());
  next_ = decided.last.Next();
  queue_.push_back({.first = decided.first,
                    .last = decided.last,
                    .last_mark = decided.last_mark,
                    .events = std::move(decided.events),
                    .sequences = std::move(decided.sequences),
                    .policy_epoch = std::move(decided.policy_epoch),
                    .exceptions = std::move(decided.exceptions)});
}

void Exporter::OnHorizonWritten(Sequence through) { horizon_ = std::max(horizon_, through); }

void Exporter::OnHeadMoved(const HeadMoved& head) {
  if (head.head >= head_.head) head_ = head;
}

void Exporter::OnPolicyChanged(const PolicyChanged& change) {
  policy_epoch_ = change.policy_epoch;
  pace_.SetRate(change.export_rate);
  Requeue();
}

void Exporter::Stop() {
  stopped_ = true;
  Requeue();
  record_now_ = true;
}

// Forgets what is decided and not sent: it is asked for again, and decided by what is
// in force then.
void Exporter::Requeue() {
  asked_ = false;
  ++last_request_;
  if (queue_.empty()) return;
  next_ = queue_.front().first;
  queue_.clear();
}

// -------------------------------------------------------------- what goes out

void Exporter::Pump(absl::Time now, Outputs* out) {
  wake_at_ = absl::InfiniteFuture();
  if (!place_known_) return;
  MoveQuietBlocks();
  if (!stopped_) {
    AskForHorizon(out);
    AskForEvents(now, out);
  }
  if (record_now_) FlushRows(out);
}

// Blocks without anything to send count as sent when all before them is.
void Exporter::MoveQuietBlocks() {
  bool moved = false;
  while (!queue_.empty() && queue_.front().sequences.empty()) {
    KeepSent(std::move(queue_.front()), sent_.Next());
    queue_.pop_front();
    moved = true;
  }
  if (moved) AcknowledgeThrough(acknowledged_);
}

void Exporter::KeepSent(Block block, Position first_position) {
  sent_place_ = {block.last, sent_, block.last_mark};
  // A quiet range behind a block is part of it, so that a long one takes no memory.
  if (block.sequences.empty() && block.exceptions.empty() && !block.trimmed && !inflight_.empty()) {
    Block& last = inflight_.back().block;
    if (!last.trimmed && SameEpoch(last.policy_epoch, block.policy_epoch)) {
      last.last = block.last;
      return;
    }
  }
  inflight_.push_back({.block = std::move(block), .first_position = first_position});
}

void Exporter::AskForHorizon(Outputs* out) {
  const auto last = std::find_if(queue_.rbegin(), queue_.rend(),
                                 [](const Block& b) { return !b.sequences.empty(); });
  if (last == queue_.rend()) return;
  // Asked for half a step ahead, so that nothing waits for it in a steady stream.
  const uint64_t want = last->sequences.back().value() + kHorizonStep / 2;
  if (want <= horizon_asked_.value()) return;
  const Sequence through((want + kHorizonStep - 1) / kHorizonStep * kHorizonStep);
  LedgerRow row;
  row.set_peer(peer_);
  row.set_first_sequence(std::max(horizon_asked_.Next(), queue_.front().first).value());
  row.set_last_sequence(through.value());
  *row.mutable_policy_epoch() = policy_epoch_;
  row.set_horizon(true);
  horizon_asked_ = through;
  out->push_back(WriteHorizon{std::move(row)});
}

uint64_t Exporter::RoomForEvents() const {
  uint64_t queued = 0;
  for (const Block& block : queue_) queued += block.sequences.size();
  const auto left = [queued](uint64_t limit, uint64_t used) {
    return limit > used + queued ? limit - used - queued : 0;
  };
  if (used_bytes_ >= credit_bytes_) return 0;
  return std::min({left(credit_events_, used_events_), left(max_unacknowledged_, unacknowledged_),
                   uint64_t{kMaxBatchEvents}});
}

void Exporter::AskForEvents(absl::Time now, Outputs* out) {
  if (asked_ || paused_ || queue_.size() >= kMaxQueuedBlocks ||
      inflight_.size() >= kMaxInflightBlocks) {
    return;
  }
  const uint64_t room = RoomForEvents();
  if (room == 0) return;
  const uint64_t events = pace_.Available(now, room);
  if (events == 0) {
    wake_at_ = pace_.When(1);
    return;
  }
  asked_ = true;
  out->push_back(
      NeedEvents{.request = ++last_request_,
                 .from = next_,
                 .max_events = static_cast<size_t>(events),
                 .max_bytes = std::min(peer_max_frame_, kFullFrameBytes) - kBatchOverheadBytes,
                 .max_event_bytes = peer_max_frame_ - kBatchOverheadBytes});
}

void Exporter::FlushRows(Outputs* out) {
  record_now_ = false;
  if (rows_.empty()) return;
  out->push_back(RecordLedger{std::move(rows_), acknowledged_, acknowledged_through_, link_epoch_});
  rows_.clear();
}

bool Exporter::HasBatch() const {
  return place_known_ && !stopped_ && !paused_ && !queue_.empty() &&
         !queue_.front().sequences.empty() && queue_.front().sequences.back() <= horizon_ &&
         used_bytes_ < credit_bytes_;
}

SendFrame Exporter::TakeBatch() {
  Block block = std::move(queue_.front());
  queue_.pop_front();
  const Position first = sent_.Next();
  const size_t events = block.sequences.size();
  sent_ = sent_.Plus(events);
  unacknowledged_ += events;

  SendFrame send;
  federation::v1::Batch& batch = *send.frame.mutable_batch();
  batch.set_first_position(first.value());
  batch.set_token(sealer_->Seal({block.last, sent_, block.last_mark}, Scope(link_epoch_)));
  batch.set_link_epoch(link_epoch_);
  send.events = std::move(block.events);
  used_events_ += events;
  used_bytes_ += EncodedSize(send);
  KeepSent(std::move(block), first);
  MoveQuietBlocks();
  return send;
}

void Exporter::FillHeartbeat(federation::v1::Heartbeat* heartbeat) {
  record_now_ = true;
  if (!place_known_) return;
  heartbeat->set_last_position(sent_.value());
  heartbeat->set_token(sealer_->Seal(sent_place_, Scope(link_epoch_)));
  heartbeat->set_link_epoch(link_epoch_);
  UpdateCaughtUp();
  if (caught_up_ == absl::InfinitePast()) return;
  const int64_t seconds = absl::ToUnixSeconds(caught_up_);
  heartbeat->mutable_caught_up_as_of()->set_seconds(seconds);
}

// Whoever reads the head at a time does not see what was accepted just before and is
// being committed. So the claim for a head is the time of the heartbeat before the one
// that read it: an accept does not take an interval. Whole seconds, rounded down, are
// fine enough and of one size.
void Exporter::UpdateCaughtUp() {
  const auto redeem = [this] {
    if (!claim_ || sent_place_.sequence < claim_->head) return;
    caught_up_ = std::max(caught_up_, claim_->as_of);
    claim_.reset();
  };
  redeem();
  if (!claim_ && head_before_ != absl::InfinitePast()) claim_ = HeadMoved{head_.head, head_before_};
  redeem();
  head_before_ = head_.as_of;
}

TokenScope Exporter::Scope(std::string link_epoch) const {
  return {peer_, agreement_id_, log_epoch_, std::move(link_epoch)};
}

}  // namespace cdgate::link
