#include "federation/session/ledger_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cdgate::session {
namespace {

// Puts `earlier` before `later`.
template <typename T>
void Prepend(std::vector<T> earlier, std::vector<T>* later) {
  std::move(later->begin(), later->end(), std::back_inserter(earlier));
  *later = std::move(earlier);
}

}  // namespace

bool IsRetryable(const absl::Status& status) {
  switch (base::ReasonOf(status).value_or(base::Reason::kInternal)) {
    case base::Reason::kOverloaded:
    case base::Reason::kDiskFull:
    case base::Reason::kNotLeader: return true;
    default: return false;
  }
}

absl::Duration RetryDelay(const absl::Status& status) {
  return base::ReasonOf(status) == base::Reason::kOverloaded ? absl::Milliseconds(50)
                                                             : absl::Seconds(1);
}

void LedgerWriter::Slip::AddTo(state::Proposal* proposal) const {
  proposal->ledger.insert(proposal->ledger.end(), rows.begin(), rows.end());
  proposal->dead_letters.insert(proposal->dead_letters.end(), dead_letters.begin(),
                                dead_letters.end());
  if (cursor) proposal->cursors.push_back({.move = *cursor});
  if (replay_cursor) proposal->cursors.push_back({.move = *replay_cursor});
  if (receipt_cursor) proposal->cursors.push_back({.move = *receipt_cursor});
}

// The cursor of a direction that we send on is ours: its token is the sequence.
base::Sequence RecordedThrough(const state::Store& store, absl::string_view peer) {
  const auto move = store.Cursor(ExportCursorName(peer));
  uint64_t sequence = 0;
  if (!move || !absl::SimpleAtoi(move->token(), &sequence)) return base::Sequence(0);
  return base::Sequence(sequence);
}

LedgerWriter::LedgerWriter(const SessionDeps& deps, std::string peer, Poster post,
                           std::function<void(base::Sequence)> on_horizon, Failed failed)
    : deps_(deps),
      peer_(std::move(peer)),
      post_(std::move(post)),
      on_horizon_(std::move(on_horizon)),
      failed_(std::move(failed)) {}

LedgerWriter::~LedgerWriter() { deps_.timers.Cancel(timer_); }

void LedgerWriter::Record(link::RecordLedger record) {
  storage::v1::CursorMove cursor;
  cursor.set_reader(ExportCursorName(peer_));
  cursor.set_position(record.acknowledged_position.value());
  cursor.set_epoch(record.link_epoch);
  cursor.set_token(absl::StrCat(record.acknowledged_sequence.value()));
  waiting_.cursor = std::move(cursor);
  AddRows(std::move(record.rows));
}

void LedgerWriter::Record(link::RecordReplay record) {
  storage::v1::CursorMove cursor;
  cursor.set_reader(ReplayCursorName(peer_));
  cursor.set_position(record.number);
  cursor.set_token(absl::StrCat(record.through.value()));
  waiting_.replay_cursor = std::move(cursor);
  AddRows(std::move(record.rows));
}

void LedgerWriter::Record(link::ReceiptReceived record) {
  storage::v1::CursorMove cursor;
  cursor.set_reader(ReceiptCursorName(peer_));
  cursor.set_position(record.receipt.position());
  cursor.set_epoch(record.link_epoch);
  cursor.set_receipt(record.receipt.SerializeAsString());
  waiting_.receipt_cursor = std::move(cursor);
  Arm(kFlushDelay);
}

void LedgerWriter::AddRows(std::vector<storage::v1::LedgerRow> rows) {
  std::move(rows.begin(), rows.end(), std::back_inserter(waiting_.rows));
  Arm(kFlushDelay);
}

void LedgerWriter::AddDeadLetters(std::vector<storage::v1::DeadLetter> dead_letters) {
  if (dead_letters.empty()) return;
  std::move(dead_letters.begin(), dead_letters.end(), std::back_inserter(waiting_.dead_letters));
  Arm(kFlushDelay);
}

LedgerWriter::Slip LedgerWriter::Take() { return std::exchange(waiting_, Slip{}); }

void LedgerWriter::Restore(Slip slip) {
  if (slip.empty()) return;
  Prepend(std::move(slip.rows), &waiting_.rows);
  Prepend(std::move(slip.dead_letters), &waiting_.dead_letters);
  if (!waiting_.cursor) waiting_.cursor = std::move(slip.cursor);
  if (!waiting_.replay_cursor) waiting_.replay_cursor = std::move(slip.replay_cursor);
  if (!waiting_.receipt_cursor) waiting_.receipt_cursor = std::move(slip.receipt_cursor);
  Arm(kFlushDelay);
}

void LedgerWriter::Flush() {
  deps_.timers.Cancel(std::exchange(timer_, 0));
  if (horizon_ && !horizon_proposed_) return TryHorizon();
  if (!waiting_.empty() && in_flight_ == 0) ProposeSlip(Take(), std::nullopt);
}

void LedgerWriter::WriteHorizon(storage::v1::LedgerRow row) {
  // A later one covers an earlier one that is not on disk yet.
  if (horizon_) row.set_first_sequence(std::min(row.first_sequence(), horizon_->first_sequence()));
  horizon_ = std::move(row);
  TryHorizon();
}

void LedgerWriter::TryHorizon() {
  horizon_proposed_ = true;
  Slip slip = Take();
  slip.rows.push_back(*horizon_);
  ProposeSlip(std::move(slip), base::Sequence(horizon_->last_sequence()));
}

void LedgerWriter::ProposeSlip(Slip slip, std::optional<base::Sequence> horizon) {
  ++in_flight_;
  state::Proposal proposal;
  slip.AddTo(&proposal);
  auto done = [this, slip, horizon, post = post_](state::Outcome outcome) mutable {
    post([this, slip = std::move(slip), horizon, status = outcome.status]() mutable {
      OnOutcome(std::move(slip), horizon, status);
    });
  };
  const absl::Status queued = deps_.store.Propose(std::move(proposal), std::move(done));
  if (!queued.ok()) OnOutcome(std::move(slip), horizon, queued);
}

void LedgerWriter::OnOutcome(Slip slip, std::optional<base::Sequence> horizon,
                             const absl::Status& status) {
  --in_flight_;
  if (status.ok()) {
    if (horizon && horizon_ && horizon_->last_sequence() <= horizon->value()) {
      horizon_.reset();
      horizon_proposed_ = false;
    }
    if (horizon) on_horizon_(*horizon);
    if (!waiting_.empty()) Arm(kFlushDelay);
    return;
  }
  if (horizon) {
    slip.rows.pop_back();  // the horizon itself: tried again from horizon_
    horizon_proposed_ = false;
  }
  Restore(std::move(slip));
  if (!IsRetryable(status)) {
    // Not written is what a crash would leave; the peer's next Resume says where it is.
    horizon_.reset();
    waiting_ = Slip{};
    return failed_(status);
  }
  Arm(RetryDelay(status));
}

void LedgerWriter::Arm(absl::Duration delay) {
  if (timer_ != 0) return;
  timer_ = deps_.timers.At(deps_.clock.Monotonic() + delay, [this, post = post_] {
    post([this] {
      timer_ = 0;
      Flush();
    });
  });
}

}  // namespace cdgate::session
