// The only lock of the project: std::mutex with the capability attributes of
// Clang's thread-safety analysis.
//
//   class Counter {
//    public:
//     void Add(int n) { base::MutexLock lock(mu_); total_ += n; }
//    private:
//     base::Mutex mu_;
//     int total_ CDGATE_GUARDED_BY(mu_) = 0;
//   };
//
// absl::Mutex is not used: the installed Abseil is built without the annotations
// ThreadSanitizer needs, so every use of it would report races that are none.
// Rules: one mutex per object, its members below it, never held across a call
// out (a callback, a virtual call into another component, I/O). Lock orders, where
// two are ever held, are in docs/lock_order.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

#if defined(__clang__)
#define CDGATE_THREAD_ATTRIBUTE_(x) __attribute__((x))
#else
#define CDGATE_THREAD_ATTRIBUTE_(x)
#endif
#define CDGATE_GUARDED_BY(mu) CDGATE_THREAD_ATTRIBUTE_(guarded_by(mu))
#define CDGATE_PT_GUARDED_BY(mu) CDGATE_THREAD_ATTRIBUTE_(pt_guarded_by(mu))
#define CDGATE_REQUIRES(...) CDGATE_THREAD_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define CDGATE_EXCLUDES(...) CDGATE_THREAD_ATTRIBUTE_(locks_excluded(__VA_ARGS__))
#define CDGATE_NO_THREAD_SAFETY_ANALYSIS CDGATE_THREAD_ATTRIBUTE_(no_thread_safety_analysis)

namespace cdgate::base {

class CDGATE_THREAD_ATTRIBUTE_(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() CDGATE_THREAD_ATTRIBUTE_(acquire_capability()) { mu_.lock(); }
  void Unlock() CDGATE_THREAD_ATTRIBUTE_(release_capability()) { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

// Holds a Mutex for a scope. Unlock() ends the hold early, once.
class CDGATE_THREAD_ATTRIBUTE_(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mu) CDGATE_THREAD_ATTRIBUTE_(acquire_capability(mu)) : mu_(&mu) {
    mu.Lock();
  }
  ~MutexLock() CDGATE_THREAD_ATTRIBUTE_(release_capability()) {
    if (mu_ != nullptr) mu_->Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Unlock() CDGATE_THREAD_ATTRIBUTE_(release_capability()) {
    mu_->Unlock();
    mu_ = nullptr;
  }

 private:
  Mutex* mu_;
};

// Condition variable over Mutex. Waits may wake spuriously: always loop over the
// condition, with the mutex held.
class CondVar {
 public:
  void Wait(Mutex& mu) CDGATE_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // Returns false when `timeout` passed without a wake-up.
  bool WaitFor(Mutex& mu, absl::Duration timeout) CDGATE_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    const bool woken =
        cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout)) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void Signal() { cv_.notify_one(); }
  void SignalAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace cdgate::base
