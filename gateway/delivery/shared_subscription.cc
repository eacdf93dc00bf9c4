#include "gateway/delivery/shared_subscription.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/frames.h"
#include "gateway/delivery/subscription_settings.h"
#include "gateway/delivery/subscriptions.h"
#include "gateway/delivery/window.h"

namespace cdgate::delivery {
namespace {

using base::Reason;

constexpr eventlog::ReadLimits kFeedLimits{.max_events = 1024, .max_bytes = 128 << 10};
// How far ahead of what was looked at events may leave without another write, and how few of them
// are left where that is written.
constexpr uint64_t kReserve = 4096;
constexpr uint64_t kReserveLow = 2048;

std::optional<absl::Duration> RetryAfter(const events::v1::Nack& nack) {
  if (!nack.has_retry_after()) return std::nullopt;
  return absl::Seconds(nack.retry_after().seconds()) +
         absl::Nanoseconds(nack.retry_after().nanos());
}

}  // namespace

SharedSubscription::SharedSubscription(SharedSubscriptions& owner, const SharedDeps& deps,
                                       admin::v1::Subscription subscription,
                                       authz::Principal principal)
    : owner_(owner),
      deps_(deps),
      subscription_(std::move(subscription)),
      principal_(std::move(principal)),
      settings_(SharedSettingsOf(subscription_)),
      strand_(base::Strand::Create(deps.pool)) {}

bool SharedSubscription::Post(std::function<void()> task) {
  return strand_->Post([self = shared_from_this(), task = std::move(task)] { task(); });
}

// --- streams

void SharedSubscription::Join(ConsumerId consumer, std::shared_ptr<SharedConsumer> stream,
                              SharedQueue::Capacity capacity) {
  if (stopped_) return stream->OnSubscriptionEnded(BeingChanged(subscription_.name()));
  if (const absl::Status begun = begun_ ? absl::OkStatus() : Begin(); !begun.ok()) {
    stream->OnSubscriptionEnded(begun);
    return EndAll(begun);
  }
  queue_->Join(consumer, capacity);
  members_[consumer] = std::move(stream);
  if (capacity.total != SharedQueue::Capacity().total) limited_.push_back(consumer);
}

absl::Status SharedSubscription::Begin() {
  epoch_ = deps_.store.head().epoch;
  const auto cursor = deps_.store.Cursor(ReaderOf(subscription_.name()));
  SharedProgress progress;
  if (cursor) {
    progress = FromProto(cursor->shared());
    progress.scanned = std::max(progress.scanned, base::Sequence(cursor->position()));
    reserved_ = base::Sequence(cursor->shared().reserved());
    CDGATE_RETURN_IF_ERROR(
        deps_.store.CheckPosition(base::Epoch(cursor->epoch()), progress.scanned));
  }
  CDGATE_ASSIGN_OR_RETURN(converter_, Converter::Make(subscription_.convert_to()));
  CDGATE_RETURN_IF_ERROR(RefreshScope());
  queue_.emplace(settings_, progress, reserved_);
  begun_ = true;
  return absl::OkStatus();
}

absl::Status SharedSubscription::RefreshScope() {
  std::shared_ptr<const authz::Grants> now = deps_.grants.Current();
  if (now == granted_by_) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(scope_, ReadScope::Make(*now, principal_, subscription_.filter()));
  granted_by_ = std::move(now);
  return absl::OkStatus();
}

bool SharedSubscription::Want(ConsumerId consumer) {
  return Post([this, consumer] {
    if (!members_.contains(consumer)) return;
    waiting_.push_back(consumer);
    Dispatch();
  });
}

void SharedSubscription::Leave(ConsumerId consumer, SharedQueue::Leaving leaving) {
  const bool posted = Post([this, consumer, leaving] {
    owner_.OnLeft(subscription_.name(), this);
    std::erase(limited_, consumer);
    std::erase(waiting_, consumer);
    if (members_.erase(consumer) > 0) queue_->Leave(consumer, leaving, deps_.clock.Monotonic());
    if (begun_) Changed();  // also where it was ended before: it may have been the last
  });
  if (!posted) owner_.Forget(subscription_.name(), this);
}

// --- what comes back

bool SharedSubscription::Acknowledge(ConsumerId consumer, events::v1::Ack ack) {
  return Post([this, consumer, ack = std::move(ack)] {
    if (!members_.contains(consumer)) return;
    absl::Status done;
    for (const uint64_t sequence : ack.sequences()) {
      done.Update(queue_->Acknowledge(base::Sequence(sequence)));
    }
    if (ack.confirm()) {
      confirm_.push_back({consumer, {ack.sequences().begin(), ack.sequences().end()}});
    }
    Settle(consumer, done);
  });
}

bool SharedSubscription::Reject(ConsumerId consumer, events::v1::Nack nack) {
  return Post([this, consumer, nack = std::move(nack)] {
    if (!members_.contains(consumer)) return;
    const absl::Duration now = deps_.clock.Monotonic();
    absl::Status done;
    for (const uint64_t sequence : nack.sequences()) {
      done.Update(queue_->Reject(consumer, base::Sequence(sequence), RetryAfter(nack), now));
    }
    Settle(consumer, done);
  });
}

bool SharedSubscription::Reject(ConsumerId consumer, base::Sequence sequence, absl::Status why) {
  return Post([this, consumer, sequence, why = std::move(why)] {
    if (!members_.contains(consumer)) return;
    const absl::Status done =
        queue_->Reject(consumer, sequence, std::nullopt, deps_.clock.Monotonic());
    TakeLost(why);
    Settle(consumer, done);
  });
}

bool SharedSubscription::GiveBack(ConsumerId consumer, base::Sequence sequence,
                                  absl::Duration delay) {
  return Post([this, consumer, sequence, delay] {
    if (!members_.contains(consumer)) return;
    Settle(consumer, queue_->GiveBack(consumer, sequence, delay, deps_.clock.Monotonic()));
  });
}

bool SharedSubscription::Extend(ConsumerId consumer, events::v1::Extend extend) {
  return Post([this, consumer, extend = std::move(extend)] {
    if (!members_.contains(consumer)) return;
    const absl::Duration by =
        absl::Seconds(extend.by().seconds()) + absl::Nanoseconds(extend.by().nanos());
    const absl::Duration now = deps_.clock.Monotonic();
    absl::Status done;
    for (const uint64_t sequence : extend.sequences()) {
      done.Update(queue_->Extend(consumer, base::Sequence(sequence), by, now));
    }
    Settle(consumer, done);
  });
}

void SharedSubscription::Settle(ConsumerId consumer, const absl::Status& done) {
  if (!done.ok()) EndMember(consumer, done, SharedQueue::Leaving::kFailed);
  Changed();
}

void SharedSubscription::EndMember(ConsumerId consumer, const absl::Status& why,
                                   SharedQueue::Leaving leaving) {
  const auto member = members_.extract(consumer);
  if (member.empty()) return;
  member.mapped()->OnSubscriptionEnded(why);
  std::erase(waiting_, consumer);
  queue_->Leave(consumer, leaving, deps_.clock.Monotonic());
}

std::vector<SharedSubscription::ConsumerId> SharedSubscription::Through() const {
  std::vector<ConsumerId> through;
  std::copy_if(limited_.begin(), limited_.end(), std::back_inserter(through),
               [this](ConsumerId consumer) { return queue_->IsThrough(consumer); });
  return through;
}

void SharedSubscription::Changed() {
  dirty_ = true;
  Persist();
  Dispatch();
}

// --- what goes out

void SharedSubscription::Dispatch() {
  if (stopped_ || !begun_) return;
  if (const absl::Status granted = RefreshScope(); !granted.ok()) return EndAll(granted);
  std::deque<ConsumerId> still_waiting;
  bool has_room = false;
  for (const ConsumerId consumer : std::exchange(waiting_, {})) {
    std::string batch = FrameFor(consumer);
    if (batch.empty()) {
      still_waiting.push_back(consumer);
      has_room = has_room || queue_->HasRoom(consumer, 0);
    } else {
      members_.at(consumer)->OnEvents(std::move(batch));
    }
  }
  waiting_ = std::move(still_waiting);
  const bool may_leave = queue_->scanned() < reserved_;
  if (has_room && !HasMore() && !queue_->full() && may_leave) {
    AskFeed();
  } else if (!asking_) {
    Release();  // nothing of the log is held for streams that have no room
  }
  TakeLost();
  const bool low = queue_->scanned().Plus(kReserveLow) > reserved_;
  if (dirty_ || (low && !members_.empty())) Persist();
  ArmTimer();
}

std::string SharedSubscription::FrameFor(ConsumerId consumer) {
  std::string batch;
  AddDue(consumer, &batch);
  AddNew(consumer, &batch);
  return batch;
}

void SharedSubscription::AddDue(ConsumerId consumer, std::string* batch) {
  while (batch->size() < kFrameBytes) {
    const auto lease = queue_->TakeDue(consumer, deps_.clock.Monotonic());
    if (!lease) return;
    const absl::StatusOr<state::EventRef> event = deps_.store.ReadEvent(lease->sequence);
    if (event.ok()) {
      queue_->SetBytes(lease->sequence, event->record->byte_size());
      Append(*event->record, lease->attempt, batch);
    } else {
      queue_->GiveUp(lease->sequence);
      dirty_ = true;
    }
  }
}

void SharedSubscription::AddNew(ConsumerId consumer, std::string* batch) {
  for (; HasMore(); ++commit_, record_ = 0) {
    const event::Commit& commit = *commits_[commit_];
    for (; record_ < commit.events.size(); ++record_) {
      const event::Record& record = commit.events[record_];
      if (record.sequence() <= queue_->scanned()) continue;
      if (batch->size() >= kFrameBytes || queue_->full()) return;
      if (scope_->Covers(record) && !OfferTo(consumer, record, batch)) return;
      queue_->Scanned(record.sequence());
    }
  }
}

bool SharedSubscription::OfferTo(ConsumerId consumer, const event::Record& record,
                                 std::string* batch) {
  if (record.sequence() > reserved_ || !queue_->HasRoom(consumer, record.byte_size())) return false;
  const uint64_t key = settings_.keep_key_order ? SubjectKey(record.subject()) : 0;
  const auto lease = queue_->Offer(
      consumer, {.sequence = record.sequence(), .bytes = record.byte_size(), .key = key},
      deps_.clock.Monotonic());
  if (lease) Append(record, lease->attempt, batch);
  return true;
}

void SharedSubscription::Append(const event::Record& record, uint32_t attempt, std::string* batch) {
  if (attempt > 1) owner_.deliveries_again_.Add();
  AppendDelivered(record, attempt, converter_.Render(record), batch);
}

void SharedSubscription::Release() {
  commits_.clear();
  commit_ = record_ = 0;
}

void SharedSubscription::AskFeed() {
  if (asking_) return;
  asking_ = true;
  Release();
  ticket_ = deps_.feed.Next(queue_->scanned().Next(), kFeedLimits,
                            [self = shared_from_this()](eventlog::Feed::Commits commits) {
                              (void)self->Post([self = self.get(), commits = std::move(commits)] {
                                self->OnCommits(commits);
                              });
                            });
}

void SharedSubscription::OnCommits(eventlog::Feed::Commits commits) {
  asking_ = false;
  if (stopped_) return;
  if (!commits.ok()) return EndAll(commits.status());
  commits_ = *std::move(commits);
  commit_ = record_ = 0;
  Dispatch();
}

// --- time

void SharedSubscription::ArmTimer() {
  const absl::Duration next = queue_->NextWake(deps_.clock.Monotonic());
  if (next == timer_due_ || members_.empty()) return;
  if (timer_ != 0) deps_.timers.Cancel(timer_);
  timer_ = 0;
  timer_due_ = next;
  if (next == absl::InfiniteDuration()) return;
  timer_ = deps_.timers.At(next, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr) (void)self->Post([self = self.get()] { self->OnTimer(); });
  });
}

void SharedSubscription::OnTimer() {
  timer_ = 0;
  timer_due_ = absl::InfiniteDuration();
  if (stopped_) return;
  queue_->Expire(deps_.clock.Monotonic());
  Changed();
}

// --- on disk

void SharedSubscription::TakeLost(const absl::Status& why) {
  const Reason reason = base::ReasonOf(why).value_or(Reason::kDeliveryFailed);
  const std::string last =
      why.ok() ? "never acknowledged" : absl::StrCat("never taken, at last: ", why.message());
  for (const SharedQueue::Lost& lost : queue_->TakeLost()) {
    storage::v1::DeadLetter& letter = letters_.emplace_back();
    letter.set_reader(ReaderOf(subscription_.name()));
    letter.set_sequence(lost.sequence.value());
    letter.set_reason(base::ReasonLabel(reason));
    letter.set_message(absl::StrCat("delivered ", lost.deliveries, " times and ", last,
                                    "; mend what failed, then run cdgate subscription redrive ",
                                    subscription_.name()));
    owner_.dead_letters_.Add();
    dirty_ = true;
  }
}

void SharedSubscription::Persist() {
  if (stopped_ || persisting_ || !begun_) return;
  TakeLost();
  // Without streams nothing leaves, and what is on disk is exact.
  const base::Sequence reserve =
      members_.empty() ? queue_->scanned() : queue_->scanned().Plus(kReserve);
  const bool ahead =
      members_.empty() ? reserved_ <= reserve : queue_->scanned().Plus(kReserveLow) <= reserved_;
  if (!dirty_ && ahead) return;
  persisting_ = true;
  dirty_ = false;
  state::CursorEdit cursor;
  cursor.move.set_reader(ReaderOf(subscription_.name()));
  cursor.move.set_position(queue_->floor().value());
  cursor.move.set_epoch(epoch_.value());
  *cursor.move.mutable_shared() = ToProto(queue_->Progress(), reserve);
  state::Proposal proposal;
  proposal.cursors.push_back(std::move(cursor));
  proposal.dead_letters = std::exchange(letters_, {});
  Proposed proposed{
      .reserved = reserve, .confirmed = std::exchange(confirm_, {}), .through = Through()};
  auto done = [self = shared_from_this(),
               proposed = std::move(proposed)](const state::Outcome& outcome) {
    (void)self->Post([self = self.get(), proposed, status = outcome.status] {
      self->OnPersisted(proposed, status);
    });
  };
  if (absl::Status queued = deps_.store.Propose(std::move(proposal), std::move(done));
      !queued.ok()) {
    persisting_ = false;
    EndAll(queued);
  }
}

void SharedSubscription::OnPersisted(const Proposed& proposed, const absl::Status& status) {
  persisting_ = false;
  if (stopped_ || !status.ok()) return EndAll(status);
  reserved_ = proposed.reserved;
  for (const Confirmation& confirmation : proposed.confirmed) {
    const auto member = members_.find(confirmation.consumer);
    if (member != members_.end()) member->second->OnConfirmed(confirmation.sequences);
  }
  for (const ConsumerId consumer : proposed.through) {
    EndMember(consumer, absl::OkStatus(), SharedQueue::Leaving::kSentAway);
  }
  if (dirty_) Persist();
  if (!when_stopped_.empty() && !persisting_) return EndAll(absl::OkStatus());
  Dispatch();
  EndIfIdle();
}

// --- the end

bool SharedSubscription::Stop(const absl::Status& why, std::function<void()> done) {
  return Post([this, why, done = std::move(done)] {
    when_stopped_.push_back(done);
    if (stopped_ || !begun_) return EndAll(why);
    for (const auto& [consumer, stream] : std::exchange(members_, {})) {
      stream->OnSubscriptionEnded(why);
      queue_->Leave(consumer, SharedQueue::Leaving::kSentAway, deps_.clock.Monotonic());
    }
    waiting_.clear();
    dirty_ = true;  // what was delivered is remembered
    Persist();
  });
}

void SharedSubscription::EndAll(const absl::Status& why) {
  stopped_ = true;
  for (const auto& [consumer, stream] : std::exchange(members_, {})) {
    stream->OnSubscriptionEnded(why);
  }
  waiting_.clear();
  Release();
  if (asking_) deps_.feed.Cancel(ticket_);
  asking_ = false;
  if (timer_ != 0) deps_.timers.Cancel(timer_);
  timer_ = 0;
  if (persisting_) return;  // OnPersisted() comes back here
  owner_.Forget(subscription_.name(), this);
  for (const auto& done : std::exchange(when_stopped_, {})) done();
}

void SharedSubscription::EndIfIdle() {
  if (stopped_ || !members_.empty() || persisting_ || dirty_) return;
  if (owner_.ForgetIfIdle(subscription_.name(), this)) EndAll(absl::OkStatus());
}

}  // namespace cdgate::delivery
