// Publishing: order, duplicates, conflicts, bounds, failure.
#include "gateway/state/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/gateway/state/store_fixture.h"

namespace cdgate::test {
namespace {

using base::Reason;
using base::Sequence;
using state::EventResult;
using state::Outcome;
using state::Proposal;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }
  StoreWorld world_;
};

TEST_F(StoreTest, GivesConsecutiveSequences) {
  EXPECT_EQ(world_.Publish("a").sequence, Sequence(1));
  EXPECT_EQ(world_.Publish("b").sequence, Sequence(2));
  const Outcome outcome = world_.Propose(world_.OfEvents(
      {Published("c", "{}", world_.clock.Now()), Published("d", "{}", world_.clock.Now())}));
  EXPECT_EQ(outcome.events[0].sequence, Sequence(3));
  EXPECT_EQ(outcome.events[1].sequence, Sequence(4));
  EXPECT_EQ(outcome.commit, 4u) << "after the epoch's commit";
  EXPECT_EQ(world_.store->head().sequence, Sequence(4));
}

TEST_F(StoreTest, WhatWasAnsweredCanBeRead) {
  const EventResult result = world_.Publish("build-7", R"({"a":1})");
  CDGATE_ASSERT_OK_AND_ASSIGN(const state::EventRef event,
                              world_.store->ReadEvent(result.sequence));
  EXPECT_EQ(event.record->id(), "build-7");
  EXPECT_EQ(event.record->data(), R"({"a":1})");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto found, world_.store->FindById("build-7"));
  EXPECT_EQ(found, std::vector<Sequence>{result.sequence});
  EXPECT_THAT(world_.store->ReadEvent(Sequence(9)), HasReason(Reason::kNotFound));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto none, world_.store->FindById("build-8"));
  EXPECT_TRUE(none.empty());
}

TEST_F(StoreTest, ARepeatedEventIsADuplicate) {
  EXPECT_FALSE(world_.Publish("a").duplicate);
  const EventResult again = world_.Publish("a");
  CDGATE_EXPECT_OK(again.status);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.sequence, Sequence(1));
  EXPECT_EQ(world_.store->head().sequence, Sequence(1));
}

TEST_F(StoreTest, ADuplicateAloneCommitsNothing) {
  (void)world_.Publish("a");
  const uint64_t commit = world_.store->head().commit;
  const Outcome outcome =
      world_.Propose(world_.OfEvents({Published("a", "{}", world_.clock.Now())}));
  EXPECT_EQ(outcome.commit, 0u);
  EXPECT_EQ(world_.store->head().commit, commit);
}

TEST_F(StoreTest, TheSameIdOfAnotherSourceOrOriginIsAnotherEvent) {
  (void)world_.Publish("a");
  auto other = Published("a", "{}", world_.clock.Now());
  other.set_origin("beta.example");
  const Outcome outcome = world_.Propose(world_.OfEvents({other}));
  EXPECT_FALSE(outcome.events[0].duplicate);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto found, world_.store->FindById("a"));
  EXPECT_EQ(found, (std::vector<Sequence>{Sequence(1), Sequence(2)}));
}

TEST_F(StoreTest, OtherContentIsAConflict) {
  (void)world_.Publish("a", R"({"v":1})");
  const EventResult result = world_.Publish("a", R"({"v":2})");
  EXPECT_THAT(result.status, HasReason(Reason::kIdentityConflict));
  EXPECT_EQ(result.sequence, Sequence(0));
  EXPECT_EQ(world_.Refusals("identity_conflict"), 1);
  EXPECT_EQ(world_.store->head().sequence, Sequence(1));
}

TEST_F(StoreTest, TheSameContentInOtherWordsIsADuplicate) {
  (void)world_.Publish("a", R"({"x":1,"y":[true,null]})");
  const EventResult result = world_.Publish("a", R"({ "y" : [true, null], "x" : 1 })");
  CDGATE_EXPECT_OK(result.status);
  EXPECT_TRUE(result.duplicate);
  EXPECT_EQ(result.sequence, Sequence(1));
}

TEST_F(StoreTest, OtherWordsForATrimmedEventAreAConflict) {
  (void)world_.Publish("a", R"({"x":1,"y":2})");
  (void)world_.Publish("b");
  CDGATE_ASSERT_OK(world_.log->Trim(Sequence(2)));
  EXPECT_THAT(world_.Publish("a", R"({"y":2,"x":1})").status, HasReason(Reason::kIdentityConflict));
  EXPECT_TRUE(world_.Publish("a", R"({"x":1,"y":2})").duplicate) << "the same bytes still are one";
}

TEST_F(StoreTest, DuplicatesWithinOneProposalAreSeen) {
  const absl::Time now = world_.clock.Now();
  const Outcome outcome = world_.Propose(
      world_.OfEvents({Published("a", R"({"x":1,"y":2})", now), Published("b", "{}", now),
                       Published("a", R"({"x":1,"y":2})", now),
                       Published("a", R"({"y":2,"x":1})", now), Published("b", "[]", now)}));
  ASSERT_EQ(outcome.events.size(), 5u);
  EXPECT_EQ(outcome.events[0].sequence, Sequence(1));
  EXPECT_EQ(outcome.events[1].sequence, Sequence(2));
  EXPECT_TRUE(outcome.events[2].duplicate);
  EXPECT_EQ(outcome.events[2].sequence, Sequence(1));
  CDGATE_EXPECT_OK(outcome.events[3].status);
  EXPECT_TRUE(outcome.events[3].duplicate) << "the same in other words";
  EXPECT_EQ(outcome.events[3].sequence, Sequence(1));
  EXPECT_THAT(outcome.events[4].status, HasReason(Reason::kIdentityConflict));
  EXPECT_EQ(world_.store->head().sequence, Sequence(2));
}

// While the comparison waits, others take the sequences that the proposal would have had.
TEST_F(StoreTest, DuplicatesWithinOneProposalDoNotDependOnWhatComesBetween) {
  const absl::Time now = world_.clock.Now();
  std::vector<StoreWorld::Waiting> waiting;
  for (int i = 0; i < 20; ++i) {
    const std::string id = absl::StrCat("twice-", i);
    waiting.push_back(world_.Begin(world_.OfEvents(
        {Published(id, R"({"x":1,"y":2})", now), Published(id, R"({"y":2,"x":1})", now)})));
    waiting.push_back(world_.Begin(world_.OfEvents({Published(absl::StrCat(i), "{}", now)})));
  }
  for (size_t i = 0; i < waiting.size(); i += 2) {
    const Outcome outcome = waiting[i].Get();
    CDGATE_ASSERT_OK(outcome.events.at(1).status);
    EXPECT_TRUE(outcome.events[1].duplicate);
    EXPECT_EQ(outcome.events[1].sequence, outcome.events[0].sequence);
  }
  EXPECT_EQ(waiting.back().Get().status, absl::OkStatus());
  EXPECT_EQ(world_.store->head().sequence, Sequence(40));
}

TEST_F(StoreTest, OneFaultyEventDoesNotStopTheOthers) {
  (void)world_.Publish("a", "{}");
  const absl::Time now = world_.clock.Now();
  const Outcome outcome = world_.Propose(world_.OfEvents(
      {Published("b", "{}", now), Published("a", "[]", now), Published("c", "{}", now)}));
  CDGATE_EXPECT_OK(outcome.status);
  EXPECT_EQ(outcome.events[0].sequence, Sequence(2));
  EXPECT_THAT(outcome.events[1].status, HasReason(Reason::kIdentityConflict));
  EXPECT_EQ(outcome.events[2].sequence, Sequence(3));
}

TEST_F(StoreTest, AnAtomicProposalIsTakenWholeOrNotAtAll) {
  (void)world_.Publish("a", "{}");
  const absl::Time now = world_.clock.Now();
  Proposal proposal = world_.OfEvents({Published("b", "{}", now), Published("a", "[]", now)});
  proposal.atomic = true;
  proposal.cursors.push_back(Cursor("link/beta.example/import", 2));
  const Outcome refused = world_.Propose(std::move(proposal));
  EXPECT_THAT(refused.status, HasReason(Reason::kIdentityConflict));
  EXPECT_THAT(refused.events[0].status, HasReason(Reason::kIdentityConflict));
  EXPECT_FALSE(world_.store->Cursor("link/beta.example/import"));
  EXPECT_EQ(world_.store->head().sequence, Sequence(1));
  EXPECT_EQ(world_.Publish("b").sequence, Sequence(2)) << "b was given back";
}

// All that is proposed while a commit is under way is decided together.
class StoreBatchTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    auto first = Propose({Published("x", "{}", now()), Received("r", "{}", now())});
    Complete();
    ASSERT_EQ(first.Get().events[1].sequence, Sequence(2));
    held_ = Propose({Published("held", "{}", now())});
    WaitForCommit();
  }
  absl::Time now() const { return world_.clock.Now(); }
  StoreWorld::Waiting Propose(const std::vector<storage::v1::StoredEvent>& events,
                              bool atomic = false) {
    Proposal proposal = world_.OfEvents(events);
    proposal.atomic = atomic;
    return world_.Begin(std::move(proposal));
  }
  void WaitForCommit() {
    while (world_.log->outstanding() == 0) std::this_thread::yield();
  }
  void Complete() {
    WaitForCommit();
    world_.log->Complete(1);
  }
  // What came meanwhile.
  void CompleteHeldAndBatch() {
    Complete();
    EXPECT_EQ(held_.Get().events[0].sequence, Sequence(3));
    Complete();
  }

  StoreWorld world_{eventlog::MemoryLog::Mode::kRemote};
  StoreWorld::Waiting held_;
};

TEST_F(StoreBatchTest, AnAtomicProposalThatIsRefusedGivesBackItsSequencesAndNoOther) {
  auto refused = Propose(
      {Published("x", "{}", now()), Published("b", "{}", now()), Received("r", "[]", now())}, true);
  auto next = Propose({Published("c", "{}", now())});
  CompleteHeldAndBatch();
  EXPECT_FALSE(refused.Get().status.ok());
  EXPECT_EQ(next.Get().events[0].sequence, Sequence(4));
}

TEST_F(StoreBatchTest, ADuplicateBesideARefusalIsPartOfNoCommit) {
  auto refused = Propose({Received("r", "[]", now())});
  auto duplicate = Propose({Published("x", "{}", now())});
  CompleteHeldAndBatch();
  EXPECT_THAT(refused.Get().events[0].status, HasReason(Reason::kIdentityConflict));
  EXPECT_NE(refused.Get().commit, 0u) << "the refusal is written down";
  EXPECT_EQ(duplicate.Get().events[0].sequence, Sequence(1));
  EXPECT_EQ(duplicate.Get().commit, 0u);
}

TEST_F(StoreTest, EventsOfAClosedHorizonAreTooOld) {
  const absl::Time long_ago = world_.clock.Now() - world_.options.dedup_horizon - absl::Hours(1);
  Proposal proposal = world_.OfEvents({Received("old", "{}", long_ago)});
  EXPECT_THAT(world_.Propose(std::move(proposal)).events[0].status, HasReason(Reason::kTooOld));
  Proposal backfill = world_.OfEvents({Received("old", "{}", long_ago)});
  backfill.backfill = true;
  EXPECT_EQ(world_.Propose(std::move(backfill)).events[0].sequence, Sequence(1));
}

TEST_F(StoreTest, AnIdentityIsForgottenAfterTheHorizon) {
  (void)world_.Publish("a", "{}");
  world_.clock.Advance(world_.options.dedup_horizon + absl::Seconds(2));
  const EventResult result = world_.Publish("a", "[]");
  CDGATE_EXPECT_OK(result.status);
  EXPECT_FALSE(result.duplicate);
  EXPECT_EQ(result.sequence, Sequence(2));
  EXPECT_TRUE(world_.Publish("a", "[]").duplicate);
}

TEST_F(StoreTest, DuplicatesAreKnownAfterARestartAndACrash) {
  (void)world_.Publish("a");
  world_.Close();
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate);
  EXPECT_EQ(world_.Publish("b").sequence, Sequence(2));
  world_.Crash();
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate);
  EXPECT_TRUE(world_.Publish("b").duplicate) << "applied again from the log";
  EXPECT_EQ(world_.Publish("c").sequence, Sequence(3));
}

TEST_F(StoreTest, RefusesBeyondItsBounds) {
  world_.Close();
  world_.options.max_pending_events = 4;
  StoreWorld remote(eventlog::MemoryLog::Mode::kRemote);
  remote.options = world_.options;
  remote.Open();
  auto first = remote.Begin(remote.OfEvents({Published("a", "{}", remote.clock.Now())}));
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  std::vector<StoreWorld::Waiting> waiting;
  for (const char* id : {"b", "c", "d"}) {
    waiting.push_back(remote.Begin(remote.OfEvents({Published(id, "{}", remote.clock.Now())})));
  }
  auto refused = remote.Begin(remote.OfEvents({Published("e", "{}", remote.clock.Now())}));
  EXPECT_THAT(refused.Get().status, HasReason(Reason::kOverloaded));
  EXPECT_EQ(remote.Refusals("overloaded"), 1);
  remote.log->Complete(1);
  (void)first.Get();
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  remote.log->Complete(1);
  const Outcome last = waiting[2].Get();
  EXPECT_EQ(last.events[0].sequence, Sequence(4));
  EXPECT_EQ(last.commit, 3u) << "what came during one commit is the next";
}

TEST_F(StoreTest, AnEventWaitsForTheCommitToComplete) {
  StoreWorld remote(eventlog::MemoryLog::Mode::kRemote);
  remote.Open();
  auto waiting = remote.Begin(remote.OfEvents({Published("a", "{}", remote.clock.Now())}));
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  EXPECT_FALSE(waiting.ready());
  EXPECT_EQ(remote.store->head().sequence, Sequence(0));
  remote.log->Complete(1);
  EXPECT_EQ(waiting.Get().events[0].sequence, Sequence(1));
}

// One second more each time: no processor is ever free.
absl::Duration AlwaysKeptFromRunning() {
  static std::atomic<int> calls = 0;
  return absl::Seconds(++calls);
}

TEST_F(StoreTest, WhatWaitsForMoreIsCommittedWhereNothingComes) {
  StoreWorld busy(eventlog::MemoryLog::Mode::kRemote);
  busy.run_delay = AlwaysKeptFromRunning;
  busy.Open();
  auto first = busy.Begin(busy.OfEvents({Published("a", "{}", busy.clock.Now())}));
  while (busy.log->outstanding() == 0) std::this_thread::yield();
  auto second = busy.Begin(busy.OfEvents({Published("b", "{}", busy.clock.Now())}));
  busy.log->Complete(1);
  const uint64_t commit = first.Get().commit;
  while (busy.log->outstanding() == 0) std::this_thread::yield();
  busy.log->Complete(1);
  EXPECT_EQ(second.Get().commit, commit + 1);
}

TEST_F(StoreTest, LostLeadershipRefusesAndTheStoreFollowsTheOther) {
  StoreWorld remote(eventlog::MemoryLog::Mode::kRemote);
  remote.Open();
  auto lost = remote.Begin(remote.OfEvents({Published("a", "{}", remote.clock.Now())}));
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  remote.log->LoseLeadership();
  EXPECT_THAT(lost.Get().events[0].status, HasReason(Reason::kNotLeader));
  // The other instance takes the same event, and we learn of it.
  remote.log->AppendAsOther(
      NextCommit(remote.log->head(), {Published("a", "{}", remote.clock.Now())}));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto found, remote.store->FindById("a"));
  EXPECT_EQ(found, std::vector<Sequence>{Sequence(1)});
  remote.log->GainLeadership();
  const EventResult again = remote.Publish("a");
  EXPECT_TRUE(again.duplicate);
  CDGATE_EXPECT_OK(remote.fatal());
}

TEST_F(StoreTest, AFailedWriteRefusesEverythingAndIsFatal) {
  (void)world_.Publish("a");
  world_.log->FailWrites();
  EXPECT_THAT(world_.Publish("b").status, HasReason(Reason::kLogWriteFailed));
  // Whoever comes later hears it from Propose.
  while (world_.fatal().ok()) std::this_thread::yield();
  EXPECT_THAT(world_.fatal(), HasReason(Reason::kLogWriteFailed));
  EXPECT_THAT(world_.Propose(world_.OfEvents({Published("c", "{}", world_.clock.Now())})).status,
              HasReason(Reason::kLogWriteFailed));
  EXPECT_EQ(world_.store->head().sequence, Sequence(1));
}

TEST_F(StoreTest, AFoldThatCannotBeWrittenIsFatal) {
  world_.kv->FailWrites();
  Proposal proposal = world_.OfEvents({Published("a", "{}", world_.clock.Now())});
  proposal.cursors.push_back(Cursor("subscription/s", 1));
  EXPECT_THAT(world_.Propose(std::move(proposal)).status, HasReason(Reason::kLogWriteFailed));
  while (world_.fatal().ok()) std::this_thread::yield();
  world_.Crash();
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate) << "the log had it";
}

TEST_F(StoreTest, AFoldThatCannotBeFlushedIsFatal) {
  world_.Close();
  world_.options.flush_events = 3;
  world_.Open();
  world_.kv->FailWrites();
  for (int i = 0; i < 3; ++i) {
    // Refused or not: the write that fails may come before any of them.
    (void)world_.Propose(world_.OfEvents({Published(absl::StrCat(i), "{}", world_.clock.Now())}));
  }
  while (world_.fatal().ok()) std::this_thread::yield();
  EXPECT_THAT(world_.fatal(), HasReason(Reason::kLogWriteFailed));
}

TEST_F(StoreTest, AfterShutdownNothingIsTaken) {
  (void)world_.Publish("a");
  world_.store->Shutdown();
  EXPECT_THAT(world_.Propose(world_.OfEvents({Published("b", "{}", world_.clock.Now())})).status,
              HasReason(Reason::kDraining));
  world_.store->Shutdown();
}

TEST_F(StoreTest, ShutdownCommitsWhatWasProposed) {
  std::vector<StoreWorld::Waiting> waiting;
  for (int i = 0; i < 200; ++i) {
    waiting.push_back(
        world_.Begin(world_.OfEvents({Published(absl::StrCat(i), "{}", world_.clock.Now())})));
  }
  world_.store->Shutdown();
  for (auto& one : waiting) CDGATE_EXPECT_OK(one.Get().status);
  EXPECT_EQ(world_.log->head().sequence, Sequence(200));
}

TEST_F(StoreTest, ShortDiskSpaceRefusesEventsAndNothingElse) {
  world_.Close();
  std::atomic<uint64_t> free_bytes = 100;
  world_.space = [&free_bytes] {
    return state::DiskSpace{.free_bytes = free_bytes * 1'000'000, .total_bytes = 1'000'000'000};
  };
  world_.Open();
  CDGATE_EXPECT_OK(world_.Publish("a").status);
  free_bytes = 49;
  world_.clock.Advance(absl::Seconds(2));
  EXPECT_THAT(world_.Publish("b").status, HasReason(Reason::kDiskFull));
  CDGATE_EXPECT_OK(world_.Apply(Resource("grant", "g", "v")));
  CDGATE_EXPECT_OK(world_.Move(Cursor("subscription/s", 1)));
  Proposal import = world_.OfEvents({Received("r", "{}", world_.clock.Now())});
  import.cursors.push_back(Cursor("link/beta.example/import", 1));
  EXPECT_THAT(world_.Propose(std::move(import)).status, HasReason(Reason::kDiskFull));
  EXPECT_FALSE(world_.store->Cursor("link/beta.example/import"));
  EXPECT_EQ(world_.metrics.AddGauge("cdgate_disk_free_bytes", "").Value(), 49e6);
  free_bytes = 50;
  world_.clock.Advance(absl::Seconds(2));
  CDGATE_EXPECT_OK(world_.Publish("b").status);
}

TEST_F(StoreTest, EveryCounterIsThereFromTheStart) {
  const std::string text = world_.metrics.Text();
  for (const char* series :
       {"cdgate_log_events_total{outcome=\"accepted\"} 0",
        "cdgate_log_events_total{outcome=\"variant_ignored\"} 0",
        "cdgate_log_refusals_total{reason=\"too_old\"} 0",
        "cdgate_log_refusals_total{reason=\"disk_full\"} 0", "cdgate_log_head_sequence 0",
        "cdgate_log_first_sequence 1", "cdgate_log_pending_events 0",
        "cdgate_log_commit_seconds_count 0", "cdgate_log_commit_events_count 0"}) {
    EXPECT_THAT(text, testing::HasSubstr(series));
  }
}

TEST_F(StoreTest, CommitTimesNeverGoBack) {
  (void)world_.Publish("a");
  const absl::Time first = world_.store->head().commit_time;
  world_.clock.Advance(-absl::Hours(1));
  (void)world_.Publish("b");
  EXPECT_EQ(world_.store->head().commit_time, first);
}

TEST_F(StoreTest, ManyPublishersGetEachSequenceOnce) {
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  std::vector<std::vector<StoreWorld::Waiting>> waiting(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &waiting] {
      for (int i = 0; i < kEach; ++i) {
        waiting[t].push_back(world_.Begin(
            world_.OfEvents({Published(absl::StrCat(t, "-", i), "{}", world_.clock.Now())})));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<bool> seen(kThreads * kEach + 1);
  for (auto& of_thread : waiting) {
    uint64_t last = 0;
    for (auto& one : of_thread) {
      const uint64_t sequence = one.Get().events[0].sequence.value();
      EXPECT_GT(sequence, last) << "in the order of its publisher";
      last = sequence;
      ASSERT_LE(sequence, seen.size() - 1);
      EXPECT_FALSE(seen[sequence]);
      seen[sequence] = true;
    }
  }
  EXPECT_EQ(world_.store->head().sequence, Sequence(kThreads * kEach));
}

}  // namespace
}  // namespace cdgate::test
