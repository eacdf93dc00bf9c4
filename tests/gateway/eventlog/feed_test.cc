#include "gateway/eventlog/feed.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/manual_executor.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {
namespace {

using base::Reason;
using base::Sequence;
using eventlog::Feed;
using eventlog::MemoryLog;
using eventlog::MemoryLogStorage;

constexpr eventlog::ReadLimits kPlenty = {.max_events = 1000, .max_bytes = 1 << 20};

class FeedTest : public testing::Test {
 protected:
  // Calls Next and collects its answer.
  struct Call {
    Feed::Ticket ticket = 0;
    int answers = 0;
    absl::Status status;
    std::vector<event::CommitPtr> commits;
  };
  std::unique_ptr<Call> Next(Feed& feed, uint64_t from, eventlog::ReadLimits limits = kPlenty) {
    auto call = std::make_unique<Call>();
    call->ticket = feed.Next(Sequence(from), limits, [c = call.get()](Feed::Commits commits) {
      ++c->answers;
      c->status = commits.status();
      if (commits.ok()) c->commits = *std::move(commits);
    });
    return call;
  }

  FakeClock clock_;
  base::Metrics metrics_;
  ManualExecutor executor_;
  MemoryLog log_{std::make_shared<MemoryLogStorage>(), clock_, base::SystemRandom()};
};

TEST_F(FeedTest, AnswersFromTheTail) {
  Feed feed(log_, executor_, metrics_);
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  const auto call = Next(feed, 2);
  EXPECT_EQ(call->answers, 0) << "a callback never runs inside Next";
  executor_.RunAll();
  ASSERT_EQ(call->answers, 1);
  EXPECT_EQ(NumbersOf(call->commits), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(feed.head(), Sequence(6));
  EXPECT_EQ(metrics_.AddCounter("cdgate_feed_answers_total", "", {{"from", "tail"}}).Value(), 1);
}

TEST_F(FeedTest, WhatIsInTheTailIsHadAtOnce) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));  // before the feed
  Feed feed(log_, executor_, metrics_);
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  EXPECT_EQ(NumbersOf(feed.FromTail(Sequence(5), kPlenty)), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(feed.FromTail(Sequence(4), {.max_events = 1, .max_bytes = 1}).size(), 1u);
  EXPECT_TRUE(feed.FromTail(Sequence(1), kPlenty).empty());   // it is in the log
  EXPECT_TRUE(feed.FromTail(Sequence(10), kPlenty).empty());  // it is to come
  EXPECT_EQ(executor_.queued(), 0u);
  EXPECT_EQ(metrics_.AddCounter("cdgate_feed_answers_total", "", {{"from", "tail"}}).Value(), 2);
  feed.Shutdown();
  EXPECT_TRUE(feed.FromTail(Sequence(5), kPlenty).empty());
}

TEST_F(FeedTest, SharesTheCommitsOfTheLog) {
  Feed feed(log_, executor_, metrics_);
  const auto commit = NextEvents(log_.head(), 1);
  CDGATE_ASSERT_OK(AppendNow(log_, commit));
  const auto call = Next(feed, 1);
  executor_.RunAll();
  ASSERT_EQ(call->commits.size(), 1u);
  EXPECT_EQ(call->commits[0].get(), commit.get());
}

TEST_F(FeedTest, ReadsTheLogWhereTheTailDoesNotReach) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));  // before the feed
  Feed feed(log_, executor_, metrics_);
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  const auto call = Next(feed, 1);
  executor_.RunAll();
  EXPECT_EQ(NumbersOf(call->commits), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(metrics_.AddCounter("cdgate_feed_answers_total", "", {{"from", "log"}}).Value(), 1);
}

TEST_F(FeedTest, ReadersAtTheSamePlaceShareWhatWasRead) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));  // before the feed
  Feed feed(log_, executor_, metrics_);
  const auto first = Next(feed, 1);
  const auto second = Next(feed, 3);
  executor_.RunAll();
  ASSERT_EQ(second->commits.size(), 1u);
  EXPECT_EQ(first->commits[0].get(), second->commits[0].get());
  EXPECT_EQ(metrics_.AddCounter("cdgate_feed_answers_total", "", {{"from", "cache"}}).Value(), 1);
}

TEST_F(FeedTest, WhatWasTrimmedIsNotGivenFromMemory) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));  // before the feed
  CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  Feed feed(log_, executor_, metrics_);
  const auto before = Next(feed, 1);
  executor_.RunAll();
  CDGATE_ASSERT_OK(log_.Trim(Sequence(4)));
  const auto after = Next(feed, 1);
  executor_.RunAll();
  EXPECT_THAT(after->status, HasReason(Reason::kTrimmed));
}

TEST_F(FeedTest, WaitsAtTheHead) {
  Feed feed(log_, executor_, metrics_);
  const auto call = Next(feed, 1);
  executor_.RunAll();
  EXPECT_EQ(call->answers, 0);
  EXPECT_EQ(feed.waiting(), 1u);
  CDGATE_ASSERT_OK(AppendEvents(log_, 2));
  executor_.RunAll();
  ASSERT_EQ(call->answers, 1);
  EXPECT_EQ(NumbersOf(call->commits), std::vector<uint64_t>{2});
  EXPECT_EQ(feed.waiting(), 0u);
}

TEST_F(FeedTest, CommitsWithoutEventsWakeNobody) {
  Feed feed(log_, executor_, metrics_);
  const auto call = Next(feed, 1);
  CDGATE_ASSERT_OK(AppendEvents(log_, 0));
  EXPECT_EQ(executor_.queued(), 0u);
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  CDGATE_ASSERT_OK(AppendEvents(log_, 0));
  executor_.RunAll();
  EXPECT_EQ(NumbersOf(call->commits), std::vector<uint64_t>{3});
}

TEST_F(FeedTest, TheLogsReadLeavesOutCommitsWithoutEvents) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  CDGATE_ASSERT_OK(AppendEvents(log_, 0));
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  Feed feed(log_, executor_, metrics_);
  const auto call = Next(feed, 1);
  executor_.RunAll();
  EXPECT_EQ(NumbersOf(call->commits), (std::vector<uint64_t>{2, 4}));
}

TEST_F(FeedTest, KeepsToTheLimits) {
  Feed feed(log_, executor_, metrics_);
  for (int i = 0; i < 4; ++i) CDGATE_ASSERT_OK(AppendEvents(log_, 10));
  const auto few = Next(feed, 1, {.max_events = 25, .max_bytes = 1 << 20});
  const auto one = Next(feed, 1, {.max_events = 1, .max_bytes = 1});
  executor_.RunAll();
  EXPECT_EQ(NumbersOf(few->commits), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(NumbersOf(one->commits), std::vector<uint64_t>{2});
}

TEST_F(FeedTest, TheTailIsBounded) {
  Feed feed(log_, executor_, metrics_, {.tail_bytes = 20'000});
  for (int i = 0; i < 100; ++i) CDGATE_ASSERT_OK(AppendEvents(log_, 1, 1000));
  base::Gauge& tail = metrics_.AddGauge("cdgate_feed_tail_bytes", "");
  EXPECT_LE(tail.Value(), 20'000);
  EXPECT_GT(tail.Value(), 10'000);
  const auto old = Next(feed, 1);
  const auto recent = Next(feed, 99);
  executor_.RunAll();
  EXPECT_EQ(old->commits.front()->number, 2u);
  EXPECT_EQ(recent->commits.front()->number, 100u);
}

TEST_F(FeedTest, OneLargeCommitIsKeptWhole) {
  Feed feed(log_, executor_, metrics_, {.tail_bytes = 1});
  CDGATE_ASSERT_OK(AppendEvents(log_, 10, 1000));
  const auto call = Next(feed, 1);
  executor_.RunAll();
  EXPECT_EQ(metrics_.AddCounter("cdgate_feed_answers_total", "", {{"from", "tail"}}).Value(), 1);
  EXPECT_EQ(call->commits.size(), 1u);
}

TEST_F(FeedTest, WhatFallsOutOfTheTailWhileItIsQueuedIsRead) {
  Feed feed(log_, executor_, metrics_, {.tail_bytes = 2'000});
  CDGATE_ASSERT_OK(AppendEvents(log_, 1, 1000));
  const auto call = Next(feed, 1);
  for (int i = 0; i < 10; ++i) CDGATE_ASSERT_OK(AppendEvents(log_, 1, 1000));
  executor_.RunAll();
  ASSERT_EQ(call->answers, 1);
  EXPECT_EQ(call->commits.front()->number, 2u);
}

TEST_F(FeedTest, SaysWhatIsTrimmedOrBeyondTheHead) {
  CDGATE_ASSERT_OK(AppendEvents(log_, 5));
  CDGATE_ASSERT_OK(AppendEvents(log_, 5));
  CDGATE_ASSERT_OK(log_.Trim(Sequence(6)));
  Feed feed(log_, executor_, metrics_);
  const auto trimmed = Next(feed, 5);
  const auto beyond = Next(feed, 12);
  executor_.RunAll();
  EXPECT_THAT(trimmed->status, HasReason(Reason::kTrimmed));
  EXPECT_THAT(beyond->status, HasReason(Reason::kEpochRegressed));
}

// Appends, and lets the feed do what it can while the write is on its way.
class SlowDisk final : public eventlog::CommitObserver {
 public:
  explicit SlowDisk(ManualExecutor& executor) : executor_(executor) {}
  void OnAppend(const event::CommitPtr&) override { executor_.RunAll(); }
  void OnCommit(const event::CommitPtr&) override {}

 private:
  ManualExecutor& executor_;
};

class FeedPreviewTest : public FeedTest {
 protected:
  FeedPreviewTest() { log_.AddObserver(&disk_); }  // behind the feed
  ~FeedPreviewTest() override { log_.RemoveObserver(&disk_); }
  Feed::Ticket Next(uint64_t from) {
    return feed_.Next(
        Sequence(from), kPlenty,
        [this](const Feed::Commits& commits) {
          answers_.push_back(commits.ok() ? commits->front() : nullptr);
        },
        [this](const event::CommitPtr& commit) {
          EXPECT_TRUE(answers_.empty());
          previews_.push_back(commit);
        });
  }

  Feed feed_{log_, executor_, metrics_};
  SlowDisk disk_{executor_};
  std::vector<event::CommitPtr> previews_, answers_;
};

TEST_F(FeedPreviewTest, ShowsASmallCommitBeforeItIsWritten) {
  (void)Next(1);
  CDGATE_ASSERT_OK(AppendEvents(log_, Feed::kMostPreviewed));
  executor_.RunAll();
  ASSERT_EQ(previews_.size(), 1u);
  EXPECT_EQ(previews_, answers_) << "the same object";
}

TEST_F(FeedPreviewTest, ALargeOneOrOneWithoutEventsIsNotShown) {
  (void)Next(1);
  CDGATE_ASSERT_OK(AppendEvents(log_, 0));
  CDGATE_ASSERT_OK(AppendEvents(log_, Feed::kMostPreviewed + 1));
  executor_.RunAll();
  EXPECT_TRUE(previews_.empty());
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(FeedPreviewTest, WhoWasCancelledIsShownNothing) {
  EXPECT_TRUE(feed_.Cancel(Next(1)));
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  executor_.RunAll();
  EXPECT_TRUE(previews_.empty());
}

// Another instance writes something in its place.
TEST_F(FeedTest, WhatIsNotWrittenIsShownAndNeverAnswered) {
  MemoryLog log(std::make_shared<MemoryLogStorage>(), clock_, base::SystemRandom(),
                MemoryLog::Mode::kRemote);
  Feed feed(log, executor_, metrics_);
  event::CommitPtr shown, answered;
  (void)feed.Next(
      Sequence(1), kPlenty, [&](const Feed::Commits& commits) { answered = commits->front(); },
      [&](const event::CommitPtr& commit) { shown = commit; });
  const auto lost = NextEvents(log.head(), 1);
  const auto won = NextEvents(log.head(), 1);
  log.Append(lost, [](const absl::Status&) {});
  executor_.RunAll();
  log.LoseLeadership();
  log.AppendAsOther(won);
  executor_.RunAll();
  EXPECT_EQ(shown, lost);
  EXPECT_EQ(answered, won);
}

TEST_F(FeedTest, ACancelledCallIsNotAnswered) {
  Feed feed(log_, executor_, metrics_);
  const auto waiting = Next(feed, 1);
  EXPECT_TRUE(feed.Cancel(waiting->ticket));
  EXPECT_FALSE(feed.Cancel(waiting->ticket));
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  const auto ready = Next(feed, 1);
  EXPECT_TRUE(feed.Cancel(ready->ticket));
  executor_.RunAll();
  EXPECT_EQ(waiting->answers, 0);
  EXPECT_EQ(ready->answers, 0);
  EXPECT_EQ(feed.waiting(), 0u);
}

TEST_F(FeedTest, ACancelledCallLetsGoOfWhatItOwns) {
  Feed feed(log_, executor_, metrics_);
  const auto owned = std::make_shared<int>(1);
  const Feed::Ticket ticket = feed.Next(Sequence(1), kPlenty, [owned](Feed::Commits) {});
  EXPECT_EQ(owned.use_count(), 2);
  EXPECT_TRUE(feed.Cancel(ticket));
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(FeedTest, ShutdownAnswersWhatWaits) {
  Feed feed(log_, executor_, metrics_);
  const auto call = Next(feed, 1);
  feed.Shutdown();
  EXPECT_THAT(call->status, HasReason(Reason::kCancelled));
  EXPECT_EQ(call->answers, 1);
  const auto late = Next(feed, 1);
  EXPECT_EQ(late->ticket, 0u);
  EXPECT_THAT(late->status, HasReason(Reason::kCancelled));
  executor_.RunAll();  // what was queued finds nothing to do
}

TEST_F(FeedTest, ARefusingExecutorDoesNotLoseAnAnswer) {
  Feed feed(log_, executor_, metrics_);
  const auto waiting = Next(feed, 1);
  executor_.Refuse();
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  EXPECT_EQ(waiting->answers, 1);
}

TEST_F(FeedTest, ManyWaitingReadersCostFewTasks) {
  Feed feed(log_, executor_, metrics_);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 10'000; ++i) calls.push_back(Next(feed, 1));
  EXPECT_EQ(executor_.queued(), 0u);
  CDGATE_ASSERT_OK(AppendEvents(log_, 1));
  EXPECT_LE(executor_.queued(), 4u);
  executor_.RunAll();
  for (const auto& call : calls) ASSERT_EQ(call->answers, 1);
}

// A reader that follows the log to `last`, and checks that nothing is missing.
class Follower {
 public:
  Follower(Feed& feed, uint64_t last) : feed_(feed), last_(last) {}
  void Run() { More(); }
  uint64_t next() {
    base::MutexLock lock(mu_);
    return next_;
  }
  void Wait() {
    base::MutexLock lock(mu_);
    while (next_ <= last_ && !failed_) done_.Wait(mu_);
    EXPECT_FALSE(failed_);
  }

 private:
  void More() {
    uint64_t next = 0;
    {
      base::MutexLock lock(mu_);
      next = next_;
    }
    (void)feed_.Next(Sequence(next), {.max_events = 50, .max_bytes = 1 << 20},
                     [this](Feed::Commits commits) { Take(std::move(commits)); });
  }
  void Take(Feed::Commits commits) {
    bool more = false;
    {
      base::MutexLock lock(mu_);
      failed_ = !commits.ok();
      for (size_t i = 0; !failed_ && i < commits->size(); ++i) {
        for (const event::Record& record : (*commits)[i]->events) {
          if (record.sequence().value() < next_) continue;
          failed_ = failed_ || record.sequence().value() != next_;
          ++next_;
        }
      }
      more = !failed_ && next_ <= last_;
      if (!more) done_.SignalAll();
    }
    if (more) More();
  }

  Feed& feed_;
  const uint64_t last_;
  base::Mutex mu_;
  base::CondVar done_;
  uint64_t next_ CDGATE_GUARDED_BY(mu_) = 1;
  bool failed_ CDGATE_GUARDED_BY(mu_) = false;
};

TEST_F(FeedTest, ReadersFollowAWriterOnManyThreads) {
  constexpr uint64_t kEvents = 3000;
  base::ThreadPool pool({.name = "feed", .threads = 4, .max_queued = 16});
  Feed feed(log_, pool, metrics_, {.tail_bytes = 50'000});
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < 8; ++i) followers.push_back(std::make_unique<Follower>(feed, kEvents));
  for (const auto& follower : followers) follower->Run();
  for (uint64_t i = 0; i < kEvents / 3; ++i) CDGATE_ASSERT_OK(AppendEvents(log_, 3));
  for (const auto& follower : followers) follower->Wait();
  feed.Shutdown();
}

}  // namespace
}  // namespace cdgate::test
