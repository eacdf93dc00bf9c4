#include "gateway/delivery/live_matcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/filter_index.h"

namespace cdgate::delivery {

using base::MutexLock;
using base::Sequence;

namespace {

constexpr eventlog::ReadLimits kReadLimits = {.max_events = 512, .max_bytes = 1 << 20};

}  // namespace

// Shared with the callbacks of the feed, which may come after the matcher is gone.
class LiveMatcher::Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(eventlog::Feed& feed) : feed_(feed) {}

  absl::StatusOr<uint32_t> Register(absl::string_view filter);
  void Unregister(uint32_t id);
  bool Wait(uint32_t id, Sequence from, Callback callback);
  void Cancel(uint32_t id);
  Sequence Seen(uint32_t id) const;
  void Stop();
  size_t size() const;
  size_t waiting() const;

 private:
  struct Waiter {
    Sequence from;
    Callback callback;
  };
  struct Answer {
    Callback callback;
    event::CommitPtr commit;
  };

  void Read(Sequence from);
  void OnCommits(eventlog::Feed::Commits commits);
  void Look(const event::CommitPtr& commit, std::vector<Answer>* answers) CDGATE_REQUIRES(mu_);
  void SendAllAway(std::vector<Answer>* answers) CDGATE_REQUIRES(mu_);

  eventlog::Feed& feed_;
  mutable base::Mutex mu_;
  filter::FilterIndex index_ CDGATE_GUARDED_BY(mu_);
  filter::FilterIndex::Scratch scratch_ CDGATE_GUARDED_BY(mu_);
  filter::EventContext context_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_map<uint32_t, Waiter> waiters_ CDGATE_GUARDED_BY(mu_);
  uint32_t last_id_ CDGATE_GUARDED_BY(mu_) = 0;
  // Looked at through here, while reading_: the feed was asked for what comes behind it.
  Sequence through_ CDGATE_GUARDED_BY(mu_);
  bool reading_ CDGATE_GUARDED_BY(mu_) = false;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
};

absl::StatusOr<uint32_t> LiveMatcher::Core::Register(absl::string_view filter) {
  MutexLock lock(mu_);
  CDGATE_RETURN_IF_ERROR(index_.Add(last_id_ + 1, filter));
  return ++last_id_;
}

void LiveMatcher::Core::Unregister(uint32_t id) {
  Cancel(id);
  MutexLock lock(mu_);
  index_.Remove(id);
}

bool LiveMatcher::Core::Wait(uint32_t id, Sequence from, Callback callback) {
  const Sequence head = feed_.head();
  {
    MutexLock lock(mu_);
    if (stopped_) return false;
    if (reading_) {
      if (from <= through_) return false;
      waiters_[id] = {from, std::move(callback)};
      return true;
    }
    if (from <= head) return false;
    waiters_[id] = {from, std::move(callback)};
    reading_ = true;
    through_ = head;
  }
  Read(head.Next());
  return true;
}

void LiveMatcher::Core::Cancel(uint32_t id) {
  Callback dropped;  // destroyed without the lock: it may own anything
  MutexLock lock(mu_);
  const auto it = waiters_.find(id);
  if (it == waiters_.end()) return;
  dropped = std::move(it->second.callback);
  waiters_.erase(it);
}

Sequence LiveMatcher::Core::Seen(uint32_t id) const {
  MutexLock lock(mu_);
  return waiters_.contains(id) ? through_ : Sequence(0);
}

void LiveMatcher::Core::Read(Sequence from) {
  (void)feed_.Next(from, kReadLimits, [self = shared_from_this()](eventlog::Feed::Commits commits) {
    self->OnCommits(std::move(commits));
  });
}

void LiveMatcher::Core::OnCommits(eventlog::Feed::Commits commits) {
  std::vector<Answer> answers;
  Sequence next;
  bool again = false;
  {
    MutexLock lock(mu_);
    reading_ = false;
    if (stopped_) return;
    if (commits.ok()) {
      for (const event::CommitPtr& commit : *commits) Look(commit, &answers);
    } else {
      SendAllAway(&answers);
    }
    again = reading_ = !waiters_.empty();
    next = through_.Next();
  }
  if (again) Read(next);
  for (Answer& answer : answers) answer.callback(std::move(answer.commit));
}

void LiveMatcher::Core::Look(const event::CommitPtr& commit, std::vector<Answer>* answers) {
  through_ = std::max(through_, commit->last_sequence);
  for (const event::Record& record : commit->events) {
    if (waiters_.empty()) return;
    context_.Reset(record);
    for (const uint32_t id : index_.Match(context_, &scratch_)) {
      const auto it = waiters_.find(id);
      if (it == waiters_.end() || record.sequence() < it->second.from) continue;
      answers->push_back({std::move(it->second.callback), commit});
      waiters_.erase(it);
    }
  }
}

void LiveMatcher::Core::SendAllAway(std::vector<Answer>* answers) {
  for (auto& [id, waiter] : waiters_) answers->push_back({std::move(waiter.callback), nullptr});
  waiters_.clear();
}

void LiveMatcher::Core::Stop() {
  absl::flat_hash_map<uint32_t, Waiter> dropped;  // destroyed without the lock
  MutexLock lock(mu_);
  stopped_ = true;
  dropped.swap(waiters_);
}

size_t LiveMatcher::Core::size() const {
  MutexLock lock(mu_);
  return index_.size();
}

size_t LiveMatcher::Core::waiting() const {
  MutexLock lock(mu_);
  return waiters_.size();
}

LiveMatcher::Reader::~Reader() { core_->Unregister(id_); }

bool LiveMatcher::Reader::Wait(Sequence from, Callback callback) {
  return core_->Wait(id_, from, std::move(callback));
}

void LiveMatcher::Reader::Cancel() { core_->Cancel(id_); }

Sequence LiveMatcher::Reader::Seen() const { return core_->Seen(id_); }

LiveMatcher::LiveMatcher(eventlog::Feed& feed) : core_(std::make_shared<Core>(feed)) {}

LiveMatcher::~LiveMatcher() { core_->Stop(); }

absl::StatusOr<LiveMatcher::ReaderPtr> LiveMatcher::Register(absl::string_view filter) {
  CDGATE_ASSIGN_OR_RETURN(const uint32_t id, core_->Register(filter));
  return ReaderPtr(new Reader(core_, id));
}

size_t LiveMatcher::size() const { return core_->size(); }

size_t LiveMatcher::waiting() const { return core_->waiting(); }

}  // namespace cdgate::delivery
