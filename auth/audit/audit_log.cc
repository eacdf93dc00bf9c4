#include "auth/audit/audit_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::audit {
namespace {

using base::MutexLock;

constexpr size_t kMaxBatch = 256;
constexpr absl::Duration kRetentionInterval = absl::Hours(1);

}  // namespace

AuditLog::AuditLog(AuditOptions options, AuditDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      checkpoint_time_(deps_.metrics.AddGauge(
          "cdgate_audit_last_checkpoint_timestamp_seconds",
          "When the audit log was last signed, seconds since the Unix epoch; 0: not yet.")),
      writable_(deps_.metrics.AddGauge("cdgate_audit_writable",
                                       "1: the audit log is written; 0: it cannot be.")),
      retention_due_(deps_.clock.Monotonic()) {
  for (const char* kind : kKinds) {
    entries_[kind] =
        &deps_.metrics.AddCounter("cdgate_audit_entries_total",
                                  "Entries written to the audit log, by kind.", {{"kind", kind}});
  }
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(AuditOptions options, AuditDeps deps) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(options), std::move(deps)));
  CDGATE_RETURN_IF_ERROR(log->Reopen());
  MutexLock lock(log->thread_mu_);
  log->thread_ = std::thread([self = log.get()] { self->Run(); });
  return log;
}

AuditLog::~AuditLog() { Shutdown(); }

void AuditLog::Append(Record record, Done done) {
  absl::Status refused;
  {
    MutexLock lock(mu_);
    if (stopping_) {
      refused = base::MakeError(base::Reason::kDraining, "the gateway is shutting down");
    } else if (queue_.size() >= options_.max_queued || queued_bytes_ >= options_.max_queued_bytes) {
      refused = base::MakeError(base::Reason::kOverloaded,
                                "too much waits for the audit log; try again in a moment");
      if (done == nullptr) ++dropped_;
    } else {
      queued_bytes_ += record.members.text().size();
      queue_.push_back({std::move(record), std::move(done)});
      wake_.Signal();
      return;
    }
  }
  if (done) done(refused);
}

void AuditLog::Tick() {
  MutexLock lock(mu_);
  tick_ = true;
  wake_.Signal();
}

absl::Status AuditLog::health() const {
  MutexLock lock(mu_);
  return health_;
}

std::vector<std::string> AuditLog::problems() const {
  MutexLock lock(mu_);
  std::vector<std::string> out;
  if (!health_.ok()) {
    out.push_back(
        absl::StrCat(health_.message(), "; administrative changes are refused until it can"));
  }
  if (!damage_.ok()) {
    out.push_back(absl::StrCat("the audit log was damaged before this start: ", damage_.message(),
                               "; run cdgate audit verify"));
  }
  if (!signing_.ok()) {
    out.push_back(
        absl::StrCat("checkpoints of the audit log are not signed: ", signing_.message()));
  }
  return out;
}

Head AuditLog::head() const {
  MutexLock lock(mu_);
  return head_;
}

void AuditLog::Shutdown() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.Signal();
  }
  MutexLock lock(thread_mu_);
  if (thread_.joinable()) thread_.join();
}

void AuditLog::Run() {
  for (;;) {
    std::vector<Item> batch;
    bool tick = false;
    bool last = false;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !tick_ && !stopping_) wake_.Wait(mu_);
      const size_t count = std::min(queue_.size(), kMaxBatch);
      std::move(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count),
                std::back_inserter(batch));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
      for (const Item& item : batch) queued_bytes_ -= item.record.members.text().size();
      tick = std::exchange(tick_, false);
      last = stopping_ && queue_.empty();
    }
    if (!batch.empty()) WriteBatch(std::move(batch));
    if (tick) Housekeeping();
    if (last) break;
  }
  if (journal_ == nullptr) return;
  if (deps_.state_commit) journal_->set_state_commit(deps_.state_commit());
  absl::Status status = journal_->AppendCheckpoint("stop");
  if (status.ok()) status = journal_->Sync();
  if (!status.ok()) return Break(status, 0);
  Publish();
}

void AuditLog::WriteBatch(std::vector<Item> batch) {
  if (journal_ == nullptr && deps_.clock.Now() - last_try_ >= absl::Seconds(1)) {
    if (const absl::Status status = Reopen(); !status.ok()) Break(status, 0);
  }
  const absl::Status status = journal_ == nullptr ? health() : TryWrite(batch);
  Settle(std::move(batch), status);
}

absl::Status AuditLog::TryWrite(const std::vector<Item>& batch) {
  if (deps_.state_commit) journal_->set_state_commit(deps_.state_commit());
  std::vector<Record> records;
  uint64_t dropped = 0;
  {
    MutexLock lock(mu_);
    dropped = dropped_;
  }
  if (dropped > 0) {
    Record record{.kind = kLog};
    record.members.Text("event", "entries lost").Number("count", dropped);
    records.push_back(std::move(record));
  }
  for (const Item& item : batch) records.push_back(item.record);
  CDGATE_RETURN_IF_ERROR(journal_->Append(records));
  {
    MutexLock lock(mu_);
    dropped_ -= dropped;
  }
  const bool waited = std::any_of(batch.begin(), batch.end(),
                                  [](const Item& item) { return item.done != nullptr; });
  return waited ? journal_->Sync() : absl::OkStatus();
}

void AuditLog::Settle(std::vector<Item> batch, const absl::Status& status) {
  if (status.ok()) {
    for (const Item& item : batch) {
      const auto counter = entries_.find(item.record.kind);
      if (counter != entries_.end()) counter->second->Add();
    }
    Publish();
  } else {
    Break(status,
          static_cast<uint64_t>(std::count_if(
              batch.begin(), batch.end(), [](const Item& item) { return item.done == nullptr; })));
  }
  for (const Item& item : batch) {
    if (item.done) item.done(status);
  }
}

void AuditLog::Housekeeping() {
  absl::Status status;
  if (journal_ == nullptr) {
    status = Reopen();
  } else {
    status = Upkeep();
  }
  if (!status.ok()) return Break(status, 0);
  Publish();
}

absl::Status AuditLog::Upkeep() {
  if (deps_.state_commit) journal_->set_state_commit(deps_.state_commit());
  const absl::Time due = journal_->head().checkpoint_time + options_.checkpoint_interval;
  if (journal_->unsigned_entries() > 0 && deps_.clock.Now() >= due) {
    CDGATE_RETURN_IF_ERROR(journal_->AppendCheckpoint("interval"));
    CDGATE_RETURN_IF_ERROR(journal_->Sync());
  }
  if (deps_.clock.Monotonic() < retention_due_) return absl::OkStatus();
  retention_due_ = deps_.clock.Monotonic() + kRetentionInterval;
  return journal_->RemoveOld();
}

absl::Status AuditLog::Reopen() {
  last_try_ = deps_.clock.Now();
  const bool again = !health().ok();
  JournalOptions options = options_.journal;
  if (deps_.state_commit) options.state_commit = deps_.state_commit();
  CDGATE_ASSIGN_OR_RETURN(auto journal, Journal::Open(std::move(options), deps_.clock, deps_.signer,
                                                      again ? nullptr : deps_.seen));
  uint64_t dropped = 0;
  {
    MutexLock lock(mu_);
    dropped = dropped_;
    if (!journal->damage().ok()) damage_ = journal->damage();
  }
  if (again) {
    Record record{.kind = kLog};
    record.members.Text("event", "written again")
        .Text("after", health().message())
        .Number("lost", dropped);
    CDGATE_RETURN_IF_ERROR(journal->Append({record}));
    CDGATE_RETURN_IF_ERROR(journal->Sync());
    base::Log(base::LogLevel::kInfo, "audit log written again", {{"lost", absl::StrCat(dropped)}});
  }
  journal_ = std::move(journal);
  {
    MutexLock lock(mu_);
    health_ = absl::OkStatus();
    if (again) dropped_ -= dropped;
  }
  Publish();
  return absl::OkStatus();
}

void AuditLog::Break(const absl::Status& why, uint64_t lost) {
  journal_ = nullptr;
  MutexLock lock(mu_);
  dropped_ += lost;
  const bool news = health_.ok();
  health_ = why;
  writable_.Set(0);
  lock.Unlock();
  if (news) base::LogError(base::LogLevel::kError, "audit log cannot be written", why);
}

void AuditLog::Publish() {
  const Head now = journal_->head();
  uint64_t before = 0;
  {
    MutexLock lock(mu_);
    before = head_.checkpoint;
    head_ = now;
    signing_ = journal_->signing();
  }
  writable_.Set(1);
  if (now.checkpoint == before || now.checkpoint_time == absl::InfinitePast()) return;
  checkpoint_time_.Set(absl::ToDoubleSeconds(now.checkpoint_time - absl::UnixEpoch()));
  // A copy outside of the files: whoever cuts off their end cannot change the journal of
  // another machine.
  base::Log(base::LogLevel::kInfo, "audit log",
            {{"entry", absl::StrCat(now.number)}, {"hash", now.hash}});
}

}  // namespace cdgate::audit
