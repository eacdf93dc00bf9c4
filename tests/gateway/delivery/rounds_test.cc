#include "gateway/delivery/rounds.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/manual_executor.h"
#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using base::Sequence;

class RoundsTest : public testing::Test {
 protected:
  // A stream that reads everything, from the head on.
  struct Reader {
    Rounds::Ticket ticket = 0;
    int rounds = 0;
    Sequence next;
    bool sent_away = false;
    absl::Duration takes;    // for what it does in a round
    bool publishes = false;  // once, in its next round
  };

  bool Wait(Reader& reader) {
    reader.ticket = rounds_->Wait(reader.next, [this, &reader](Rounds::Commits commits) {
      clock_.Advance(reader.takes);
      if (commits.empty()) {
        reader.sent_away = true;
        return;
      }
      if (std::exchange(reader.publishes, false)) {
        CDGATE_EXPECT_OK(test::AppendEvents(log_, 1));
      }
      ++reader.rounds;
      reader.next = commits.back()->last_sequence.Next();
      (void)Wait(reader);
    });
    return reader.ticket != 0;
  }
  std::vector<std::unique_ptr<Reader>> Readers(size_t n, absl::Duration each = {}) {
    std::vector<std::unique_ptr<Reader>> readers;
    for (size_t i = 0; i < n; ++i) {
      readers.push_back(std::make_unique<Reader>());
      readers.back()->next = log_.head().sequence.Next();
      readers.back()->takes = each;
      EXPECT_TRUE(Wait(*readers.back()));
    }
    return readers;
  }
  void Append(int events = 1) {
    CDGATE_ASSERT_OK(test::AppendEvents(log_, events));
    executor_.RunAll();
  }

  test::FakeClock clock_;
  test::FakeTimerQueue timers_{clock_};
  base::Metrics metrics_;
  test::ManualExecutor executor_;
  eventlog::MemoryLog log_{std::make_shared<eventlog::MemoryLogStorage>(), clock_,
                           base::SystemRandom()};
  eventlog::Feed feed_{log_, executor_, metrics_};
  Stagger stagger_;
  std::unique_ptr<Rounds> rounds_ =
      std::make_unique<Rounds>(feed_, executor_, clock_, timers_, stagger_, 0);
};

TEST_F(RoundsTest, AnEventThatComesAloneWaitsForNothing) {
  const auto readers = Readers(100, absl::Microseconds(20));
  for (int round = 1; round <= 3; ++round) {
    Append();
    for (const auto& reader : readers) ASSERT_EQ(reader->rounds, round);
  }
  EXPECT_EQ(timers_.pending(), 0u);
}

TEST_F(RoundsTest, WhatComesSoonAfterARoundGoesTogether) {
  const auto readers = Readers(100, absl::Microseconds(3));  // 300 us
  readers[50]->publishes = true;
  Append();
  Append();
  for (const auto& reader : readers) ASSERT_EQ(reader->rounds, 1);
  timers_.Advance(absl::Microseconds(2999));
  executor_.RunAll();
  EXPECT_EQ(readers[0]->rounds, 1);
  timers_.Advance(absl::Microseconds(1));
  executor_.RunAll();
  for (const auto& reader : readers) {
    ASSERT_EQ(reader->rounds, 2);
    ASSERT_EQ(reader->next, Sequence(4));
  }
}

TEST_F(RoundsTest, WhereSeveralCameTogetherOthersAreExpected) {
  const auto readers = Readers(100, absl::Microseconds(3));
  CDGATE_ASSERT_OK(test::AppendEvents(log_, 1));
  CDGATE_ASSERT_OK(test::AppendEvents(log_, 1));
  executor_.RunAll();
  EXPECT_EQ(timers_.pending(), 1u);
  Append();
  ASSERT_EQ(readers[0]->next, Sequence(3));
  timers_.Advance(absl::Milliseconds(3));
  executor_.RunAll();
  EXPECT_EQ(readers[0]->next, Sequence(4));
  EXPECT_EQ(timers_.pending(), 0u);  // that one was alone
}

TEST_F(RoundsTest, NoPauseIsLong) {
  const auto readers = Readers(100, absl::Milliseconds(1));
  readers[50]->publishes = true;
  Append();
  EXPECT_EQ(readers[0]->rounds, 1);
  timers_.Advance(Rounds::kLongestPause);
  executor_.RunAll();
  EXPECT_EQ(readers[0]->rounds, 2);
}

TEST_F(RoundsTest, WhereManyKeepComingPausesAreTwiceAsLong) {
  const auto readers = Readers(100, absl::Milliseconds(1));
  readers[50]->publishes = true;
  Append();
  const auto pauses_for = [&](absl::Duration pause) {
    const int rounds = readers[0]->rounds;
    timers_.Advance(pause - absl::Microseconds(1));
    executor_.RunAll();
    const bool waited = readers[0]->rounds == rounds;
    readers[50]->publishes = true;  // in the next one
    timers_.Advance(absl::Microseconds(1));
    executor_.RunAll();
    return waited && readers[0]->rounds == rounds + 1;
  };
  for (int pause = 1; pause < Rounds::kSteady; ++pause) {
    ASSERT_TRUE(pauses_for(Rounds::kLongestPause)) << pause;
  }
  ASSERT_TRUE(pauses_for(2 * Rounds::kLongestPause));
  ASSERT_TRUE(pauses_for(2 * Rounds::kLongestPause));
}

TEST_F(RoundsTest, GroupsPauseInTurn) {
  Rounds other(feed_, executor_, clock_, timers_, stagger_, 1);
  int told = 0;
  for (size_t i = 0; i < Rounds::kMany; ++i) {
    ASSERT_NE(other.Wait(log_.head().sequence.Next(),
                         [&](const Rounds::Commits&) {
                           clock_.Advance(absl::Microseconds(100));
                           ++told;
                         }),
              0u);
  }
  const auto readers = Readers(Rounds::kMany, absl::Microseconds(100));
  CDGATE_ASSERT_OK(test::AppendEvents(log_, 1));
  Append();
  ASSERT_EQ(told, static_cast<int>(Rounds::kMany));
  ASSERT_EQ(readers[0]->rounds, 1);
  ASSERT_EQ(timers_.pending(), 2u);
  // One began 800 us later than the other, and would go on so much later.
  timers_.Advance(Rounds::kLongestPause);
  EXPECT_EQ(timers_.pending(), 1u);
  timers_.Advance(Rounds::kLongestPause / 2);
  EXPECT_EQ(timers_.pending(), 0u);
}

TEST(RoundGroupsTest, StreamsAreInEachInTurn) {
  test::FakeClock clock;
  test::FakeTimerQueue timers(clock);
  base::Metrics metrics;
  test::ManualExecutor executor;
  eventlog::MemoryLog log(std::make_shared<eventlog::MemoryLogStorage>(), clock,
                          base::SystemRandom());
  eventlog::Feed feed(log, executor, metrics);
  RoundGroups groups(feed, executor, clock, timers);
  Rounds& first = groups.Next();
  EXPECT_NE(&groups.Next(), &first);
  EXPECT_EQ(&groups.Next(), &first);
}

TEST(StaggerTest, WhatIsApartStays) {
  Stagger stagger;
  const absl::Duration ms = absl::Milliseconds(1);
  EXPECT_EQ(stagger.Book(0, 10 * ms, 5 * ms), 10 * ms);
  EXPECT_EQ(stagger.Book(1, 15 * ms, 5 * ms), 15 * ms);
  EXPECT_EQ(stagger.Book(0, 20 * ms, 5 * ms), 20 * ms);
  EXPECT_EQ(stagger.Book(0, 9 * ms, 5 * ms), 9 * ms);
}

TEST(StaggerTest, WhatIsCloseComesLater) {
  Stagger stagger;
  const absl::Duration ms = absl::Milliseconds(1);
  EXPECT_EQ(stagger.Book(0, 10 * ms, 5 * ms), 10 * ms);
  EXPECT_EQ(stagger.Book(1, 10 * ms, 5 * ms), 15 * ms);
  EXPECT_EQ(stagger.Book(1, 6 * ms, 5 * ms), 15 * ms);
  EXPECT_EQ(stagger.Book(0, 12 * ms, 5 * ms), 20 * ms);
}

TEST_F(RoundsTest, FewReadersHaveNoPause) {
  const auto readers = Readers(Rounds::kMany - 1, absl::Milliseconds(1));
  for (int round = 1; round <= 3; ++round) {
    readers[0]->publishes = true;
    Append();
    ASSERT_EQ(readers[0]->rounds, 2 * round);
  }
  EXPECT_EQ(timers_.pending(), 0u);
}

TEST_F(RoundsTest, ManyAreToldInSeveralTasks) {
  const auto readers = Readers(3 * Rounds::kReadersATask + 1);
  CDGATE_ASSERT_OK(test::AppendEvents(log_, 1));
  ASSERT_EQ(executor_.queued(), 1u);
  ASSERT_TRUE(executor_.RunOne());
  EXPECT_EQ(executor_.queued(), 4u);  // none in the feed's own
  executor_.RunAll();
  for (const auto& reader : readers) ASSERT_EQ(reader->rounds, 1);
}

TEST_F(RoundsTest, WhoIsBehindIsTurnedAway) {
  Append(3);
  Reader behind;
  behind.next = Sequence(3);
  EXPECT_TRUE(rounds_->IsBehind(behind.next));
  EXPECT_FALSE(Wait(behind));
  const auto readers = Readers(100, absl::Microseconds(10));
  readers[50]->publishes = true;
  Append();
  EXPECT_TRUE(rounds_->IsBehind(Sequence(4)));
  EXPECT_FALSE(rounds_->IsBehind(Sequence(5)));
  behind.next = Sequence(4);
  EXPECT_FALSE(Wait(behind));
  // One that read that by itself waits for what follows.
  Reader ahead;
  ahead.next = Sequence(6);
  EXPECT_TRUE(Wait(ahead));
  timers_.Advance(Rounds::kLongestPause);
  executor_.RunAll();
  EXPECT_EQ(ahead.rounds, 0);
  EXPECT_EQ(readers[0]->rounds, 2);
  timers_.Advance(Rounds::kLongestPause);
  Append();
  EXPECT_EQ(ahead.rounds, 1);
}

TEST_F(RoundsTest, WhoWasCancelledIsNotTold) {
  const auto readers = Readers(2);
  EXPECT_TRUE(rounds_->Cancel(readers[0]->ticket));
  EXPECT_FALSE(rounds_->Cancel(readers[0]->ticket));
  EXPECT_EQ(rounds_->waiting(), 1u);
  Append();
  EXPECT_EQ(readers[0]->rounds, 0);
  EXPECT_EQ(readers[1]->rounds, 1);
}

TEST_F(RoundsTest, TheEndOfTheFeedSendsAllAway) {
  const auto readers = Readers(20);
  feed_.Shutdown();
  executor_.RunAll();
  for (const auto& reader : readers) EXPECT_TRUE(reader->sent_away);
}

TEST_F(RoundsTest, NothingIsToldOnceItIsGone) {
  const auto readers = Readers(20, absl::Microseconds(10));
  readers[10]->publishes = true;
  Append();
  rounds_.reset();
  timers_.Advance(absl::Seconds(1));
  executor_.RunAll();
  EXPECT_EQ(readers[0]->rounds, 1);
}

}  // namespace
}  // namespace cdgate::delivery
