#include "gateway/base/timer_queue.h"

#include <pthread.h>

namespace cdgate::base {

ThreadTimerQueue::ThreadTimerQueue(Clock& clock) : clock_(clock), thread_([this] { Run(); }) {}

ThreadTimerQueue::~ThreadTimerQueue() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

TimerQueue::Id ThreadTimerQueue::At(absl::Duration due, Callback callback) {
  MutexLock lock(mu_);
  const Id id = next_id_++;
  const auto it = pending_.emplace(Key{due, id}, std::move(callback)).first;
  due_of_[id] = due;
  if (it == pending_.begin()) wake_.Signal();
  return id;
}

bool ThreadTimerQueue::Cancel(Id id) {
  Callback dropped;  // destroyed without the lock
  MutexLock lock(mu_);
  const auto it = due_of_.find(id);
  if (it == due_of_.end()) return false;
  const auto pending = pending_.find(Key{it->second, id});
  dropped = std::move(pending->second);
  pending_.erase(pending);
  due_of_.erase(it);
  lock.Unlock();
  return true;
}

void ThreadTimerQueue::Run() {
  pthread_setname_np(pthread_self(), "timers");
  mu_.Lock();
  while (!stopping_) {
    if (pending_.empty()) {
      wake_.Wait(mu_);
      continue;
    }
    const absl::Duration left = pending_.begin()->first.first - clock_.Monotonic();
    if (left > absl::ZeroDuration()) {
      wake_.WaitFor(mu_, left);
      continue;
    }
    auto node = pending_.extract(pending_.begin());
    due_of_.erase(node.key().second);
    mu_.Unlock();
    node.mapped()();
    mu_.Lock();
  }
  mu_.Unlock();
}

}  // namespace cdgate::base
