#include "gateway/base/executor.h"

#include <pthread.h>

#include <utility>

#include "gateway/base/turns.h"

namespace cdgate::base {

namespace {

// What a thread of a pool is doing.
thread_local const ThreadPool* pool_of_thread = nullptr;
thread_local bool takes_next = false;  // the first task that it posts

}  // namespace

ThreadPool::Ending::Ending() { takes_next = pool_of_thread != nullptr; }

ThreadPool::Ending::~Ending() { takes_next = false; }

ThreadPool::ThreadPool(ThreadPoolOptions options) : options_(std::move(options)) {
  workers_.reserve(options_.threads);
  for (size_t i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<Worker>());
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, self = worker.get()] { Run(self); });
  }
}

ThreadPool::~ThreadPool() { Shutdown(); }

bool ThreadPool::TryPost(Task task) {
  Worker* sleeper = nullptr;
  {
    MutexLock lock(mu_);
    if (stopping_ || queue_.size() >= options_.max_queued) return false;
    queue_.push_back(std::move(task));
    const bool taken_here = pool_of_thread == this && std::exchange(takes_next, false);
    if (!taken_here) sleeper = TakeSleeper();
  }
  if (sleeper != nullptr) sleeper->parker.Wake();
  return true;
}

ThreadPool::Worker* ThreadPool::TakeSleeper() {
  if (asleep_.empty() || queue_.size() <= waking_) return nullptr;
  Worker* const sleeper = asleep_.back();
  asleep_.pop_back();
  ++waking_;
  return sleeper;
}

void ThreadPool::Shutdown() {
  std::vector<Worker*> asleep;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    asleep.swap(asleep_);
    waking_ += asleep.size();
  }
  for (Worker* sleeper : asleep) sleeper->parker.Wake();
  for (const auto& worker : workers_) worker->thread.join();
  workers_.clear();
}

size_t ThreadPool::queued() const {
  MutexLock lock(mu_);
  return queue_.size();
}

void ThreadPool::Run(Worker* self) {
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  if (options_.long_turns) TakeLongTurns();
  pool_of_thread = this;
  while (const Task task = Take(self)) {
    task();
    takes_next = false;
  }
}

Task ThreadPool::Take(Worker* self) {
  for (;;) {
    {
      MutexLock lock(mu_);
      if (!queue_.empty()) {
        Task task = std::move(queue_.front());
        queue_.pop_front();
        // Of two that were left to this thread the other goes to somebody else.
        Worker* const sleeper = TakeSleeper();
        lock.Unlock();
        if (sleeper != nullptr) sleeper->parker.Wake();
        return task;
      }
      if (stopping_) return nullptr;
      asleep_.push_back(self);
    }
    self->parker.Park();
    MutexLock lock(mu_);
    --waking_;
  }
}

std::shared_ptr<Strand> Strand::Create(Executor& executor) {
  return std::shared_ptr<Strand>(new Strand(executor));
}

bool Strand::Post(Task task) {
  {
    MutexLock lock(mu_);
    if (dead_) return false;
    queue_.push_back(std::move(task));
    if (scheduled_) return true;
    scheduled_ = true;
  }
  if (executor_.TryPost([self = shared_from_this()] { self->Drain(); })) return true;
  std::deque<Task> dropped;  // destroyed without the lock: tasks may own anything
  MutexLock lock(mu_);
  dead_ = true;
  dropped.swap(queue_);
  lock.Unlock();
  return false;
}

bool Strand::RunOrPost(Task task) {
  {
    MutexLock lock(mu_);
    if (dead_) return false;
    if (scheduled_) {
      queue_.push_back(std::move(task));
      return true;
    }
    scheduled_ = true;
  }
  task();
  task = nullptr;  // what it owns may post as well
  {
    MutexLock lock(mu_);
    if (queue_.empty()) {
      scheduled_ = false;
      return true;
    }
  }
  if (!executor_.TryPost([self = shared_from_this()] { self->Drain(); })) Drain();
  return true;
}

void Strand::Drain() {
  while (RunTurn()) {
    if (executor_.TryPost([self = shared_from_this()] { self->Drain(); })) return;
    // The pool is full or stopping: what was accepted still runs, here.
  }
}

bool Strand::RunTurn() {
  // A bounded turn, so that a busy strand shares the pool with the others.
  constexpr int kTurn = 64;
  for (int i = 0; i < kTurn; ++i) {
    Task task;
    {
      MutexLock lock(mu_);
      if (queue_.empty()) {
        scheduled_ = false;
        return false;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
  return true;
}

}  // namespace cdgate::base
