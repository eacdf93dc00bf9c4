#include "gateway/state/fold.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"

namespace cdgate::state {
namespace {

using base::MakeError;
using base::MutexLock;
using base::Reason;
using storage::v1::FoldMeta;

constexpr uint32_t kFormatVersion = 1;

FoldMeta NewMeta(base::Random& random) {
  FoldMeta meta;
  meta.set_format_version(kFormatVersion);
  meta.set_next_sequence(1);
  meta.set_identity_key(random.Bytes(32));
  return meta;
}

absl::StatusOr<FoldMeta> ReadMeta(const KvStore& kv, base::Random& random) {
  std::string bytes;
  CDGATE_ASSIGN_OR_RETURN(const bool found, kv.Get(Table::kMeta, kMetaKey, &bytes));
  if (!found) return NewMeta(random);
  FoldMeta meta;
  if (!meta.ParseFromString(bytes) || meta.identity_key().size() != 32) {
    return MakeError(Reason::kLogCorrupt,
                     "the state's first row is damaged; restore the data directory from a backup");
  }
  if (meta.format_version() <= kFormatVersion) return meta;
  return MakeError(Reason::kLogFormatNewer,
                   absl::StrCat("the state has format version ", meta.format_version(),
                                ", this release knows ", kFormatVersion));
}

FoldPosition PositionOf(const FoldMeta& meta) {
  return {.commit = meta.applied_commit(), .next_sequence = base::Sequence(meta.next_sequence())};
}

// Does the row say what the ledger has about the event and `peer`?
bool Holds(const storage::v1::OutcomeRow& row, absl::string_view peer) {
  return std::any_of(row.outcomes().begin(), row.outcomes().end(), [&](const auto& outcome) {
    return outcome.peer() == peer && !outcome.open();
  });
}

}  // namespace

Fold::Fold(std::unique_ptr<KvStore> kv, FoldMeta meta)
    : kv_(std::move(kv)), batch_(kv_->NewBatch()) {
  identities_ = std::make_unique<IdentityIndex>(*kv_, meta.identity_key());
  resources_ = std::make_unique<ResourceTable>(*kv_);
  ledger_ = std::make_unique<Ledger>(*kv_, cursors_);
  letters_ = std::make_unique<Letters>(*kv_, identities_->hasher());
  outcomes_ = std::make_unique<Outcomes>(*kv_, identities_->hasher());
  MutexLock lock(mu_);
  position_ = flushed_ = PositionOf(meta);
  rows_commit_ = std::max(meta.rows_commit(), meta.applied_commit());
  meta_ = std::move(meta);
}

absl::StatusOr<std::unique_ptr<Fold>> Fold::Open(std::unique_ptr<KvStore> kv,
                                                 base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(FoldMeta meta, ReadMeta(*kv, random));
  std::unique_ptr<Fold> fold(new Fold(std::move(kv), std::move(meta)));
  CDGATE_RETURN_IF_ERROR(fold->Load());
  return fold;
}

absl::Status Fold::Load() {
  CDGATE_RETURN_IF_ERROR(cursors_.Load(*kv_));
  CDGATE_RETURN_IF_ERROR(resources_->Load());
  CDGATE_RETURN_IF_ERROR(outcomes_->Load());
  return ledger_->Load();
}

absl::Status Fold::Apply(const event::Commit& commit, absl::Span<const IdentityEntry> identities) {
  identities_->Apply(commit, identities);
  MutexLock write(write_mu_);
  Advance(commit);
  bool known = false;
  {
    MutexLock lock(mu_);
    known = commit.number <= rows_commit_;
  }
  if (known) return absl::OkStatus();
  return Checked(ApplyRows(commit));
}

void Fold::Advance(const event::Commit& commit) {
  MutexLock lock(mu_);
  position_ = {.commit = commit.number, .next_sequence = commit.last_sequence.Next()};
  unflushed_events_ += commit.events.size();
  unflushed_bytes_ += commit.byte_size;
  const auto& epochs = meta_.epochs();
  const bool known = !epochs.empty() && (epochs.rbegin()->epoch() == commit.epoch.value() ||
                                         epochs.rbegin()->commit() >= commit.number);
  if (known) return;
  storage::v1::EpochStart* const start = meta_.add_epochs();
  start->set_epoch(commit.epoch.value());
  start->set_commit(commit.number);
  start->set_first_sequence(commit.first_sequence.value());
}

absl::Status Fold::ApplyRows(const event::Commit& commit) {
  batch_->Clear();
  CDGATE_RETURN_IF_ERROR(ledger_->Apply(commit, batch_.get()));
  cursors_.Apply(commit, batch_.get());
  resources_->Apply(commit, batch_.get());
  letters_->Apply(commit, batch_.get());
  outcomes_->Apply(commit, batch_.get());
  {
    MutexLock lock(mu_);
    rows_commit_ = commit.number;
  }
  // A commit that brought no rows may be applied again: there is nothing to it.
  return batch_->empty() ? absl::OkStatus() : WriteMeta();
}

// Writes batch_, and with it how far the tables have got.
absl::Status Fold::WriteMeta() {
  {
    MutexLock lock(mu_);
    meta_.set_rows_commit(rows_commit_);
    batch_->Put(Table::kMeta, kMetaKey, meta_.SerializeAsString());
  }
  return kv_->Write(*batch_);
}

absl::Status Fold::RollBack(const eventlog::Head& head) {
  const base::Sequence next = head.sequence.Next();
  {
    MutexLock write(write_mu_);
    batch_->Clear();
    CDGATE_RETURN_IF_ERROR(identities_->RollBack(next, batch_.get()));
    CDGATE_RETURN_IF_ERROR(ledger_->RollBack(next, batch_.get()));
    CDGATE_RETURN_IF_ERROR(outcomes_->RollBack(next, batch_.get()));
    cursors_.RollBack(batch_.get());
    {
      MutexLock lock(mu_);
      // The newest commit of the log begins its new epoch, and is applied as a new one.
      if (position_.commit >= head.commit) {
        position_ = {.commit = head.commit - 1, .next_sequence = next};
      }
      rows_commit_ = std::min(rows_commit_, head.commit - 1);
      while (!meta_.epochs().empty() && meta_.epochs().rbegin()->commit() >= head.commit) {
        meta_.mutable_epochs()->RemoveLast();
      }
    }
    CDGATE_RETURN_IF_ERROR(WriteMeta());
  }
  return Flush();
}

absl::Status Fold::ForgetUnapplied() {
  MutexLock write(write_mu_);
  batch_->Clear();
  CDGATE_RETURN_IF_ERROR(identities_->RollBack(position().next_sequence, batch_.get()));
  return batch_->empty() ? absl::OkStatus() : WriteMeta();
}

absl::Status Fold::Checked(absl::Status status) {
  MutexLock lock(mu_);
  if (failed_.ok()) failed_ = status;
  return status;
}

absl::Status Fold::failure() const {
  MutexLock lock(mu_);
  return failed_;
}

absl::Status Fold::Flush() {
  return InTurn([this] { return FlushTurn(); });
}

absl::Status Fold::InTurn(absl::FunctionRef<absl::Status()> work) {
  {
    MutexLock lock(mu_);
    while (flushing_) flush_done_.Wait(mu_);
    if (!failed_.ok()) return failed_;
    flushing_ = true;
  }
  const absl::Status flushed = Checked(work());
  MutexLock lock(mu_);
  flushing_ = false;
  flush_done_.SignalAll();
  return flushed;
}

absl::Status Fold::FlushTurn() {
  FoldPosition end;
  {
    MutexLock write(write_mu_);
    identities_->BeginWrite();
    MutexLock lock(mu_);
    end = position_;
    unflushed_events_ = 0;
    unflushed_bytes_ = 0;
  }
  CDGATE_RETURN_IF_ERROR(identities_->Write());
  {
    MutexLock write(write_mu_);
    {
      MutexLock lock(mu_);
      meta_.set_applied_commit(end.commit);
      meta_.set_next_sequence(end.next_sequence.value());
    }
    batch_->Clear();
    CDGATE_RETURN_IF_ERROR(WriteMeta());
  }
  CDGATE_RETURN_IF_ERROR(kv_->Flush());
  MutexLock lock(mu_);
  flushed_ = end;
  return absl::OkStatus();
}

absl::Status Fold::PutOutcomes(absl::Span<const storage::v1::OutcomeRow> rows,
                               base::Sequence last) {
  MutexLock write(write_mu_);
  CDGATE_RETURN_IF_ERROR(failure());
  batch_->Clear();
  outcomes_->PutPiece(rows, last, batch_.get());
  return Checked(WriteMeta());
}

absl::Status Fold::FlushOutcomes() {
  if (outcomes_->next() == outcomes_->kept()) return absl::OkStatus();
  return InTurn([this] {
    const base::Sequence next = outcomes_->next();
    CDGATE_RETURN_IF_ERROR(kv_->Flush());
    outcomes_->Kept(next);
    return absl::OkStatus();
  });
}

// In pieces: publishers wait for the lock.
absl::Status Fold::DropFoldedExceptions(base::Sequence first) {
  constexpr uint64_t kAtOnce = 16'384;  // sequences
  for (;;) {
    const base::Sequence from = outcomes_->tidied();
    if (from == base::Sequence() || from >= first) return absl::OkStatus();
    CDGATE_RETURN_IF_ERROR(DropFoldedExceptions(from, std::min(first, from.Plus(kAtOnce))));
  }
}

absl::Status Fold::DropFoldedExceptions(base::Sequence from, base::Sequence end) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<ExceptionPlace> places, ledger_->Exceptions(from, end));
  std::vector<absl::string_view> held;
  for (const ExceptionPlace& place : places) {
    CDGATE_ASSIGN_OR_RETURN(const auto row, outcomes_->At(place.sequence));
    if (row && Holds(*row, place.peer)) held.push_back(place.key);
  }
  MutexLock write(write_mu_);
  CDGATE_RETURN_IF_ERROR(failure());
  batch_->Clear();
  for (const absl::string_view key : held) batch_->Delete(Table::kLedger, key);
  outcomes_->Tidied(end, batch_.get());
  return Checked(WriteMeta());
}

FoldPosition Fold::position() const {
  MutexLock lock(mu_);
  return position_;
}

uint64_t Fold::newest_commit() const {
  MutexLock lock(mu_);
  return std::max(position_.commit, rows_commit_);
}

FoldPosition Fold::flushed() const {
  MutexLock lock(mu_);
  return flushed_;
}

uint64_t Fold::unflushed_events() const {
  MutexLock lock(mu_);
  return unflushed_events_;
}

uint64_t Fold::unflushed_bytes() const {
  MutexLock lock(mu_);
  return unflushed_bytes_;
}

base::Epoch Fold::epoch() const {
  MutexLock lock(mu_);
  return base::Epoch(meta_.epochs().empty() ? "" : meta_.epochs().rbegin()->epoch());
}

std::vector<storage::v1::EpochStart> Fold::epochs() const {
  MutexLock lock(mu_);
  return {meta_.epochs().begin(), meta_.epochs().end()};
}

absl::Status Fold::CheckPosition(const base::Epoch& epoch, base::Sequence sequence) const {
  MutexLock lock(mu_);
  uint64_t end = position_.next_sequence.value();  // behind the epoch's last event
  for (auto it = meta_.epochs().rbegin(); it != meta_.epochs().rend(); ++it) {
    if (it->epoch() == epoch.value()) {
      if (sequence.value() < end) return absl::OkStatus();
      return MakeError(Reason::kEpochRegressed,
                       absl::StrCat("sequence ", sequence.value(), " is beyond ", end - 1,
                                    ", the last one of its epoch: the log was rolled back"));
    }
    end = it->first_sequence();
  }
  return MakeError(Reason::kWrongEpoch,
                   absl::StrCat("epoch ", epoch.value(), " is not one of this log"));
}

}  // namespace cdgate::state
