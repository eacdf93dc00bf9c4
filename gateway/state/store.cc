#include "gateway/state/store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/log_search.h"
#include "gateway/state/applier.h"
#include "gateway/state/committer.h"
#include "gateway/state/fold.h"
#include "gateway/state/outcome_folder.h"
#include "gateway/state/space.h"
#include "gateway/state/store_metrics.h"
#include "gateway/state/task_gate.h"
#include "gateway/state/watchers.h"

namespace cdgate::state {

using base::MutexLock;

class Store::Impl {
 public:
  Impl(const StoreOptions& options, StoreDeps deps, std::unique_ptr<Fold> fold)
      : options_(options),
        deps_(std::move(deps)),
        fold_(std::move(fold)),
        metrics_(deps_.metrics),
        space_(deps_.space, options_.min_free_percent, deps_.clock, metrics_.free_bytes),
        watchers_(fold_->resources(),
                  deps_.callbacks == nullptr ? deps_.background : *deps_.callbacks),
        applier_(
            deps_.log, *fold_, [this] { return MakeRoom(); },
            [this](const event::Commit& commit) { Applied(commit); }),
        flushes_(TaskGate::Create()),
        outcomes_(deps_.log, *fold_, deps_.fold_outcomes),
        committer_(options_, deps_, *fold_, applier_, space_, metrics_) {}

  absl::Status Begin();
  void Shutdown();
  absl::Status ApplyRetention();

  // Is it still told what was committed then?
  bool InAudit(int64_t commit_time_nanos) const;
  // Is the row of an event that the log no longer has?
  bool IsTold(const storage::v1::OutcomeRow& row) const;

  eventlog::EventLog& log() const { return deps_.log; }
  Fold& fold() const { return *fold_; }
  Watchers& watchers() { return watchers_; }
  Committer& committer() { return committer_; }

 private:
  absl::Status RollBackIfAhead();
  void Applied(const event::Commit& commit);
  bool HasUnflushed(uint64_t times) const;
  absl::Status MakeRoom();
  void FlushIfDue();
  void FillIdentities();
  void ShowLog();
  absl::StatusOr<base::Sequence> OldestWanted() const;

  const StoreOptions options_;
  const StoreDeps deps_;
  const std::unique_ptr<Fold> fold_;
  StoreMetrics metrics_;
  SpaceGuard space_;
  Watchers watchers_;
  Applier applier_;
  const std::shared_ptr<TaskGate> flushes_;
  base::Mutex mu_;
  bool flushing_ CDGATE_GUARDED_BY(mu_) = false;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
  OutcomeFolder outcomes_;
  Committer committer_;  // last: it uses all of them
};

// The log may have lost what the fold has: a disk that was rolled back. The log began a
// new epoch then, at a commit number that the fold has applied already.
absl::Status Store::Impl::RollBackIfAhead() {
  const eventlog::Head head = deps_.log.head();
  const uint64_t newest = fold_->newest_commit();
  const bool same_epoch = fold_->epoch() == head.epoch;
  if (newest < head.commit) return same_epoch ? absl::OkStatus() : fold_->ForgetUnapplied();
  if (same_epoch && newest == head.commit) return absl::OkStatus();
  if (same_epoch) {
    return base::MakeError(
        base::Reason::kLogCorrupt,
        absl::StrCat("the log ends at commit ", head.commit, " and the state has applied commit ",
                     newest, "; restore both from one backup, or begin a new epoch"));
  }
  base::Log(base::LogLevel::kError, "the state is rolled back to the head of the log",
            {{"state_commit", absl::StrCat(newest)}, {"log_commit", absl::StrCat(head.commit)}});
  return fold_->RollBack(head);
}

absl::Status Store::Impl::Begin() {
  CDGATE_RETURN_IF_ERROR(RollBackIfAhead());
  CDGATE_RETURN_IF_ERROR(applier_.CatchUp());
  deps_.log.AddObserver(&applier_);
  // What came in between.
  if (const absl::Status status = applier_.CatchUp(); !status.ok()) {
    deps_.log.RemoveObserver(&applier_);
    return status;
  }
  (void)space_.IsLow();  // so that the metric is there
  ShowLog();
  committer_.Start();
  FillIdentities();
  return absl::OkStatus();
}

// On the background: the identities of a long horizon take a while to be read.
void Store::Impl::FillIdentities() {
  const bool posted = flushes_->Post(deps_.background, [this] {
    const absl::Status filled = fold_->FillIdentities();
    if (!filled.ok()) base::LogError(base::LogLevel::kError, "identities were not read", filled);
  });
  if (!posted) base::Log(base::LogLevel::kWarning, "identities are looked up on disk", {});
}

void Store::Impl::Shutdown() {
  {
    MutexLock lock(mu_);
    if (stopped_) return;
    stopped_ = true;
  }
  committer_.Shutdown();
  deps_.log.RemoveObserver(&applier_);
  watchers_.Close();
  fold_->StopFillingIdentities();
  flushes_->Close();
  const absl::Status flushed = fold_->Flush();
  if (!flushed.ok()) base::LogError(base::LogLevel::kError, "the state was not flushed", flushed);
}

void Store::Impl::Applied(const event::Commit& commit) {
  metrics_.head_sequence.Set(static_cast<double>(commit.last_sequence.value()));
  if (!commit.record.resources().empty()) watchers_.Notify();
  FlushIfDue();
}

bool Store::Impl::HasUnflushed(uint64_t times) const {
  return fold_->unflushed_events() >= times * options_.flush_events ||
         fold_->unflushed_bytes() >= times * options_.flush_bytes;
}

// The disk may be slower than the publishers: at twice what is due the next commit waits,
// so that memory and the replay after a crash stay bounded.
absl::Status Store::Impl::MakeRoom() { return HasUnflushed(2) ? fold_->Flush() : absl::OkStatus(); }

void Store::Impl::FlushIfDue() {
  if (!HasUnflushed(1)) return;
  {
    MutexLock lock(mu_);
    if (flushing_) return;
    flushing_ = true;
  }
  const bool posted = flushes_->Post(deps_.background, [this] {
    const absl::Status flushed = fold_->Flush();
    if (!flushed.ok()) committer_.Fail(flushed);
    MutexLock lock(mu_);
    flushing_ = false;
  });
  if (posted) return;
  MutexLock lock(mu_);
  flushing_ = false;  // tried again after the next commit
}

void Store::Impl::ShowLog() {
  metrics_.head_sequence.Set(static_cast<double>(deps_.log.head().sequence.value()));
  metrics_.first_sequence.Set(static_cast<double>(deps_.log.first().sequence.value()));
  metrics_.log_bytes.Set(static_cast<double>(deps_.log.stats().bytes));
}

// What is before it is too old, or too much: events are taken to be of one size.
absl::StatusOr<base::Sequence> Store::Impl::OldestWanted() const {
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence by_age,
                          eventlog::SequenceAt(deps_.log, deps_.clock.Now() - options_.retention));
  const uint64_t bytes = deps_.log.stats().bytes;
  if (options_.retention_bytes == 0 || bytes <= options_.retention_bytes) return by_age;
  const uint64_t first = deps_.log.first().sequence.value();
  const uint64_t events = deps_.log.head().sequence.Next().value() - first;
  const double excess =
      static_cast<double>(bytes - options_.retention_bytes) / static_cast<double>(bytes);
  const auto too_many = static_cast<uint64_t>(static_cast<double>(events) * excess);
  return std::max(by_age, base::Sequence(first + too_many));
}

absl::Status Store::Impl::ApplyRetention() {
  (void)space_.IsLow();  // keeps the metric fresh on an idle gateway
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence wanted, OldestWanted());
  if (wanted >= fold_->flushed().next_sequence) CDGATE_RETURN_IF_ERROR(fold_->Flush());
  // The fold's last flushed event stays, and with it every commit that comes after.
  const uint64_t flushed = fold_->flushed().next_sequence.value();
  CDGATE_RETURN_IF_ERROR(outcomes_.Trim(std::min(wanted, base::Sequence(flushed - 1))));
  ShowLog();
  return absl::OkStatus();
}

bool Store::Impl::InAudit(int64_t commit_time_nanos) const {
  return absl::FromUnixNanos(commit_time_nanos) >= deps_.clock.Now() - options_.audit_retention;
}

bool Store::Impl::IsTold(const storage::v1::OutcomeRow& row) const {
  return row.sequence() < deps_.log.first().sequence.value() && InAudit(row.commit_time_nanos());
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options, StoreDeps deps,
                                                   std::unique_ptr<KvStore> kv) {
  CDGATE_ASSIGN_OR_RETURN(auto fold, Fold::Open(std::move(kv), deps.random));
  auto impl = std::make_unique<Impl>(options, std::move(deps), std::move(fold));
  CDGATE_RETURN_IF_ERROR(impl->Begin());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::Status Store::Propose(Proposal proposal, Done done) {
  return impl_->committer().Propose(std::move(proposal), std::move(done));
}

void Store::Shutdown() { impl_->Shutdown(); }

const IdentityHasher& Store::identities() const { return impl_->fold().identities().hasher(); }

eventlog::Head Store::head() const { return impl_->log().head(); }
eventlog::First Store::first() const { return impl_->log().first(); }

absl::StatusOr<EventRef> Store::ReadEvent(base::Sequence sequence) const {
  CDGATE_ASSIGN_OR_RETURN(event::CommitPtr commit, eventlog::ReadCommitOf(impl_->log(), sequence));
  const size_t index = sequence.value() - commit->first_sequence.value();
  const event::Record* const record = &commit->events[index];
  return EventRef{.commit = std::move(commit), .record = record};
}

absl::StatusOr<std::vector<base::Sequence>> Store::FindById(absl::string_view id) const {
  return impl_->fold().identities().FindById(id);
}

absl::StatusOr<base::Sequence> Store::SequenceAt(absl::Time time) const {
  return eventlog::SequenceAt(impl_->log(), time);
}

absl::Status Store::CheckPosition(const base::Epoch& epoch, base::Sequence sequence) const {
  return impl_->fold().CheckPosition(epoch, sequence);
}

std::vector<storage::v1::EpochStart> Store::Epochs() const { return impl_->fold().epochs(); }

std::optional<storage::v1::CursorMove> Store::Cursor(absl::string_view reader) const {
  return impl_->fold().cursors().Find(reader);
}

std::vector<storage::v1::CursorMove> Store::Cursors(absl::string_view prefix) const {
  return impl_->fold().cursors().List(prefix);
}

ResourceSnapshotPtr Store::Resources() const { return impl_->fold().resources().snapshot(); }

absl::StatusOr<std::vector<ResourcePtr>> Store::History(absl::string_view kind,
                                                        absl::string_view name) const {
  return impl_->fold().resources().History(kind, name);
}

uint64_t Store::Watch(Watcher watcher) { return impl_->watchers().Add(std::move(watcher)); }
void Store::Unwatch(uint64_t id) { impl_->watchers().Remove(id); }

absl::StatusOr<LedgerFacts> Store::Ledger(absl::string_view peer, base::Sequence sequence) const {
  return impl_->fold().ledger().Facts(peer, sequence);
}

absl::StatusOr<std::vector<storage::v1::LedgerRow>> Store::LedgerRows(absl::string_view peer,
                                                                      base::Sequence from,
                                                                      size_t limit) const {
  return impl_->fold().ledger().Rows(peer, from, limit);
}

absl::StatusOr<std::vector<storage::v1::RefusalRow>> Store::Refusals(
    absl::string_view id, absl::string_view source, absl::string_view origin) const {
  CDGATE_ASSIGN_OR_RETURN(auto rows, impl_->fold().letters().Refusals(id, source, origin));
  std::erase_if(rows, [this](const auto& row) { return !impl_->InAudit(row.commit_time_nanos()); });
  return rows;
}

absl::StatusOr<std::vector<storage::v1::DeadLetterRow>> Store::DeadLetters(
    absl::string_view reader, const storage::v1::DeadLetterKey* after, size_t limit) const {
  return impl_->fold().letters().DeadLetters(reader, after, limit);
}

PeerCounters Store::Counters(absl::string_view peer) const {
  return impl_->fold().ledger().Counters(peer);
}

std::map<std::string, PeerCounters> Store::AllCounters() const {
  return impl_->fold().ledger().AllCounters();
}

absl::StatusOr<std::vector<storage::v1::OutcomeRow>> Store::Outcomes(
    absl::string_view id, absl::string_view source, absl::string_view origin) const {
  CDGATE_ASSIGN_OR_RETURN(auto rows, impl_->fold().outcomes().Find(id, source, origin));
  std::erase_if(rows, [this](const auto& row) { return !impl_->IsTold(row); });
  return rows;
}

absl::StatusOr<std::optional<storage::v1::OutcomeRow>> Store::OutcomeAt(
    base::Sequence sequence) const {
  CDGATE_ASSIGN_OR_RETURN(auto row, impl_->fold().outcomes().At(sequence));
  if (row && !impl_->IsTold(*row)) row.reset();
  return row;
}

absl::Status Store::ApplyRetention() { return impl_->ApplyRetention(); }
absl::Status Store::Flush() { return impl_->fold().Flush(); }

}  // namespace cdgate::state
