// Tasks on an executor that must not run when what they use is gone.
//
//   auto gate = TaskGate::Create();
//   if (!gate->Post(executor, [this] { ... })) ...      // refused: will not run
//   gate->Close();                                      // in the owner's destructor
#pragma once

#include <memory>

#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"

namespace cdgate::state {

// Thread-safe.
class TaskGate : public std::enable_shared_from_this<TaskGate> {
 public:
  static std::shared_ptr<TaskGate> Create();

  // False: the executor refused, or the gate is closed. A task that was posted and has
  // not begun when the gate closes is dropped on its turn.
  [[nodiscard]] bool Post(base::Executor& executor, base::Task task);

  // `task`, to be run by others, only while the gate is open.
  base::Task Guard(base::Task task);

  // Returns when no task runs any more. Idempotent; not from a task.
  void Close();

 private:
  TaskGate() = default;
  bool Enter();
  void Leave();

  base::Mutex mu_;
  base::CondVar idle_;
  size_t running_ CDGATE_GUARDED_BY(mu_) = 0;
  bool closed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::state
