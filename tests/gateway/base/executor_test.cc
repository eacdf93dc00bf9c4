#include "gateway/base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/base/turns.h"
#include "tests/support/manual_executor.h"

namespace cdgate::base {
namespace {

// Holds a pool's thread until it is let go.
class Gate {
 public:
  Task Wait() {
    return [opened = opened_.get_future().share(), this] {
      entered_.set_value();
      opened.wait();
    };
  }
  void AwaitEntered() { entered_.get_future().wait(); }
  void Open() { opened_.set_value(); }

 private:
  std::promise<void> opened_;
  std::promise<void> entered_;
};

// Nobody leaves before all have come.
class Meeting {
 public:
  explicit Meeting(size_t all) : missing_(all) {}
  void Join() {
    MutexLock lock(mu_);
    if (--missing_ == 0) complete_.SignalAll();
    while (missing_ > 0) complete_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar complete_;
  size_t missing_ CDGATE_GUARDED_BY(mu_);
};

TEST(ThreadPoolTest, RunsWhatItAcceptedOnceEach) {
  std::vector<std::atomic<int>> runs(1000);
  {
    ThreadPool pool({.name = "test", .threads = 4});
    for (auto& count : runs) ASSERT_TRUE(pool.TryPost([&count] { ++count; }));
  }
  for (const auto& count : runs) EXPECT_EQ(count, 1);
}

TEST(ThreadPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  ThreadPool pool({.name = "test", .threads = 1});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.TryPost([&order, i] { order.push_back(i); }));
  pool.Shutdown();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadPoolTest, RefusesBeyondItsQueueAndTakesAgainAfterwards) {
  ThreadPool pool({.name = "test", .threads = 1, .max_queued = 2});
  Gate gate;
  ASSERT_TRUE(pool.TryPost(gate.Wait()));
  gate.AwaitEntered();
  std::promise<void> ran;
  EXPECT_TRUE(pool.TryPost([] {}));
  EXPECT_TRUE(pool.TryPost([&ran] { ran.set_value(); }));
  EXPECT_EQ(pool.queued(), 2u);
  EXPECT_FALSE(pool.TryPost([] { FAIL() << "was refused"; }));
  gate.Open();
  ran.get_future().wait();
  EXPECT_TRUE(pool.TryPost([] {}));
}

TEST(ThreadPoolTest, WorkThatNobodyWaitsForRunsInLongTurns) {
  const absl::Duration usual = LengthOfTurns();
  absl::Duration length;
  {
    ThreadPool pool({.name = "patient", .long_turns = true});
    EXPECT_TRUE(pool.TryPost([&length] { length = LengthOfTurns(); }));
  }
  if (length == absl::ZeroDuration()) GTEST_SKIP() << "this system knows no lengths of turns";
  EXPECT_GT(length, usual);
  EXPECT_EQ(LengthOfTurns(), usual) << "of others nothing changes";
}

TEST(ThreadPoolTest, ShutdownRunsWhatIsQueuedAndRefusesTheRest) {
  ThreadPool pool({.name = "test", .threads = 1});
  Gate gate;
  ASSERT_TRUE(pool.TryPost(gate.Wait()));
  gate.AwaitEntered();
  bool ran = false;
  ASSERT_TRUE(pool.TryPost([&ran] { ran = true; }));
  std::thread opener([&gate] { gate.Open(); });
  pool.Shutdown();
  opener.join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(pool.TryPost([] {}));
  pool.Shutdown();  // again: nothing
}

TEST(ThreadPoolTest, ATaskMayPostAnother) {
  ThreadPool pool({.name = "test", .threads = 1});
  std::promise<void> done;
  ASSERT_TRUE(pool.TryPost([&] { EXPECT_TRUE(pool.TryPost([&done] { done.set_value(); })); }));
  done.get_future().wait();
}

// Where each waits for the others none may be left asleep.
TEST(ThreadPoolTest, EveryThreadIsWokenWhereAllAreNeeded) {
  constexpr size_t kThreads = 4;
  ThreadPool pool({.name = "test", .threads = kThreads});
  for (int round = 0; round < 500; ++round) {
    const auto together = std::make_shared<Meeting>(kThreads + 1);
    for (size_t i = 0; i < kThreads; ++i) {
      ASSERT_TRUE(pool.TryPost([together] { together->Join(); }));
    }
    together->Join();
  }
}

TEST(ThreadPoolTest, WhatATaskPostsAsItEndsRunsOnItsThread) {
  ThreadPool pool({.name = "test", .threads = 2});
  Gate gate;
  ASSERT_TRUE(pool.TryPost(gate.Wait()));
  gate.AwaitEntered();  // the other thread has the rest
  std::promise<std::thread::id> first, second;
  ASSERT_TRUE(pool.TryPost([&] {
    const ThreadPool::Ending ending;
    EXPECT_TRUE(pool.TryPost([&] { second.set_value(std::this_thread::get_id()); }));
    first.set_value(std::this_thread::get_id());
  }));
  EXPECT_EQ(first.get_future().get(), second.get_future().get());
  gate.Open();
}

// Only the first is taken by the thread that posts; and nothing depends on that it ends.
TEST(ThreadPoolTest, OfSeveralThatATaskPostsAsItEndsTheOthersWakeThreads) {
  ThreadPool pool({.name = "test", .threads = 3});
  for (int round = 0; round < 500; ++round) {
    const auto together = std::make_shared<Meeting>(4);
    ASSERT_TRUE(pool.TryPost([&pool, together] {
      const ThreadPool::Ending ending;
      for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(pool.TryPost([together] { together->Join(); }));
      }
    }));
    together->Join();
  }
}

TEST(ThreadPoolTest, ATaskThatEndsWakesThreadsOfOtherPools) {
  ThreadPool pool({.name = "test", .threads = 1});
  ThreadPool other({.name = "other", .threads = 1});
  std::promise<void> ran;
  ASSERT_TRUE(pool.TryPost([&] {
    const ThreadPool::Ending ending;
    EXPECT_TRUE(other.TryPost([&ran] { ran.set_value(); }));
    ran.get_future().wait();
  }));
  pool.Shutdown();
}

TEST(ThreadPoolTest, OutsideOfItsTasksNobodyEndsOne) {
  ThreadPool pool({.name = "test", .threads = 1});
  const ThreadPool::Ending ending;
  std::promise<void> ran;
  ASSERT_TRUE(pool.TryPost([&ran] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST(StrandTest, RunsOneAtATimeInOrder) {
  ThreadPool pool({.name = "test", .threads = 4});
  const std::shared_ptr<Strand> strand = Strand::Create(pool);
  std::vector<int> order;  // needs no lock: that is the point
  std::promise<void> done;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(strand->Post([&order, i] { order.push_back(i); }));
  }
  ASSERT_TRUE(strand->Post([&done] { done.set_value(); }));
  done.get_future().wait();
  ASSERT_EQ(order.size(), 5000u);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(StrandTest, WhoMayRunATaskRunsItWhereTheStrandIsIdle) {
  test::ManualExecutor executor;
  const auto strand = Strand::Create(executor);
  std::vector<int> order;
  ASSERT_TRUE(strand->RunOrPost([&] { order.push_back(1); }));
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_EQ(executor.queued(), 0u);
  // Behind what is queued, and behind what runs.
  ASSERT_TRUE(strand->Post([&] { order.push_back(2); }));
  ASSERT_TRUE(strand->RunOrPost([&] { order.push_back(3); }));
  EXPECT_EQ(order, std::vector<int>{1});
  executor.RunAll();
  ASSERT_TRUE(strand->RunOrPost([&] {
    ASSERT_TRUE(strand->RunOrPost([&] { order.push_back(5); }));
    order.push_back(4);
  }));
  executor.RunAll();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(StrandTest, WhatComesWhileATaskIsRunStillRunsWhereTheExecutorRefuses) {
  test::ManualExecutor executor;
  const auto strand = Strand::Create(executor);
  int ran = 0;
  executor.Refuse();
  ASSERT_TRUE(strand->RunOrPost([&] {
    ASSERT_TRUE(strand->Post([&] { ++ran; }));
    ++ran;
  }));
  EXPECT_EQ(ran, 2);
}

TEST(StrandTest, TakesTurnsWithOthersOnThePool) {
  test::ManualExecutor executor;
  const auto busy = Strand::Create(executor);
  const auto other = Strand::Create(executor);
  int busy_runs = 0;
  bool other_ran = false;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(busy->Post([&busy_runs] { ++busy_runs; }));
  ASSERT_TRUE(other->Post([&other_ran] { other_ran = true; }));
  ASSERT_TRUE(executor.RunOne());
  EXPECT_LT(busy_runs, 1000);
  EXPECT_FALSE(other_ran);
  ASSERT_TRUE(executor.RunOne());
  EXPECT_TRUE(other_ran);
  executor.RunAll();
  EXPECT_EQ(busy_runs, 1000);
}

TEST(StrandTest, ARefusalBeforeItStartedKillsItAndDropsItsTasks) {
  test::ManualExecutor executor;
  const auto strand = Strand::Create(executor);
  executor.Refuse();
  const auto owned = std::make_shared<int>(1);
  EXPECT_FALSE(strand->Post([owned] { FAIL() << "was refused"; }));
  EXPECT_EQ(owned.use_count(), 1) << "the task must be destroyed";
  EXPECT_FALSE(strand->Post([] { FAIL() << "the strand is dead"; }));
}

TEST(StrandTest, WhatWasAcceptedRunsAlsoWhenThePoolRefusesTheNextTurn) {
  test::ManualExecutor executor;
  const auto strand = Strand::Create(executor);
  int runs = 0;
  for (int i = 0; i < 100000; ++i) ASSERT_TRUE(strand->Post([&runs] { ++runs; }));
  executor.Refuse();
  executor.RunAll();
  EXPECT_EQ(runs, 100000);
}

TEST(StrandTest, QueuedTasksKeepItAlive) {
  test::ManualExecutor executor;
  bool ran = false;
  ASSERT_TRUE(Strand::Create(executor)->Post([&ran] { ran = true; }));
  executor.RunAll();
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace cdgate::base
