// An executor that runs nothing until told: tests decide the order of things.
#pragma once

#include <deque>

#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"

namespace cdgate::test {

class ManualExecutor final : public base::Executor {
 public:
  [[nodiscard]] bool TryPost(base::Task task) override;
  // Runs the oldest task in this thread. False when there was none.
  bool RunOne();
  // Runs until nothing is queued, also what the tasks post.
  void RunAll();
  // From now on TryPost refuses.
  void Refuse();
  size_t queued() const;

 private:
  mutable base::Mutex mu_;
  std::deque<base::Task> queue_ CDGATE_GUARDED_BY(mu_);
  bool refusing_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::test
