#include "gateway/delivery/live_matcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/manual_executor.h"
#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using base::Sequence;

class LiveMatcherTest : public testing::Test {
 protected:
  ~LiveMatcherTest() override { feed_.Shutdown(); }

  LiveMatcher::ReaderPtr Register(const std::string& id) {
    return matcher_.Register(absl::StrCat("id = '", id, "'")).value();
  }
  // Waits from behind the head, and notes what comes.
  bool Wait(LiveMatcher::Reader& reader) { return WaitFrom(reader, log_.head().sequence.Next()); }
  bool WaitFrom(LiveMatcher::Reader& reader, Sequence from) {
    return reader.Wait(from,
                       [this](event::CommitPtr commit) { got_.push_back(std::move(commit)); });
  }
  uint64_t Append(const std::string& id) {
    const auto commit = test::NextCommit(log_.head(), {test::Event(id)});
    EXPECT_TRUE(test::AppendNow(log_, commit).ok());
    executor_.RunAll();
    return commit->last_sequence.value();
  }

  test::FakeClock clock_;
  base::Metrics metrics_;
  test::ManualExecutor executor_;
  eventlog::MemoryLog log_{std::make_shared<eventlog::MemoryLogStorage>(), clock_,
                           base::SystemRandom()};
  eventlog::Feed feed_{log_, executor_, metrics_};
  LiveMatcher matcher_{feed_};
  std::vector<event::CommitPtr> got_;
};

TEST_F(LiveMatcherTest, AnswersOnceWithWhatTheFilterIsTrueFor) {
  const auto reader = Register("a");
  ASSERT_TRUE(Wait(*reader));
  Append("b");
  EXPECT_TRUE(got_.empty());
  Append("a");
  ASSERT_EQ(got_.size(), 1u);
  EXPECT_EQ(got_[0]->events[0].id(), "a");
  Append("a");
  EXPECT_EQ(got_.size(), 1u);
}

TEST_F(LiveMatcherTest, WhoIsBehindReadsTheFeed) {
  const auto waiting = Register("x");
  ASSERT_TRUE(Wait(*waiting));
  const auto reader = Register("a");
  Append("a");
  EXPECT_FALSE(WaitFrom(*reader, Sequence(1)));
  EXPECT_TRUE(WaitFrom(*reader, Sequence(2)));
  Append("a");
  EXPECT_EQ(got_.size(), 1u);
}

TEST_F(LiveMatcherTest, WhoIsBehindTheHeadReadsTheFeedAlsoWhereNobodyWaits) {
  Append("a");
  const auto reader = Register("a");
  EXPECT_FALSE(WaitFrom(*reader, Sequence(1)));
  EXPECT_TRUE(WaitFrom(*reader, Sequence(2)));
}

// A reader may have had more from the feed than the matcher had.
TEST_F(LiveMatcherTest, WhatAReaderHasLookedAtItIsNotGiven) {
  const auto other = Register("x");
  ASSERT_TRUE(Wait(*other));
  const auto reader = Register("a");
  EXPECT_TRUE(test::AppendNow(log_, test::NextCommit(log_.head(), {test::Event("a")})).ok());
  ASSERT_TRUE(WaitFrom(*reader, Sequence(2)));
  executor_.RunAll();
  EXPECT_TRUE(got_.empty());
  Append("a");
  EXPECT_EQ(got_.size(), 1u);
}

TEST_F(LiveMatcherTest, SaysHowFarItLooked) {
  const auto reader = Register("a");
  EXPECT_EQ(reader->Seen(), Sequence(0));
  ASSERT_TRUE(Wait(*reader));
  Append("b");
  EXPECT_EQ(reader->Seen(), Sequence(1));
  Append("a");
  EXPECT_EQ(reader->Seen(), Sequence(0)) << "it waits no longer";
}

TEST_F(LiveMatcherTest, WhoCancelsOrGoesIsNotAnswered) {
  auto reader = Register("a");
  ASSERT_TRUE(Wait(*reader));
  reader->Cancel();
  Append("a");
  ASSERT_TRUE(Wait(*reader));
  reader = nullptr;
  Append("a");
  EXPECT_TRUE(got_.empty());
  EXPECT_EQ(matcher_.size(), 0u);
}

TEST_F(LiveMatcherTest, OneEventWakesThoseItIsFor) {
  std::vector<LiveMatcher::ReaderPtr> readers;
  for (int i = 0; i < 100; ++i) {
    readers.push_back(Register(absl::StrCat("id-", i % 10)));
    ASSERT_TRUE(Wait(*readers.back()));
  }
  Append("id-3");
  EXPECT_EQ(got_.size(), 10u);
  EXPECT_EQ(matcher_.waiting(), 90u);
}

TEST_F(LiveMatcherTest, SendsAllAwayWithTheFeed) {
  const auto reader = Register("a");
  ASSERT_TRUE(Wait(*reader));
  feed_.Shutdown();
  ASSERT_EQ(got_.size(), 1u);
  EXPECT_EQ(got_[0], nullptr);
}

TEST_F(LiveMatcherTest, AFilterThatDoesNotCompileIsRefused) {
  EXPECT_THAT(matcher_.Register("id =").status(), test::HasReason(base::Reason::kInvalidFilter));
  EXPECT_EQ(matcher_.size(), 0u);
}

// A stream, but for the network: by the feed where it is behind, by the matcher where it is not.
class Follower {
 public:
  Follower(eventlog::Feed& feed, LiveMatcher& matcher, base::Executor& executor, std::string id)
      : feed_(feed),
        id_(std::move(id)),
        strand_(base::Strand::Create(executor)),
        reader_(matcher.Register(absl::StrCat("id = '", id_, "'")).value()) {}

  void Ask() {
    const bool waits = reader_->Wait(next_, [this](event::CommitPtr commit) {
      if (commit == nullptr) return;
      EXPECT_TRUE(strand_->Post([this, commit] { Take({commit}); }));
    });
    if (waits) return;
    (void)feed_.Next(next_, {.max_events = 7}, [this](eventlog::Feed::Commits commits) {
      if (!commits.ok()) return;
      EXPECT_TRUE(strand_->Post([this, commits = *std::move(commits)] { Take(commits); }));
    });
  }
  void Take(const std::vector<event::CommitPtr>& commits) {
    for (const event::CommitPtr& commit : commits) {
      for (const event::Record& record : commit->events) {
        if (record.sequence() < next_) continue;
        if (record.id() == id_) got.push_back(record.sequence().value());
        next_ = record.sequence().Next();
      }
    }
    count = got.size();
    Ask();
  }

  std::atomic<size_t> count{0};
  std::vector<uint64_t> got;

 private:
  eventlog::Feed& feed_;
  const std::string id_;
  const std::shared_ptr<base::Strand> strand_;
  Sequence next_{1};
  const LiveMatcher::ReaderPtr reader_;
};

TEST(LiveMatcherThreadsTest, EveryReaderHasEachOfItsEventsOnce) {
  constexpr size_t kReaders = 20;
  constexpr size_t kEvents = 4000;
  test::FakeClock clock;
  base::Metrics metrics;
  base::ThreadPool pool({.name = "test", .threads = 4, .max_queued = 4096});
  eventlog::MemoryLog log(std::make_shared<eventlog::MemoryLogStorage>(), clock,
                          base::SystemRandom());
  eventlog::Feed feed(log, pool, metrics);
  LiveMatcher matcher(feed);
  std::vector<std::unique_ptr<Follower>> followers;
  for (size_t i = 0; i < kReaders; ++i) {
    followers.push_back(std::make_unique<Follower>(feed, matcher, pool, absl::StrCat("id-", i)));
    followers.back()->Ask();
  }
  for (size_t i = 0; i < kEvents; ++i) {
    const std::string id = absl::StrCat("id-", i % kReaders);
    ASSERT_TRUE(test::AppendNow(log, test::NextCommit(log.head(), {test::Event(id)})).ok());
    if (i % 50 == 0) std::this_thread::yield();
  }
  for (const auto& follower : followers) {
    while (follower->count < kEvents / kReaders) std::this_thread::yield();
  }
  feed.Shutdown();
  pool.Shutdown();
  for (size_t i = 0; i < kReaders; ++i) {
    ASSERT_EQ(followers[i]->got.size(), kEvents / kReaders);
    for (size_t n = 0; n < followers[i]->got.size(); ++n) {
      ASSERT_EQ(followers[i]->got[n], n * kReaders + i + 1);
    }
  }
}

}  // namespace
}  // namespace cdgate::delivery
