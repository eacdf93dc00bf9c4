#include "gateway/base/executor.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace cdgate::base {

namespace {

// Of the calling thread alone, as Linux has it.
void AddNiceness(int nice) {
  if (nice == 0) return;
  const auto thread = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + nice);
}

}  // namespace

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
  AddNiceness(options_.nice);
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
  Executor* executor = nullptr;
  {
    MutexLock lock(mu_);
    if (dead_) return false;
    queue_.push_back(std::move(task));
    if (scheduled_) return true;
    scheduled_ = true;
    executor = executor_;
  }
  if (executor->TryPost([self = shared_from_this(), executor] { self->Drain(executor); })) {
    return true;
  }
  std::deque<Task> dropped;  // destroyed without the lock: tasks may own anything
  MutexLock lock(mu_);
  dead_ = true;
  dropped.swap(queue_);
  lock.Unlock();
  return false;
}

void Strand::MoveTo(Executor& executor) {
  MutexLock lock(mu_);
  executor_ = &executor;
}

void Strand::Drain(const Executor* here) {
  while (Executor* const next = RunTurn(here)) {
    if (next->TryPost([self = shared_from_this(), next] { self->Drain(next); })) return;
    here = next;  // it is full or stopping: what was accepted still runs, here
  }
}

Executor* Strand::RunTurn(const Executor* here) {
  // A bounded turn, so that a busy strand shares the pool with the others.
  constexpr int kTurn = 64;
  for (int i = 0;; ++i) {
    Task task;
    {
      MutexLock lock(mu_);
      if (queue_.empty()) {
        scheduled_ = false;
        return nullptr;
      }
      if (i == kTurn || executor_ != here) return executor_;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace cdgate::base
