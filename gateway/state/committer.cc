#include "gateway/state/committer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/eventlog/log_search.h"

namespace cdgate::state {

using base::MakeError;
using base::MutexLock;
using base::Reason;

namespace {

// What a waiting proposal costs, about.
size_t BytesOf(const Proposal& proposal) {
  size_t bytes = 512;
  for (const NewEvent& event : proposal.events) bytes += 512 + event.stored.size();
  for (const ResourceEdit& edit : proposal.resources) bytes += edit.value.size();
  return bytes;
}

absl::Status Draining() {
  return MakeError(Reason::kDraining, "the gateway is shutting down; try again");
}

}  // namespace

Committer::Committer(const StoreOptions& options, const StoreDeps& deps, const Fold& fold,
                     Applier& applier, SpaceGuard& space, StoreMetrics& metrics)
    : options_(options),
      log_(deps.log),
      clock_(deps.clock),
      background_(deps.background),
      canonical_digest_(deps.canonical_digest),
      on_fatal_(deps.on_fatal),
      sign_origin_(deps.sign_origin),
      run_delay_(deps.run_delay),
      applier_(applier),
      space_(space),
      metrics_(metrics),
      resolver_(fold, {.dedup_horizon = options.dedup_horizon,
                       .can_compare = deps.canonical_digest != nullptr}),
      callbacks_(deps.callbacks == nullptr ? nullptr : base::Strand::Create(*deps.callbacks)),
      comparisons_(TaskGate::Create()) {}

Committer::~Committer() { Shutdown(); }

void Committer::Start() {
  thread_ = std::thread([this] { Run(); });
}

absl::Status Committer::Admit(const Pending& pending) {
  if (!closed_.ok()) return closed_;
  const size_t events = pending_events_ + pending.proposal.events.size();
  const size_t bytes = pending_bytes_ + pending.bytes;
  if (pending_bytes_ == 0 ||
      (events <= options_.max_pending_events && bytes <= options_.max_pending_bytes)) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kOverloaded,
                   absl::StrCat(pending_events_, " events wait for the log; try again later"));
}

absl::Status Committer::Propose(Proposal proposal, Done done) {
  const size_t bytes = BytesOf(proposal);
  auto pending = std::make_unique<Pending>(
      Pending{.proposal = std::move(proposal), .done = std::move(done), .bytes = bytes});
  const size_t events = pending->proposal.events.size();
  absl::Status status;
  bool wake = false;
  {
    MutexLock lock(mu_);
    status = Admit(*pending);
    if (status.ok()) {
      pending_events_ += events;
      pending_bytes_ += bytes;
      metrics_.pending_events.Set(static_cast<double>(pending_events_));
      queue_.push_back(std::move(pending));
      wake = std::exchange(asleep_, false);
    }
  }
  if (wake) parker_.Wake();
  if (!status.ok()) metrics_.Refused(status);
  return status;
}

void Committer::Wake() {
  {
    MutexLock lock(mu_);
    if (!std::exchange(asleep_, false)) return;
  }
  parker_.Wake();
}

void Committer::Run() {
  pthread_setname_np(pthread_self(), "committer");
  for (;;) {
    Batch batch = TakeBatch();
    if (batch.empty()) return;
    CommitBatch(std::move(batch));
  }
}

// Whether some were there already.
bool Committer::AwaitProposals() {
  for (bool slept = false;; slept = true) {
    {
      MutexLock lock(mu_);
      if (!queue_.empty() || stopping_) return !slept;
      asleep_ = true;
    }
    parker_.Park();
  }
}

void Committer::AwaitMore(bool crowded) {
  if (run_delay_ == nullptr) return;
  size_t events = 0;
  {
    MutexLock lock(mu_);
    events = stopping_ ? CommitPace::kEnoughEvents : pending_events_;
  }
  CommitPace::Moment moment{clock_.Monotonic(), run_delay_()};
  if (const absl::Duration wait = pace_.Wait(moment, crowded, events);
      wait > absl::ZeroDuration()) {
    absl::SleepFor(wait);
    moment.now = clock_.Monotonic();
  }
  pace_.Begin(moment);
}

// Waits for proposals; none: the committer stops.
Committer::Batch Committer::TakeBatch() {
  Batch batch;
  size_t events = 0;
  size_t bytes = 0;
  AwaitMore(AwaitProposals());
  MutexLock lock(mu_);
  while (!queue_.empty()) {
    events += queue_.front()->proposal.events.size();
    bytes += queue_.front()->bytes;
    const bool fits = events <= options_.max_commit_events && bytes <= options_.max_commit_bytes;
    if (!batch.empty() && !fits) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Committer::CommitBatch(Batch batch) {
  const absl::Status status = TryCommit(batch);
  if (!status.ok()) {
    for (const PendingPtr& pending : batch) {
      pending->to_compare.clear();
      Refuse(status, pending.get());
    }
  }
  Park(&batch);
  Answer(std::move(batch));
  if (base::ReasonOf(status) == Reason::kLogWriteFailed) Fail(status);
}

absl::Status Committer::TryCommit(const Batch& batch) {
  CDGATE_RETURN_IF_ERROR(applier_.CatchUp());
  const eventlog::Head head = log_.head();
  CDGATE_RETURN_IF_ERROR(
      resolver_.Resolve(batch, {.head = head, .now = clock_.Now(), .disk_full = space_.IsLow()}));
  if (resolver_.empty()) return absl::OkStatus();
  const event::CommitPtr commit = MakeCommit(head);
  applier_.Expect(commit.get(), resolver_.identities());
  const absl::Status appended = Append(commit);
  applier_.Expect(nullptr, {});
  CDGATE_RETURN_IF_ERROR(appended);
  return applier_.status();
}

event::CommitPtr Committer::MakeCommit(const eventlog::Head& head) {
  storage::v1::CommitRecord record = resolver_.TakeRecord();
  record.set_format_version(event::kCommitFormatVersion);
  record.set_epoch(head.epoch.value());
  record.set_number(head.commit + 1);
  record.set_first_sequence(head.sequence.Next().value());
  // Never backwards, so that "from TIME" has one answer.
  record.set_commit_time_nanos(absl::ToUnixNanos(std::max(clock_.Now(), head.commit_time)));
  if (sign_origin_ && !resolver_.leaves().empty()) {
    if (auto signature = sign_origin_(resolver_.leaves())) {
      *record.mutable_origin_statement() = *std::move(signature);
    }
  }
  return event::MakeCommit(std::move(record), resolver_.events());
}

absl::Status Committer::Append(const event::CommitPtr& commit) {
  struct Completion {
    base::Mutex mu;
    base::CondVar done;
    std::optional<absl::Status> status CDGATE_GUARDED_BY(mu);
  };
  const absl::Duration begin = clock_.Monotonic();
  const auto completion = std::make_shared<Completion>();
  log_.Append(commit, [completion](absl::Status status) {
    MutexLock lock(completion->mu);
    completion->status = std::move(status);
    completion->done.SignalAll();
  });
  MutexLock lock(completion->mu);
  while (!completion->status) completion->done.Wait(completion->mu);
  metrics_.commit_seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - begin));
  metrics_.commit_events.Observe(static_cast<double>(commit->events.size()));
  return *completion->status;
}

void Committer::Fail(const absl::Status& status) {
  Batch waiting;
  {
    MutexLock lock(mu_);
    if (!closed_.ok() && base::ReasonOf(closed_) == Reason::kLogWriteFailed) return;
    closed_ = status;
    waiting.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_.clear();
  }
  for (const PendingPtr& pending : waiting) Refuse(status, pending.get());
  Answer(std::move(waiting));
  base::LogError(base::LogLevel::kError, "the log cannot be written", status);
  if (on_fatal_) on_fatal_(status);
}

void Committer::CountEvents(const Pending& pending) {
  if (!pending.outcome.status.ok()) return metrics_.Refused(pending.outcome.status);
  size_t accepted = 0;
  for (const EventResult& event : pending.outcome.events) {
    if (!event.status.ok()) {
      metrics_.Refused(event.status);
    } else if (event.variant) {
      metrics_.variants.Add();
    } else if (event.duplicate) {
      metrics_.duplicates.Add();
    } else {
      ++accepted;
    }
  }
  if (accepted > 0) metrics_.accepted.Add(static_cast<double>(accepted));
}

// What is answered no longer counts as waiting.
void Committer::Settle(const Batch& batch) {
  size_t events = 0;
  size_t bytes = 0;
  for (const PendingPtr& pending : batch) {
    CountEvents(*pending);
    events += pending->proposal.events.size();
    bytes += pending->bytes;
  }
  MutexLock lock(mu_);
  pending_events_ -= events;
  pending_bytes_ -= bytes;
  metrics_.pending_events.Set(static_cast<double>(pending_events_));
}

void Committer::Answer(Batch batch) {
  if (batch.empty()) return;
  Settle(batch);
  const auto shared = std::make_shared<Batch>(std::move(batch));
  const auto run = [shared] {
    for (const PendingPtr& pending : *shared) pending->done(std::move(pending->outcome));
  };
  if (callbacks_ == nullptr || !callbacks_->Post(run)) run();
}

// Takes out of the batch what cannot be decided without reading the log, and has it
// compared off this thread.
void Committer::Park(Batch* batch) {
  const auto first = std::stable_partition(
      batch->begin(), batch->end(), [](const PendingPtr& p) { return p->to_compare.empty(); });
  Batch parked(std::make_move_iterator(first), std::make_move_iterator(batch->end()));
  batch->erase(first, batch->end());
  for (PendingPtr& pending : parked) {
    uint64_t id = 0;
    {
      MutexLock lock(mu_);
      id = ++last_parked_;
      parked_[id] = std::move(pending);
    }
    if (comparisons_->Post(background_, [this, id] { Compare(id); })) continue;
    PendingPtr refused = Unpark(id);
    Refuse(MakeError(Reason::kOverloaded, "no thread is free to compare contents; try again"),
           refused.get());
    batch->push_back(std::move(refused));
  }
}

PendingPtr Committer::Unpark(uint64_t parked) {
  MutexLock lock(mu_);
  const auto it = parked_.find(parked);
  PendingPtr out = std::move(it->second);
  parked_.erase(it);
  return out;
}

void Committer::Compare(uint64_t parked) {
  PendingPtr pending = Unpark(parked);
  const std::vector<NewEvent>& events = pending->proposal.events;
  for (Comparison& comparison : pending->to_compare) {
    const event::StoredView other = ViewOf(events[comparison.index]);
    comparison.same = comparison.sibling ? SameContent(ViewOf(events[*comparison.sibling]), other)
                                         : SameContent(comparison.first, other);
    pending->compared.push_back(comparison);
  }
  pending->to_compare.clear();
  Requeue(std::move(pending));
}

// Before everything that came later.
void Committer::Requeue(PendingPtr pending) {
  MutexLock lock(mu_);
  if (closed_.ok() || base::ReasonOf(closed_) == Reason::kDraining) {
    queue_.push_front(std::move(pending));
    lock.Unlock();
    return Wake();
  }
  Refuse(closed_, pending.get());
  lock.Unlock();
  Batch refused;
  refused.push_back(std::move(pending));
  Answer(std::move(refused));
}

// Where the first event cannot be read any more it counts as other content.
bool Committer::SameContent(base::Sequence first, const event::StoredView& other) const {
  const auto commit = eventlog::ReadCommitOf(log_, first);
  if (!commit.ok()) return false;
  const size_t index = first.value() - (*commit)->first_sequence.value();
  return SameContent((*commit)->events[index].stored(), other);
}

bool Committer::SameContent(const event::StoredView& first, const event::StoredView& other) const {
  const auto ours = event::CloudEventView::Scan(first.cloud_event());
  const auto theirs = event::CloudEventView::Scan(other.cloud_event());
  if (!ours.ok() || !theirs.ok()) return false;
  const auto our_digest = canonical_digest_(ours->data());
  const auto their_digest = canonical_digest_(theirs->data());
  return our_digest.ok() && their_digest.ok() && *our_digest == *their_digest;
}

void Committer::Shutdown() {
  {
    MutexLock lock(mu_);
    if (stopping_) return;
    if (closed_.ok()) closed_ = Draining();
  }
  comparisons_->Close();  // what runs puts its proposal back into the queue
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  Batch left;
  {
    MutexLock lock(mu_);
    for (auto& [id, pending] : parked_) left.push_back(std::move(pending));
    parked_.clear();
  }
  for (const PendingPtr& pending : left) Refuse(Draining(), pending.get());
  Answer(std::move(left));
}

}  // namespace cdgate::state
