// Where work runs. A gRPC reactor never blocks: it posts to one of these.
//
//   base::ThreadPool pool({.name = "admission", .threads = 2, .max_queued = 4096});
//   if (!pool.TryPost([this] { Validate(); })) RefuseBusy();
//
// Tasks must not throw. A task that was accepted runs exactly once, also during
// Shutdown(); after Shutdown() nothing is accepted.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/base/parker.h"

namespace cdgate::base {

using Task = std::function<void()>;

// Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  // Queues `task`. False, and `task` is dropped unrun, when the queue is full or the
  // executor was shut down: the caller says so to whoever asked.
  [[nodiscard]] virtual bool TryPost(Task task) = 0;
};

struct ThreadPoolOptions {
  std::string name;          // of the threads, first 15 characters; also in logs
  size_t threads = 1;        // at least 1
  size_t max_queued = 4096;  // tasks waiting; beyond, TryPost refuses
  bool long_turns = false;   // for work that nobody waits for: TakeLongTurns()
};

// Fixed threads over one bounded FIFO queue. The destructor calls Shutdown().
//
// Of the threads that sleep the one that fell asleep last is woken, and only where the threads that
// are on their way to the queue do not suffice: a wake is a system call and a switch, and costs
// more than many a task.
class ThreadPool final : public Executor {
 public:
  // While one lives, its thread is about to end the task that it runs for a pool: what it posts
  // to that pool it takes itself, and wakes nobody for the first of it. On any other thread
  // nothing changes.
  class Ending {
   public:
    Ending();
    ~Ending();
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
  };

  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;

  [[nodiscard]] bool TryPost(Task task) override;

  // Runs what is queued, refuses what comes, joins the threads. Idempotent. Must not
  // be called from one of its own tasks.
  void Shutdown();

  size_t queued() const;

 private:
  struct Worker {
    Parker parker;
    std::thread thread;
  };

  void Run(Worker* self);
  // The next task; none: the pool stops.
  Task Take(Worker* self);
  // Who is to be woken for what is queued, without the lock; null: nobody.
  Worker* TakeSleeper() CDGATE_REQUIRES(mu_);

  const ThreadPoolOptions options_;
  mutable Mutex mu_;
  std::deque<Task> queue_ CDGATE_GUARDED_BY(mu_);
  std::vector<Worker*> asleep_ CDGATE_GUARDED_BY(mu_);
  // Woken, and not at the queue yet. Invariant: with more tasks than these nobody is asleep, but
  // for one task of each thread that ends another (Ending).
  size_t waking_ CDGATE_GUARDED_BY(mu_) = 0;
  bool stopping_ CDGATE_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<Worker>> workers_;  // set by the constructor, emptied by Shutdown
};

// Runs the tasks posted to it one at a time, in order, on another executor's
// threads. What a class guarded by a Strand touches needs no lock.
//
// Unlike the pool below it never refuses a task while the pool accepts work: the
// tasks of one strand are bounded by its users (a stream posts only for operations
// it has outstanding). Keep it in a shared_ptr; queued tasks keep it alive.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  static std::shared_ptr<Strand> Create(Executor& executor);

  // False only after the executor refused: the strand is dead then, its queued tasks
  // are dropped, and the owner must end what it stands for.
  [[nodiscard]] bool Post(Task task);
  // The same for who can spare the time: where nothing of the strand runs or is queued, `task` runs
  // on this thread, before this returns, and no other is troubled. For tasks that are over sooner
  // than a thread wakes up, and callers that end a task of the executor's. Hold no lock.
  [[nodiscard]] bool RunOrPost(Task task);

 private:
  explicit Strand(Executor& executor) : executor_(executor) {}
  void Drain();
  // Runs some tasks; false when the queue is empty.
  bool RunTurn();

  Executor& executor_;
  Mutex mu_;
  std::deque<Task> queue_ CDGATE_GUARDED_BY(mu_);
  bool scheduled_ CDGATE_GUARDED_BY(mu_) = false;
  bool dead_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::base
