// What every log does. A backend instantiates the suite with a harness:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, EventLogContractTest, testing::Values(&MakeMemory), Name);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/log_search.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {

using base::Reason;
using base::Sequence;
using eventlog::EventLog;

class LogHarness {
 public:
  virtual ~LogHarness() = default;
  virtual EventLog& log() = 0;
  // Ends the log, orderly, and opens what it left.
  virtual void Reopen() = 0;
  // Completes what is outstanding.
  virtual void Settle() {}
  // Makes what was appended trimmable, where a backend trims in larger units.
  virtual void CloseFile() {}
};

using MakeHarness = std::unique_ptr<LogHarness> (*)();

class EventLogContractTest : public testing::TestWithParam<MakeHarness> {
 protected:
  EventLogContractTest() : harness_(GetParam()()) {}

  EventLog& log() { return harness_->log(); }

  absl::Status Append(event::CommitPtr commit) {
    absl::Status status = absl::UnknownError("not completed");
    log().Append(std::move(commit), [&status](absl::Status s) { status = std::move(s); });
    harness_->Settle();
    return status;
  }
  absl::Status Append(size_t events) { return Append(NextEvents(log().head(), events)); }

  std::vector<event::CommitPtr> ReadAll(eventlog::ReadFrom from) {
    auto commits = log().Read(from, {.max_events = 1000, .max_bytes = 1 << 20});
    EXPECT_TRUE(commits.ok()) << commits.status();
    return commits.ok() ? *commits : std::vector<event::CommitPtr>();
  }

  std::unique_ptr<LogHarness> harness_;
};

class RecordingObserver final : public eventlog::CommitObserver {
 public:
  void OnCommit(const event::CommitPtr& commit) override { numbers.push_back(commit->number); }
  std::vector<uint64_t> numbers;
};

TEST_P(EventLogContractTest, BeginsWithTheCommitThatBeginsItsEpoch) {
  EXPECT_EQ(log().head().commit, 1u);
  EXPECT_EQ(log().head().sequence, Sequence(0));
  EXPECT_FALSE(log().head().epoch.empty());
  EXPECT_EQ(log().first().commit, 1u);
  EXPECT_EQ(log().first().sequence, Sequence(1));
  const auto commits = ReadAll({.sequence = Sequence(1), .commit = 1});
  ASSERT_EQ(NumbersOf(commits), std::vector<uint64_t>{1});
  EXPECT_TRUE(commits[0]->events.empty());
  EXPECT_EQ(commits[0]->first_sequence, Sequence(1));
}

TEST_P(EventLogContractTest, AnAppendMovesTheHead) {
  CDGATE_ASSERT_OK(Append(3));
  EXPECT_EQ(log().head().commit, 2u);
  EXPECT_EQ(log().head().sequence, Sequence(3));
  CDGATE_ASSERT_OK(Append(2));
  EXPECT_EQ(log().head().sequence, Sequence(5));
  EXPECT_GT(log().stats().bytes, 0u);
}

TEST_P(EventLogContractTest, ReadsWhatWasAppendedByteForByte) {
  const auto commit = NextEvents(log().head(), 3);
  const std::string bytes(commit->bytes);
  CDGATE_ASSERT_OK(Append(commit));
  const auto read = ReadAll({.sequence = Sequence(1)});
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0]->bytes, bytes);
  EXPECT_EQ(read[0]->events[1].id(), "e2");
  EXPECT_EQ(read[0]->events[1].sequence(), Sequence(2));
}

TEST_P(EventLogContractTest, AReadBeginsAtTheCommitThatContainsTheSequence) {
  CDGATE_ASSERT_OK(Append(3));  // commit 2: 1..3
  CDGATE_ASSERT_OK(Append(1));  // commit 3: 4
  CDGATE_ASSERT_OK(Append(2));  // commit 4: 5..6
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(1)})), (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(3)})), (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(4)})), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(6)})), std::vector<uint64_t>{4});
  EXPECT_TRUE(ReadAll({.sequence = Sequence(7)}).empty());
}

TEST_P(EventLogContractTest, CommitsWithoutEventsAreReadInTheirPlace) {
  CDGATE_ASSERT_OK(Append(1));  // commit 2: 1
  CDGATE_ASSERT_OK(Append(0));  // commit 3
  CDGATE_ASSERT_OK(Append(0));  // commit 4
  CDGATE_ASSERT_OK(Append(1));  // commit 5: 2
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(1)})), (std::vector<uint64_t>{2, 3, 4, 5}));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(2)})), std::vector<uint64_t>{5});
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(2), .commit = 4})),
            (std::vector<uint64_t>{4, 5}));
}

TEST_P(EventLogContractTest, ACommitWithoutEventsAtTheHeadIsNotReadBySequence) {
  CDGATE_ASSERT_OK(Append(1));
  CDGATE_ASSERT_OK(Append(0));
  EXPECT_TRUE(ReadAll({.sequence = Sequence(2)}).empty());
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(2), .commit = 3})), std::vector<uint64_t>{3});
  EXPECT_TRUE(ReadAll({.sequence = Sequence(2), .commit = 4}).empty());
}

TEST_P(EventLogContractTest, LimitsEndAReadButLetOneCommitThrough) {
  for (int i = 0; i < 5; ++i) CDGATE_ASSERT_OK(Append(4));
  const eventlog::ReadFrom from = {.sequence = Sequence(1)};
  const auto by_events = log().Read(from, {.max_events = 9, .max_bytes = 1 << 20});
  ASSERT_TRUE(by_events.ok());
  EXPECT_EQ(NumbersOf(*by_events), (std::vector<uint64_t>{2, 3}));
  const auto by_bytes = log().Read(from, {.max_events = 1000, .max_bytes = 1});
  ASSERT_TRUE(by_bytes.ok());
  EXPECT_EQ(NumbersOf(*by_bytes), std::vector<uint64_t>{2});
}

TEST_P(EventLogContractTest, BeyondTheHeadIsARegression) {
  CDGATE_ASSERT_OK(Append(2));
  EXPECT_THAT(log().Read({.sequence = Sequence(4)}, {}), HasReason(Reason::kEpochRegressed));
  EXPECT_THAT(log().Read({.sequence = Sequence(3), .commit = 4}, {}),
              HasReason(Reason::kEpochRegressed));
}

TEST_P(EventLogContractTest, WhatDoesNotContinueTheLogIsRefused) {
  CDGATE_ASSERT_OK(Append(2));
  const eventlog::Head head = log().head();
  eventlog::Head wrong = head;
  wrong.commit += 1;
  EXPECT_THAT(Append(NextEvents(wrong, 1)), HasReason(Reason::kNotLeader));
  wrong = head;
  wrong.sequence = wrong.sequence.Next();
  EXPECT_THAT(Append(NextEvents(wrong, 1)), HasReason(Reason::kNotLeader));
  wrong = head;
  wrong.epoch = base::Epoch("another");
  EXPECT_THAT(Append(NextEvents(wrong, 1)), HasReason(Reason::kNotLeader));
  EXPECT_EQ(log().head().commit, head.commit);
  CDGATE_EXPECT_OK(Append(NextEvents(head, 1)));
}

TEST_P(EventLogContractTest, ObserversGetEveryCommitInOrder) {
  RecordingObserver observer;
  CDGATE_ASSERT_OK(Append(1));
  log().AddObserver(&observer);
  CDGATE_ASSERT_OK(Append(1));
  CDGATE_ASSERT_OK(Append(0));
  log().RemoveObserver(&observer);
  CDGATE_ASSERT_OK(Append(1));
  EXPECT_EQ(observer.numbers, (std::vector<uint64_t>{3, 4}));
}

TEST_P(EventLogContractTest, ACommitIsShownToObserversBeforeItIsTrue) {
  class Preview final : public eventlog::CommitObserver {
   public:
    explicit Preview(EventLog& log) : log_(log) {}
    void OnAppend(const event::CommitPtr& commit) override {
      shown.push_back(commit);
      head = log_.head().commit;
    }
    void OnCommit(const event::CommitPtr& commit) override { committed.push_back(commit); }
    std::vector<event::CommitPtr> shown, committed;
    uint64_t head = 0;

   private:
    EventLog& log_;
  };
  Preview preview(log());
  log().AddObserver(&preview);
  CDGATE_ASSERT_OK(Append(2));
  EXPECT_EQ(preview.head, 1u);
  eventlog::Head wrong = log().head();
  ++wrong.commit;
  EXPECT_THAT(Append(NextEvents(wrong, 1)), HasReason(Reason::kNotLeader));
  log().RemoveObserver(&preview);
  EXPECT_EQ(NumbersOf(preview.shown), std::vector<uint64_t>{2});
  EXPECT_EQ(preview.shown, preview.committed);
}

TEST_P(EventLogContractTest, AReopenedLogGoesOn) {
  CDGATE_ASSERT_OK(Append(3));
  CDGATE_ASSERT_OK(Append(0));
  const eventlog::Head before = log().head();
  harness_->Reopen();
  const eventlog::Head after = log().head();
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.commit, before.commit);
  EXPECT_EQ(after.sequence, before.sequence);
  EXPECT_EQ(after.commit_time, before.commit_time);
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(1), .commit = 1})),
            (std::vector<uint64_t>{1, 2, 3}));
  CDGATE_ASSERT_OK(Append(2));
  harness_->Reopen();
  EXPECT_EQ(log().head().sequence, Sequence(5));
}

TEST_P(EventLogContractTest, TrimRemovesTheOldestAndReadsSaySo) {
  for (int i = 0; i < 4; ++i) {
    CDGATE_ASSERT_OK(Append(10));
    harness_->CloseFile();
  }
  CDGATE_ASSERT_OK(log().Trim(Sequence(25)));
  const eventlog::First first = log().first();
  EXPECT_EQ(first.sequence, Sequence(21));
  EXPECT_EQ(first.commit, 4u);
  EXPECT_THAT(log().Read({.sequence = Sequence(20)}, {}), HasReason(Reason::kTrimmed));
  EXPECT_THAT(log().Read({.sequence = Sequence(11), .commit = 3}, {}), HasReason(Reason::kTrimmed));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(21)})), (std::vector<uint64_t>{4, 5}));
  harness_->Reopen();
  EXPECT_EQ(log().first().sequence, first.sequence);
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(21)})), (std::vector<uint64_t>{4, 5}));
}

TEST_P(EventLogContractTest, TrimNeverRemovesTheNewestCommit) {
  CDGATE_ASSERT_OK(Append(10));
  harness_->CloseFile();
  CDGATE_ASSERT_OK(log().Trim(Sequence(11)));
  EXPECT_EQ(log().first().sequence, Sequence(1));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(1)})), std::vector<uint64_t>{2});
  CDGATE_ASSERT_OK(Append(1));
  EXPECT_EQ(log().head().sequence, Sequence(11));
}

TEST_P(EventLogContractTest, TrimKeepsTheCommitThatContainsTheSequence) {
  CDGATE_ASSERT_OK(Append(10));
  harness_->CloseFile();
  CDGATE_ASSERT_OK(Append(10));
  CDGATE_ASSERT_OK(log().Trim(Sequence(5)));
  EXPECT_EQ(NumbersOf(ReadAll({.sequence = Sequence(5)})), (std::vector<uint64_t>{2, 3}));
}

TEST_P(EventLogContractTest, FindsTheFirstEventOfATime) {
  CDGATE_ASSERT_OK(Append(3));  // each commit a second after the one before
  CDGATE_ASSERT_OK(Append(0));
  CDGATE_ASSERT_OK(Append(3));
  const absl::Time last = log().head().commit_time;
  const auto at = [this](absl::Time time) {
    const auto sequence = eventlog::SequenceAt(log(), time);
    EXPECT_TRUE(sequence.ok()) << sequence.status();
    return sequence.ok() ? sequence->value() : 0;
  };
  EXPECT_EQ(at(last - absl::Hours(1)), 1u);
  EXPECT_EQ(at(last - absl::Seconds(2)), 1u);
  EXPECT_EQ(at(last - absl::Seconds(1)), 4u);
  EXPECT_EQ(at(last), 4u);
  EXPECT_EQ(at(last + absl::Nanoseconds(1)), 7u);
}

TEST_P(EventLogContractTest, AnEmptyLogHasNoTime) {
  const auto sequence = eventlog::SequenceAt(log(), log().head().commit_time);
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ(*sequence, Sequence(1));
}

TEST_P(EventLogContractTest, FindsTheCommitOfAnEvent) {
  CDGATE_ASSERT_OK(Append(3));
  CDGATE_ASSERT_OK(Append(3));
  const auto commit = eventlog::ReadCommitOf(log(), Sequence(5));
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ((*commit)->number, 3u);
  EXPECT_THAT(eventlog::ReadCommitOf(log(), Sequence(7)), HasReason(Reason::kNotFound));
  EXPECT_THAT(eventlog::ReadCommitOf(log(), Sequence(0)), HasReason(Reason::kNotFound));
}

}  // namespace cdgate::test
