#include "gateway/delivery/rounds.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "gateway/base/mutex.h"

namespace cdgate::delivery {

using base::MutexLock;
using base::Sequence;

//   Idle ──Wait──▶ Asked ──the feed answers──▶ Telling ──all told──▶ Pausing ──▶ Asked, Idle
//
// Shared with callbacks of the feed, the pool and the timers, which may come after the rounds are
// gone.
class Rounds::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(eventlog::Feed& feed, base::Executor& pool, base::Clock& clock, base::TimerQueue& timers,
       Stagger& stagger, size_t group)
      : feed_(feed),
        pool_(pool),
        clock_(clock),
        timers_(timers),
        stagger_(stagger),
        group_(group) {}

  Ticket Wait(Sequence from, Callback callback);
  bool Cancel(Ticket ticket);
  bool IsBehind(Sequence from) const;
  void Stop();
  size_t waiting() const;

 private:
  enum class State { kIdle, kAsked, kTelling, kPausing };
  struct Waiter {
    Sequence from;
    Callback callback;
  };
  // One round: what is told to whom.
  struct Round {
    Commits commits;
    std::vector<Callback> callbacks;
    absl::Duration begun;
    std::atomic<size_t> tasks_left;
  };
  using RoundPtr = std::shared_ptr<Round>;

  void Ask(Sequence from);
  void OnCommits(eventlog::Feed::Commits commits);
  void Tell(const RoundPtr& round, size_t begin);
  void OnTold(const Round& round);
  void Pause(const Round& round) CDGATE_REQUIRES(mu_);
  void OnPauseOver();
  // What comes behind a round; true: Ask() for it, without the lock.
  bool GoOn() CDGATE_REQUIRES(mu_);

  eventlog::Feed& feed_;
  base::Executor& pool_;
  base::Clock& clock_;
  base::TimerQueue& timers_;
  Stagger& stagger_;
  const size_t group_;

  mutable base::Mutex mu_;
  absl::flat_hash_map<Ticket, Waiter> waiters_ CDGATE_GUARDED_BY(mu_);
  Ticket last_ticket_ CDGATE_GUARDED_BY(mu_) = 0;
  State state_ CDGATE_GUARDED_BY(mu_) = State::kIdle;
  Sequence through_ CDGATE_GUARDED_BY(mu_);  // given through here, unless idle
  base::TimerQueue::Id timer_ CDGATE_GUARDED_BY(mu_) = 0;
  int pauses_ CDGATE_GUARDED_BY(mu_) = 0;     // in a row
  size_t asking_ CDGATE_GUARDED_BY(mu_) = 0;  // threads in Ask()
  base::CondVar asked_;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
};

Rounds::Ticket Rounds::Core::Wait(Sequence from, Callback callback) {
  const Sequence head = feed_.head();
  Ticket ticket = 0;
  bool ask = false;
  {
    MutexLock lock(mu_);
    if (stopped_ || from <= (state_ == State::kIdle ? head : through_)) return 0;
    ticket = ++last_ticket_;
    waiters_.emplace(ticket, Waiter{from, std::move(callback)});
    if (state_ == State::kIdle) {
      state_ = State::kAsked;
      through_ = head;
      ask = true;
      ++asking_;
    }
  }
  if (ask) Ask(head.Next());
  return ticket;
}

bool Rounds::Core::IsBehind(Sequence from) const {
  const Sequence head = feed_.head();
  MutexLock lock(mu_);
  return from <= (state_ == State::kIdle ? head : through_);
}

bool Rounds::Core::Cancel(Ticket ticket) {
  Callback dropped;  // destroyed without the lock: it may own anything
  MutexLock lock(mu_);
  const auto it = waiters_.find(ticket);
  if (it == waiters_.end()) return false;
  dropped = std::move(it->second.callback);
  waiters_.erase(it);
  lock.Unlock();
  return true;
}

void Rounds::Core::Ask(Sequence from) {
  (void)feed_.Next(from, kFeedLimits, [self = shared_from_this()](eventlog::Feed::Commits commits) {
    self->OnCommits(std::move(commits));
  });
  MutexLock lock(mu_);
  --asking_;
  asked_.SignalAll();
}

void Rounds::Core::OnCommits(eventlog::Feed::Commits commits) {
  const auto round = std::make_shared<Round>();
  size_t tasks = 0;
  bool few = false;
  {
    MutexLock lock(mu_);
    if (stopped_) return;
    state_ = State::kTelling;
    round->begun = clock_.Monotonic();
    if (commits.ok() && !commits->empty()) {
      round->commits = *std::move(commits);
      through_ = std::max(through_, round->commits.back()->last_sequence);
    }
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      const auto waiter = it++;
      if (!round->commits.empty() && waiter->second.from > through_) continue;
      round->callbacks.push_back(std::move(waiter->second.callback));
      waiters_.erase(waiter);
    }
    tasks = std::max<size_t>(1, (round->callbacks.size() + kReadersATask - 1) / kReadersATask);
    round->tasks_left = tasks;
    few = round->callbacks.size() < kMany;
  }
  // The feed has others to answer. A few are told at once.
  if (few) return Tell(round, 0);
  for (size_t task = 0; task < tasks; ++task) {
    const size_t begin = task * kReadersATask;
    const auto tell = [self = shared_from_this(), round, begin] { self->Tell(round, begin); };
    if (!pool_.TryPost(tell)) tell();
  }
}

void Rounds::Core::Tell(const RoundPtr& round, size_t begin) {
  const size_t end = std::min(begin + kReadersATask, round->callbacks.size());
  for (size_t i = begin; i < end; ++i) {
    round->callbacks[i](round->commits);
    round->callbacks[i] = nullptr;  // what it owns goes with its turn, not with the round
  }
  if (--round->tasks_left == 0) OnTold(*round);
}

void Rounds::Core::OnTold(const Round& round) {
  const Sequence head = feed_.head();
  Sequence next;
  {
    // Held while the timer is set, because after Stop() nobody touches the timers, which may be
    // gone.
    MutexLock lock(mu_);
    if (stopped_) return;
    const bool many_come = head > through_ || round.commits.size() > 1;
    if (many_come && round.callbacks.size() >= kMany) return Pause(round);
    pauses_ = 0;
    if (!GoOn()) return;
    next = through_.Next();
  }
  Ask(next);
}

void Rounds::Core::Pause(const Round& round) {
  const absl::Duration now = clock_.Monotonic();
  absl::Duration pause = std::min(kPauseToRound * (now - round.begun), kLongestPause);
  if (++pauses_ >= kSteady) pause *= 2;
  state_ = State::kPausing;
  timer_ = timers_.At(stagger_.Book(group_, now + pause, pause / Stagger::kGroups),
                      [weak = weak_from_this()] {
                        if (const auto self = weak.lock()) self->OnPauseOver();
                      });
}

void Rounds::Core::OnPauseOver() {
  Sequence next;
  {
    MutexLock lock(mu_);
    if (stopped_ || !GoOn()) return;
    next = through_.Next();
  }
  Ask(next);
}

bool Rounds::Core::GoOn() {
  state_ = waiters_.empty() ? State::kIdle : State::kAsked;
  if (state_ == State::kIdle) return false;
  ++asking_;
  return true;
}

void Rounds::Core::Stop() {
  absl::flat_hash_map<Ticket, Waiter> dropped;  // destroyed without the lock
  MutexLock lock(mu_);
  stopped_ = true;
  timers_.Cancel(timer_);
  dropped.swap(waiters_);
  while (asking_ > 0) asked_.Wait(mu_);  // nobody asks a feed that is gone
  lock.Unlock();
}

size_t Rounds::Core::waiting() const {
  MutexLock lock(mu_);
  return waiters_.size();
}

Rounds::Rounds(eventlog::Feed& feed, base::Executor& pool, base::Clock& clock,
               base::TimerQueue& timers, Stagger& stagger, size_t group)
    : core_(std::make_shared<Core>(feed, pool, clock, timers, stagger, group)) {}

Rounds::~Rounds() { core_->Stop(); }

Rounds::Ticket Rounds::Wait(Sequence from, Callback callback) {
  return core_->Wait(from, std::move(callback));
}

bool Rounds::Cancel(Ticket ticket) { return core_->Cancel(ticket); }

bool Rounds::IsBehind(Sequence from) const { return core_->IsBehind(from); }

size_t Rounds::waiting() const { return core_->waiting(); }

RoundGroups::RoundGroups(eventlog::Feed& feed, base::Executor& pool, base::Clock& clock,
                         base::TimerQueue& timers) {
  for (size_t group = 0; group < Stagger::kGroups; ++group) {
    groups_.push_back(std::make_unique<Rounds>(feed, pool, clock, timers, stagger_, group));
  }
}

}  // namespace cdgate::delivery
