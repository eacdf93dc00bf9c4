#include "tests/support/manual_executor.h"

#include <utility>

namespace cdgate::test {

bool ManualExecutor::TryPost(base::Task task) {
  base::MutexLock lock(mu_);
  if (refusing_) return false;
  queue_.push_back(std::move(task));
  return true;
}

bool ManualExecutor::RunOne() {
  base::Task task;
  {
    base::MutexLock lock(mu_);
    if (queue_.empty()) return false;
    task = std::move(queue_.front());
    queue_.pop_front();
  }
  task();
  return true;
}

void ManualExecutor::RunAll() {
  while (RunOne()) {
  }
}

void ManualExecutor::Refuse() {
  base::MutexLock lock(mu_);
  refusing_ = true;
}

size_t ManualExecutor::queued() const {
  base::MutexLock lock(mu_);
  return queue_.size();
}

}  // namespace cdgate::test
