// Tasks for one thread, from any.
//
//   inbox->Post([…] { … });                        // any thread
//   client.Poll(wait, inbox->fd());                // readable while there are some
//   for (auto& task : inbox->TakeAll()) task();
//
// Bounded by those who post: each has a fixed number of things outstanding. Thread-safe.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "gateway/base/mutex.h"

namespace cdgate::webhook {

class Inbox {
 public:
  using Task = std::function<void()>;

  Inbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Inbox() {
    if (fd_ >= 0) close(fd_);
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // False, and `task` is dropped unrun, after Close().
  bool Post(Task task) {
    {
      base::MutexLock lock(mu_);
      if (closed_) return false;
      tasks_.push_back(std::move(task));
      if (tasks_.size() > 1) return true;  // whoever posted the first wakes the thread
    }
    const uint64_t one = 1;
    // It cannot be full, and where the descriptor is missing the thread wakes by itself.
    (void)!write(fd_, &one, sizeof one);
    return true;
  }
  std::vector<Task> TakeAll() {
    uint64_t ignored = 0;
    (void)!read(fd_, &ignored, sizeof ignored);
    base::MutexLock lock(mu_);
    return std::exchange(tasks_, {});
  }
  // Nothing is taken any more. Returns what was not run.
  std::vector<Task> Close() {
    base::MutexLock lock(mu_);
    closed_ = true;
    return std::exchange(tasks_, {});
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
  base::Mutex mu_;
  std::vector<Task> tasks_ CDGATE_GUARDED_BY(mu_);
  bool closed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::webhook
