#include "gateway/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace cdgate::base {
namespace {

// As the header shows; with clang the attributes make -Wthread-safety check it.
class Account {
 public:
  void Add(int n) {
    MutexLock lock(mu_);
    AddLocked(n);
  }
  void AddAndLeaveEarly(int n) {
    MutexLock lock(mu_);
    AddLocked(n);
    lock.Unlock();
    Add(0);  // would deadlock if the lock were still held
  }
  int AwaitAtLeast(int n) {
    MutexLock lock(mu_);
    while (total_ < n) changed_.Wait(mu_);
    return total_;
  }
  bool AwaitNothing(absl::Duration timeout) {
    MutexLock lock(mu_);
    return changed_.WaitFor(mu_, timeout);
  }

 private:
  void AddLocked(int n) CDGATE_REQUIRES(mu_) {
    total_ += n;
    changed_.SignalAll();
  }

  Mutex mu_;
  CondVar changed_;
  int total_ CDGATE_GUARDED_BY(mu_) = 0;
};

TEST(MutexTest, ExcludesOtherThreads) {
  Account account;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&account] {
      for (int i = 0; i < 10000; ++i) account.Add(1);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(account.AwaitAtLeast(0), 40000);
}

TEST(MutexTest, UnlockEndsTheHoldEarly) {
  Account account;
  account.AddAndLeaveEarly(7);
  EXPECT_EQ(account.AwaitAtLeast(0), 7);
}

TEST(CondVarTest, WakesTheWaiter) {
  Account account;
  std::thread adder([&account] {
    for (int i = 0; i < 10; ++i) account.Add(1);
  });
  EXPECT_GE(account.AwaitAtLeast(10), 10);
  adder.join();
}

TEST(CondVarTest, WaitForEndsByItselfAndStillHoldsTheLock) {
  Account account;
  EXPECT_FALSE(account.AwaitNothing(absl::Milliseconds(1)));
  account.Add(1);  // the lock was released by the scope, once
}

}  // namespace
}  // namespace cdgate::base
