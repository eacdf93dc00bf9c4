#include "gateway/state/task_gate.h"

#include <utility>

namespace cdgate::state {

using base::MutexLock;

std::shared_ptr<TaskGate> TaskGate::Create() { return std::shared_ptr<TaskGate>(new TaskGate()); }

bool TaskGate::Enter() {
  MutexLock lock(mu_);
  if (closed_) return false;
  ++running_;
  return true;
}

void TaskGate::Leave() {
  MutexLock lock(mu_);
  if (--running_ == 0) idle_.SignalAll();
}

base::Task TaskGate::Guard(base::Task task) {
  return [self = shared_from_this(), task = std::move(task)] {
    if (!self->Enter()) return;
    task();
    self->Leave();
  };
}

bool TaskGate::Post(base::Executor& executor, base::Task task) {
  {
    MutexLock lock(mu_);
    if (closed_) return false;
  }
  return executor.TryPost(Guard(std::move(task)));
}

void TaskGate::Close() {
  MutexLock lock(mu_);
  closed_ = true;
  while (running_ > 0) idle_.Wait(mu_);
}

}  // namespace cdgate::state
