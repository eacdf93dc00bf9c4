#include "gateway/base/executor.h"

#include <pthread.h>

#include <utility>

namespace cdgate::base {

ThreadPool::ThreadPool(ThreadPoolOptions options) : options_(std::move(options)) {
  threads_.reserve(options_.threads);
  for (size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

ThreadPool::~ThreadPool() { Shutdown(); }

bool ThreadPool::TryPost(Task task) {
  MutexLock lock(mu_);
  if (stopping_ || queue_.size() >= options_.max_queued) return false;
  queue_.push_back(std::move(task));
  wake_.Signal();
  return true;
}

void ThreadPool::Shutdown() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

size_t ThreadPool::queued() const {
  MutexLock lock(mu_);
  return queue_.size();
}

void ThreadPool::Run() {
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  for (;;) {
    Task task;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !stopping_) wake_.Wait(mu_);
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
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
