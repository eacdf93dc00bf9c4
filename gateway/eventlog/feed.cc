#include "gateway/eventlog/feed.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/mutex.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/commit_cache.h"

namespace cdgate::eventlog {

using base::MutexLock;

namespace {

// Answers given in one task before it makes room for others.
constexpr size_t kTurn = 64;
// Tasks that deliver at a time: callbacks are short, so a few use every core.
constexpr size_t kDeliverers = 4;
// Readers that have their answers from one of them before another is begun.
constexpr size_t kReadersEach = 256;

absl::Status Stopped() {
  return base::MakeError(base::Reason::kCancelled, "the gateway stops reading its log");
}

}  // namespace

// Shared with the tasks on the executor, which may run after the feed is gone: they find
// stopped_ then, and touch nothing else.
class Feed::Core final : public CommitObserver, public std::enable_shared_from_this<Core> {
 public:
  Core(EventLog& log, base::Executor& executor, base::Metrics& metrics, FeedOptions options)
      : log_(log),
        executor_(executor),
        options_(options),
        tail_gauge_(metrics.AddGauge("cdgate_feed_tail_bytes", "Bytes of events in the tail.")),
        waiting_gauge_(metrics.AddGauge("cdgate_feed_waiting_readers",
                                        "Readers that wait for the next event.")),
        from_tail_(metrics.AddCounter("cdgate_feed_answers_total",
                                      "Answers to readers, by where they came from.",
                                      {{"from", "tail"}})),
        from_log_(metrics.AddCounter("cdgate_feed_answers_total",
                                     "Answers to readers, by where they came from.",
                                     {{"from", "log"}})),
        from_cache_(metrics.AddCounter("cdgate_feed_answers_total",
                                       "Answers to readers, by where they came from.",
                                       {{"from", "cache"}})) {}

  void Start();
  void OnAppend(const event::CommitPtr& commit) override;
  void OnCommit(const event::CommitPtr& commit) override;
  Ticket Next(base::Sequence from, ReadLimits limits, Callback callback, Preview preview);
  std::vector<event::CommitPtr> TakeFromTail(base::Sequence from, ReadLimits limits);
  bool Cancel(Ticket ticket);
  void Shutdown();
  base::Sequence head() const;
  size_t waiting() const;

 private:
  struct Request {
    base::Sequence from;
    ReadLimits limits;
    Callback callback;
    Preview preview = nullptr;
    absl::Status error = {};  // the answer, where there is none but an error
  };
  struct Answer {
    Callback callback;
    Commits commits;
  };
  using Tail = std::deque<event::CommitPtr>;

  void Queue(Ticket ticket, const Request& request) CDGATE_REQUIRES(mu_);
  bool InTail(base::Sequence from) const CDGATE_REQUIRES(mu_);
  std::vector<event::CommitPtr> FromTail(base::Sequence from, ReadLimits limits) const
      CDGATE_REQUIRES(mu_);
  void Remember(const event::CommitPtr& commit, Tail* evicted) CDGATE_REQUIRES(mu_);
  void WakeWaiting() CDGATE_REQUIRES(mu_);
  void StartTasks();
  void Post(bool (Core::*turn)());
  bool DeliverTurn();
  bool ReadTurn();
  std::vector<Answer> TakeAnswers() CDGATE_REQUIRES(mu_);
  void Run(std::vector<Answer> answers);
  void ShowPreviews(const event::CommitPtr& commit);
  Commits ReadLog(base::Sequence from, ReadLimits limits) const;

  EventLog& log_;
  base::Executor& executor_;
  const FeedOptions options_;
  base::Gauge& tail_gauge_;
  base::Gauge& waiting_gauge_;
  base::Counter& from_tail_;
  base::Counter& from_log_;
  base::Counter& from_cache_;

  mutable base::Mutex mu_;
  base::CondVar idle_;
  CommitCache cache_ CDGATE_GUARDED_BY(mu_){options_.cache_bytes};
  // Commits with events, contiguous up to head_ once one came.
  Tail tail_ CDGATE_GUARDED_BY(mu_);
  size_t tail_bytes_ CDGATE_GUARDED_BY(mu_) = 0;
  base::Sequence head_ CDGATE_GUARDED_BY(mu_);
  // Every request that is not answered. A ticket in a queue without one was cancelled.
  absl::flat_hash_map<Ticket, Request> requests_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_set<Ticket> waiting_ CDGATE_GUARDED_BY(mu_);  // at the head
  // Of these, those that have not been shown the commit that is on its way.
  absl::flat_hash_set<Ticket> previewed_ CDGATE_GUARDED_BY(mu_);
  std::deque<Ticket> ready_ CDGATE_GUARDED_BY(mu_);   // to answer from the tail
  std::deque<Ticket> behind_ CDGATE_GUARDED_BY(mu_);  // to read from the log
  Ticket last_ticket_ CDGATE_GUARDED_BY(mu_) = 0;
  size_t deliverers_ CDGATE_GUARDED_BY(mu_) = 0;  // tasks posted or running
  size_t log_readers_ CDGATE_GUARDED_BY(mu_) = 0;
  size_t running_ CDGATE_GUARDED_BY(mu_) = 0;  // turns that use log_ or run callbacks
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
};

void Feed::Core::Start() {
  log_.AddObserver(this);
  const base::Sequence head = log_.head().sequence;
  MutexLock lock(mu_);
  head_ = std::max(head_, head);
}

// Appends `commit` to the tail; what no longer fits goes to `evicted`, to be freed
// without the lock.
void Feed::Core::Remember(const event::CommitPtr& commit, Tail* evicted) {
  if (!tail_.empty() && tail_.back()->last_sequence.Next() != commit->first_sequence) {
    tail_.swap(*evicted);  // a commit was missed while the feed began
    tail_bytes_ = 0;
  }
  tail_.push_back(commit);
  tail_bytes_ += commit->byte_size;
  while (tail_bytes_ > options_.tail_bytes && tail_.size() > 1) {
    tail_bytes_ -= tail_.front()->byte_size;
    evicted->push_back(std::move(tail_.front()));
    tail_.pop_front();
  }
  tail_gauge_.Set(static_cast<double>(tail_bytes_));
}

void Feed::Core::WakeWaiting() {
  ready_.insert(ready_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  previewed_.clear();
  waiting_gauge_.Set(0);
}

// The committer waits for this: one task shows it to all.
void Feed::Core::OnAppend(const event::CommitPtr& commit) {
  if (commit->events.empty() || commit->events.size() > kMostPreviewed) return;
  {
    MutexLock lock(mu_);
    if (previewed_.empty()) return;
  }
  // Where the executor refuses, readers do without.
  (void)executor_.TryPost([self = shared_from_this(), commit] { self->ShowPreviews(commit); });
}

void Feed::Core::ShowPreviews(const event::CommitPtr& commit) {
  std::vector<Preview> previews;
  {
    MutexLock lock(mu_);
    if (stopped_ || commit->last_sequence <= head_) return;  // they have it, or will soon
    for (const Ticket ticket : previewed_) {
      previews.push_back(std::move(requests_.at(ticket).preview));
    }
    previewed_.clear();
    ++running_;
  }
  for (const Preview& preview : previews) {
    std::optional<base::ThreadPool::Ending> ending;
    if (&preview == &previews.back()) ending.emplace();
    preview(commit);
  }
  previews.clear();
  MutexLock lock(mu_);
  --running_;
  idle_.SignalAll();
}

void Feed::Core::OnCommit(const event::CommitPtr& commit) {
  if (commit->events.empty()) return;
  Tail evicted;
  {
    MutexLock lock(mu_);
    if (commit->last_sequence <= head_) return;
    Remember(commit, &evicted);
    head_ = commit->last_sequence;
    WakeWaiting();
  }
  StartTasks();
}

bool Feed::Core::InTail(base::Sequence from) const {
  return !tail_.empty() && from >= tail_.front()->first_sequence &&
         from <= tail_.back()->last_sequence;
}

std::vector<event::CommitPtr> Feed::Core::FromTail(base::Sequence from, ReadLimits limits) const {
  auto it = std::partition_point(tail_.begin(), tail_.end(), [&](const event::CommitPtr& commit) {
    return commit->last_sequence < from;
  });
  std::vector<event::CommitPtr> out;
  ReadBudget budget(limits);
  for (; it != tail_.end() && budget.Take(**it); ++it) out.push_back(*it);
  return out;
}

// Puts the ticket where its answer will come from.
void Feed::Core::Queue(Ticket ticket, const Request& request) {
  if (!request.error.ok() || InTail(request.from)) {
    ready_.push_back(ticket);
  } else if (request.from <= head_) {
    behind_.push_back(ticket);
  } else {
    waiting_.insert(ticket);
    if (request.preview) previewed_.insert(ticket);
    waiting_gauge_.Set(static_cast<double>(waiting_.size()));
  }
}

Feed::Ticket Feed::Core::Next(base::Sequence from, ReadLimits limits, Callback callback,
                              Preview preview) {
  Ticket ticket = 0;
  {
    MutexLock lock(mu_);
    if (!stopped_) {
      Request request{from, limits, std::move(callback), std::move(preview)};
      if (from > head_.Next()) {
        request.error = CheckReadFrom({.sequence = from}, {.sequence = head_}, {});
      }
      ticket = ++last_ticket_;
      Queue(ticket, request);
      requests_.emplace(ticket, std::move(request));
    }
  }
  if (ticket == 0) {
    callback(Stopped());
  } else {
    StartTasks();
  }
  return ticket;
}

std::vector<event::CommitPtr> Feed::Core::TakeFromTail(base::Sequence from, ReadLimits limits) {
  std::vector<event::CommitPtr> out;
  {
    MutexLock lock(mu_);
    if (stopped_ || !InTail(from)) return out;
    out = FromTail(from, limits);
  }
  from_tail_.Add(1);
  return out;
}

bool Feed::Core::Cancel(Ticket ticket) {
  Callback dropped;  // destroyed without the lock: it may own anything
  Preview dropped_preview;
  MutexLock lock(mu_);
  const auto it = requests_.find(ticket);
  if (it == requests_.end()) return false;
  dropped = std::move(it->second.callback);
  dropped_preview = std::move(it->second.preview);
  requests_.erase(it);
  waiting_.erase(ticket);
  previewed_.erase(ticket);
  lock.Unlock();
  return true;
}

// Posts as many tasks as the queues need and the limits allow.
void Feed::Core::StartTasks() {
  size_t deliver = 0;
  size_t read = 0;
  {
    MutexLock lock(mu_);
    for (; deliverers_ < kDeliverers && ready_.size() > deliverers_ * kReadersEach; ++deliver) {
      ++deliverers_;
    }
    for (; log_readers_ < options_.concurrent_reads && behind_.size() > log_readers_; ++read) {
      ++log_readers_;
    }
  }
  for (; deliver > 0; --deliver) Post(&Core::DeliverTurn);
  for (; read > 0; --read) Post(&Core::ReadTurn);
}

// Takes turns on the executor until one says that nothing is left; in this thread where
// the executor refuses.
void Feed::Core::Post(bool (Core::*turn)()) {
  const auto self = shared_from_this();
  const auto task = [self, turn] {
    if ((self.get()->*turn)()) self->Post(turn);
  };
  if (executor_.TryPost(task)) return;
  while ((this->*turn)()) {
  }
}

// The next answers that need no disk, at most kTurn.
std::vector<Feed::Core::Answer> Feed::Core::TakeAnswers() {
  std::vector<Answer> out;
  while (!ready_.empty() && out.size() < kTurn) {
    const Ticket ticket = ready_.front();
    ready_.pop_front();
    const auto it = requests_.find(ticket);
    if (it == requests_.end()) continue;
    Request& request = it->second;
    if (request.error.ok() && !InTail(request.from)) {
      behind_.push_back(ticket);  // evicted since it was queued
      continue;
    }
    Commits commits = request.error.ok() ? Commits(FromTail(request.from, request.limits))
                                         : Commits(request.error);
    out.push_back({std::move(request.callback), std::move(commits)});
    requests_.erase(it);
  }
  return out;
}

// Ends a turn that counted itself in running_.
void Feed::Core::Run(std::vector<Answer> answers) {
  for (Answer& answer : answers) {
    std::optional<base::ThreadPool::Ending> ending;
    if (&answer == &answers.back()) ending.emplace();  // the reader goes on in this thread
    answer.callback(std::move(answer.commits));
    answer.callback = nullptr;  // what it owns goes with its turn, not with the batch
  }
  MutexLock lock(mu_);
  --running_;
  idle_.SignalAll();
}

bool Feed::Core::DeliverTurn() {
  std::vector<Answer> answers;
  bool more = false;
  {
    MutexLock lock(mu_);
    if (stopped_) return false;
    answers = TakeAnswers();
    more = !ready_.empty();
    if (!more) --deliverers_;
    ++running_;
  }
  from_tail_.Add(static_cast<double>(answers.size()));
  StartTasks();  // some may have fallen out of the tail
  Run(std::move(answers));
  return more;
}

// Without the commits that contain no event.
Feed::Commits Feed::Core::ReadLog(base::Sequence from, ReadLimits limits) const {
  Commits commits = log_.Read({.sequence = from}, limits);
  if (!commits.ok()) return commits;
  commits->erase(std::remove_if(commits->begin(), commits->end(),
                                [](const event::CommitPtr& c) { return c->events.empty(); }),
                 commits->end());
  return commits;
}

bool Feed::Core::ReadTurn() {
  Ticket ticket = 0;
  base::Sequence from;
  ReadLimits limits;
  std::vector<event::CommitPtr> cached;
  {
    MutexLock lock(mu_);
    if (stopped_) return false;
    while (!behind_.empty() && !requests_.contains(behind_.front())) behind_.pop_front();
    if (behind_.empty()) {
      --log_readers_;
      return false;
    }
    ticket = behind_.front();
    behind_.pop_front();
    const Request& request = requests_.at(ticket);
    from = request.from;
    limits = request.limits;
    cached = cache_.Get(from, limits);
    ++running_;
  }
  const bool hit = !cached.empty() && from >= log_.first().sequence;  // not what was trimmed
  Commits commits = hit ? Commits(std::move(cached)) : ReadLog(from, limits);
  std::vector<Answer> answers;
  std::vector<event::CommitPtr> evicted;
  {
    MutexLock lock(mu_);
    if (!hit && commits.ok()) cache_.Put(*commits, &evicted);
    if (const auto it = requests_.find(ticket); it != requests_.end()) {
      answers.push_back({std::move(it->second.callback), std::move(commits)});
      requests_.erase(it);
    }
  }
  (hit ? from_cache_ : from_log_).Add(static_cast<double>(answers.size()));
  Run(std::move(answers));
  return true;
}

void Feed::Core::Shutdown() {
  log_.RemoveObserver(this);
  absl::flat_hash_map<Ticket, Request> dropped;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    dropped.swap(requests_);
    waiting_.clear();
  }
  for (auto& [ticket, request] : dropped) request.callback(Stopped());
  MutexLock lock(mu_);
  while (running_ > 0) idle_.Wait(mu_);
}

base::Sequence Feed::Core::head() const {
  MutexLock lock(mu_);
  return head_;
}

size_t Feed::Core::waiting() const {
  MutexLock lock(mu_);
  return requests_.size();
}

Feed::Feed(EventLog& log, base::Executor& executor, base::Metrics& metrics, FeedOptions options)
    : core_(std::make_shared<Core>(log, executor, metrics, options)) {
  core_->Start();
}

Feed::~Feed() { core_->Shutdown(); }

Feed::Ticket Feed::Next(base::Sequence from, ReadLimits limits, Callback callback,
                        Preview preview) {
  return core_->Next(from, limits, std::move(callback), std::move(preview));
}

std::vector<event::CommitPtr> Feed::FromTail(base::Sequence from, ReadLimits limits) {
  return core_->TakeFromTail(from, limits);
}

bool Feed::Cancel(Ticket ticket) { return core_->Cancel(ticket); }

void Feed::Shutdown() { core_->Shutdown(); }

base::Sequence Feed::head() const { return core_->head(); }

size_t Feed::waiting() const { return core_->waiting(); }

}  // namespace cdgate::eventlog
