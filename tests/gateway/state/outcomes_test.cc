// What is known of events that retention removed, whatever happens while they are.
#include "gateway/state/outcomes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/status_macros.h"
#include "gateway/state/rows.h"
#include "tests/gateway/state/fold_fixture.h"

namespace cdgate::test {
namespace {

using event::CommitPtr;
using storage::v1::OutcomeRow;

// A log that removes whole files at once, so that it removes events late or not at all.
class LazyLog final : public eventlog::EventLog {
 public:
  enum class Trimming { kDone, kLate, kFails };

  LazyLog(eventlog::MemoryLog& log, const Trimming& trimming, const std::function<void()>& trimmed)
      : log_(log), trimming_(trimming), trimmed_(trimmed) {}

  void Append(CommitPtr commit, Appended done) override {
    log_.Append(std::move(commit), std::move(done));
  }
  absl::StatusOr<std::vector<CommitPtr>> Read(eventlog::ReadFrom from,
                                              eventlog::ReadLimits limits) const override {
    return log_.Read(from, limits);
  }
  eventlog::Head head() const override { return log_.head(); }
  eventlog::First first() const override { return log_.first(); }
  absl::Status Trim(Sequence keep_from) override {
    if (trimming_ == Trimming::kLate) return absl::OkStatus();
    if (trimming_ == Trimming::kDone) {
      CDGATE_RETURN_IF_ERROR(log_.Trim(keep_from));
      if (trimmed_) trimmed_();
      return absl::OkStatus();
    }
    return base::MakeError(Reason::kLogWriteFailed, "the file cannot be removed");
  }
  void AddObserver(eventlog::CommitObserver* observer) override { log_.AddObserver(observer); }
  void RemoveObserver(eventlog::CommitObserver* observer) override {
    log_.RemoveObserver(observer);
  }
  eventlog::Stats stats() const override { return log_.stats(); }

 private:
  eventlog::MemoryLog& log_;
  const Trimming& trimming_;
  const std::function<void()>& trimmed_;
};

class OutcomesTest : public FoldTest {
 protected:
  void SetUp() override {
    world_.in_front = [this](eventlog::MemoryLog& log) -> eventlog::EventLog& {
      front_ = std::make_unique<LazyLog>(log, trimming_, trimmed_);
      return *front_;
    };
    world_.fold_outcomes = [this](absl::Span<const CommitPtr> commits) { return Fold(commits); };
    world_.Open();
  }
  void TearDown() override { world_.Close(); }

  // As who-got would: what the ledger has, at this moment.
  absl::StatusOr<std::vector<OutcomeRow>> Fold(absl::Span<const CommitPtr> commits) {
    std::vector<OutcomeRow> rows;
    size_t events = 0;
    for (const CommitPtr& commit : commits) {
      for (const event::Record& record : commit->events) {
        CDGATE_ASSIGN_OR_RETURN(const auto facts,
                                store().Ledger("beta.example", record.sequence()));
        OutcomeRow row = state::MakeOutcomeRow(*commit, record);
        storage::v1::PeerOutcomeRow* const outcome = row.add_outcomes();
        outcome->set_peer("beta.example");
        outcome->set_open(!facts.acknowledged);
        outcome->set_state(facts.acknowledged ? "accepted" : "waiting");
        if (facts.exception) outcome->set_state(facts.exception->state());
        if (!facts.replays.empty()) outcome->set_state("replayed");
        rows.push_back(std::move(row));
        ++events;
        ++folded_;
      }
    }
    most_at_once_ = std::max(most_at_once_, events);
    if (while_folding_) while_folding_();
    if (!fold_result_.ok()) return fold_result_;
    if (lose_a_row_) rows.pop_back();
    return rows;
  }

  // Events 1 to n, "1" to "n", in a commit each; then one that is kept by its age.
  void PublishOld(int n) {
    for (int i = 1; i <= n; ++i) (void)world_.Publish(absl::StrCat(i));
    world_.clock.Advance(world_.options.retention + absl::Hours(1));
    (void)world_.Publish("new");
  }
  void Commit(const storage::v1::LedgerRow& row) {
    Proposal proposal;
    proposal.ledger.push_back(row);
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  static storage::v1::LedgerRow Refused(uint64_t first, uint64_t last, uint64_t sequence) {
    storage::v1::LedgerRow row = Acknowledged(first, last, 1);
    row.add_exceptions()->set_sequence(sequence);
    row.mutable_exceptions(0)->set_state("refused");
    return row;
  }
  std::string StateAt(uint64_t sequence) {
    const auto row = store().OutcomeAt(Sequence(sequence));
    EXPECT_TRUE(row.ok()) << row.status();
    if (!row.ok() || !*row) return "(none)";
    if ((*row)->outcomes().empty()) return "(nothing)";
    return (*row)->outcomes(0).state() + ((*row)->outcomes(0).open() ? ", open" : "");
  }
  size_t RowsOf(state::Table table) {
    size_t n = 0;
    CDGATE_EXPECT_OK(world_.kv->Scan(table, "", "", [&](absl::string_view, absl::string_view) {
      ++n;
      return true;
    }));
    return n;
  }
  // What the disk has, before the next start.
  size_t RowsOnDisk(state::Table table) {
    base::MutexLock lock(world_.kv_storage->mu);
    return world_.kv_storage->tables[static_cast<size_t>(table)].size();
  }

  LazyLog::Trimming trimming_ = LazyLog::Trimming::kDone;
  std::unique_ptr<LazyLog> front_;
  std::function<void()> while_folding_;
  std::function<void()> trimmed_;
  absl::Status fold_result_;
  bool lose_a_row_ = false;
  size_t folded_ = 0;
  size_t most_at_once_ = 0;
};

TEST_F(OutcomesTest, ARemovedEventIsKnownByIdentityAndBySequence) {
  CDGATE_ASSERT_OK(
      world_.Propose(world_.OfEvents({Received("1", "{}", world_.clock.Now())})).status);
  const absl::Time committed = store().head().commit_time;
  PublishOld(3);
  Commit(Refused(1, 3, 2));
  EXPECT_EQ(StateAt(1), "(none)") << "the log has it";
  CDGATE_ASSERT_OK(store().ApplyRetention());
  ASSERT_EQ(store().first().sequence, Sequence(5));
  for (int start = 0; start < 2; ++start) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto both, store().Outcomes("1", "", ""));
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].sequence(), 1u);
    EXPECT_EQ(both[0].received_from(), "beta.example");
    EXPECT_EQ(both[0].import_rule(), "builds@1");
    EXPECT_EQ(both[0].source(), "/ci/builds");
    EXPECT_EQ(both[0].type(), "dev.cdevents.build.finished.0.3.0");
    EXPECT_EQ(both[0].commit_time_nanos(), absl::ToUnixNanos(committed));
    EXPECT_EQ(both[1].origin(), "alpha.example");
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto ours, store().Outcomes("1", "", "alpha.example"));
    EXPECT_EQ(ours.size(), 1u);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto none, store().Outcomes("1", "/other", ""));
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(StateAt(2), "refused");
    EXPECT_EQ(StateAt(3), "accepted");
    EXPECT_EQ(StateAt(4), "waiting, open");
    EXPECT_EQ(StateAt(5), "(none)");
    world_.Crash();
    world_.Open();
  }
}

TEST_F(OutcomesTest, WithoutPeersOutcomesTheRowsAreThere) {
  world_.Close();
  world_.fold_outcomes = nullptr;
  world_.Open();
  PublishOld(2);
  Commit(Refused(1, 2, 2));
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(StateAt(2), "(nothing)");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto facts, store().Ledger("beta.example", Sequence(2)));
  EXPECT_TRUE(facts.exception) << "no row holds it";
}

TEST_F(OutcomesTest, ExceptionsGoWithTheEventsWhoseRowsHoldThem) {
  PublishOld(3);
  Commit(Refused(1, 2, 2));
  storage::v1::LedgerRow job = Refused(2, 2, 2);
  job.set_replay(1);
  Commit(job);
  storage::v1::LedgerRow other = Refused(1, 3, 2);
  other.set_peer("gamma.example");  // the rows know nothing of it
  Commit(other);
  const size_t before = RowsOf(state::Table::kLedger);
  trimming_ = LazyLog::Trimming::kLate;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(RowsOf(state::Table::kLedger), before) << "the log has the event";
  trimming_ = LazyLog::Trimming::kDone;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(RowsOf(state::Table::kLedger), before - 2);
  CDGATE_ASSERT_OK_AND_ASSIGN(auto facts, store().Ledger("beta.example", Sequence(2)));
  EXPECT_FALSE(facts.exception);
  EXPECT_TRUE(facts.acknowledged);
  CDGATE_ASSERT_OK_AND_ASSIGN(facts, store().Ledger("gamma.example", Sequence(2)));
  EXPECT_TRUE(facts.exception);
  // What comes for an event that is gone, and whose row is open, stays in the ledger.
  EXPECT_EQ(StateAt(3), "waiting, open");
  Commit(Refused(3, 3, 3));
  world_.clock.Advance(world_.options.retention + absl::Hours(1));
  (void)world_.Publish("newer");
  CDGATE_ASSERT_OK(store().ApplyRetention());
  CDGATE_ASSERT_OK_AND_ASSIGN(facts, store().Ledger("beta.example", Sequence(3)));
  EXPECT_TRUE(facts.exception);
}

TEST_F(OutcomesTest, ACrashBetweenRowsAndTrimLosesAndDoublesNothing) {
  PublishOld(5);
  trimming_ = LazyLog::Trimming::kFails;
  EXPECT_THAT(store().ApplyRetention(), HasReason(Reason::kLogWriteFailed));
  EXPECT_EQ(RowsOnDisk(state::Table::kOutcome), 5u) << "durable before anything is removed";
  world_.Crash();
  world_.Open();
  EXPECT_EQ(StateAt(1), "(none)") << "the log has it";
  CDGATE_EXPECT_OK(store().ReadEvent(Sequence(1)));
  trimming_ = LazyLog::Trimming::kDone;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_THAT(store().ReadEvent(Sequence(1)), HasReason(Reason::kTrimmed));
  EXPECT_EQ(folded_, 5u) << "remembered";
  EXPECT_EQ(RowsOf(state::Table::kOutcome), 5u);
  EXPECT_EQ(RowsOf(state::Table::kOutcomeSequence), 5u);
  for (uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(StateAt(i), "waiting, open") << i;
}

// Rows were written, and what wrote them died before they were durable.
TEST_F(OutcomesTest, RowsThatAreNotDurableAreMadeAgain) {
  PublishOld(5);
  while_folding_ = [this] { world_.kv->FailWrites(); };
  EXPECT_THAT(store().ApplyRetention(), HasReason(Reason::kLogWriteFailed));
  EXPECT_THAT(store().ApplyRetention(), HasReason(Reason::kLogWriteFailed));
  EXPECT_EQ(store().first().sequence, Sequence(1));
  while_folding_ = nullptr;
  world_.Crash();
  world_.Open();
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(6));
  EXPECT_EQ(RowsOf(state::Table::kOutcome), 5u);
}

TEST_F(OutcomesTest, NothingIsRemovedThatCouldNotBeFolded) {
  PublishOld(3);
  fold_result_ = base::MakeError(Reason::kOverloaded, "later");
  EXPECT_THAT(store().ApplyRetention(), HasReason(Reason::kOverloaded));
  EXPECT_EQ(store().first().sequence, Sequence(1));
  fold_result_ = absl::OkStatus();
  lose_a_row_ = true;
  EXPECT_FALSE(store().ApplyRetention().ok());
  EXPECT_EQ(store().first().sequence, Sequence(1));
  EXPECT_EQ(RowsOf(state::Table::kOutcome), 0u);
  lose_a_row_ = false;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(4));
}

TEST_F(OutcomesTest, ManyEventsAreFoldedInPiecesAndOnce) {
  std::vector<storage::v1::StoredEvent> events;
  for (int i = 0; i < 5000; ++i) {
    events.push_back(Published(absl::StrCat("e", i), "{}", world_.clock.Now()));
    if (events.size() < 100) continue;
    CDGATE_ASSERT_OK(world_.Propose(world_.OfEvents(events)).status);
    events.clear();
  }
  world_.clock.Advance(world_.options.retention + absl::Hours(1));
  (void)world_.Publish("new");
  trimming_ = LazyLog::Trimming::kLate;
  for (int i = 0; i < 3; ++i) {
    CDGATE_ASSERT_OK(store().ApplyRetention());
  }
  EXPECT_EQ(folded_, 5000u);
  EXPECT_LE(most_at_once_, 1024u);
  EXPECT_EQ(RowsOf(state::Table::kOutcome), 5000u);
}

TEST_F(OutcomesTest, ACommitThatIsPartlyOldIsNotFolded) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(world_
                       .Propose(world_.OfEvents({Published("b", "{}", world_.clock.Now()),
                                                 Published("c", "{}", world_.clock.Now())}))
                       .status);
  world_.Close();
  world_.options.retention_bytes = 1;  // keeps the newest event only
  world_.Open();
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(2));
  EXPECT_EQ(folded_, 1u);
}

// An acknowledgement and a replay of events that have rows and are still in the log.
TEST_F(OutcomesTest, WhatTheLedgerGetsLaterIsInTheRows) {
  PublishOld(4);
  trimming_ = LazyLog::Trimming::kLate;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  Commit(Refused(2, 4, 3));
  storage::v1::LedgerRow job = Acknowledged(4, 4, 2);
  job.set_replay(1);
  Commit(job);
  world_.Crash();
  world_.Open();
  trimming_ = LazyLog::Trimming::kDone;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(StateAt(1), "waiting, open");
  EXPECT_EQ(StateAt(2), "accepted");
  EXPECT_EQ(StateAt(3), "refused");
  EXPECT_EQ(StateAt(4), "replayed");
  EXPECT_EQ(folded_, 4u + 3u);
}

TEST_F(OutcomesTest, WhatTheLedgerGetsMeanwhileKeepsTheEvents) {
  PublishOld(4);
  while_folding_ = [this] { Commit(Refused(3, 4, 4)); };
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(3)) << "their rows are not what is known of them";
  while_folding_ = nullptr;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(5));
  EXPECT_EQ(StateAt(2), "waiting, open");
  EXPECT_EQ(StateAt(3), "accepted");
  EXPECT_EQ(StateAt(4), "refused");
}

// Acknowledged when the row was made and the event is gone: only the ledger has it.
TEST_F(OutcomesTest, WhatComesForAnOpenRowStaysInTheLedger) {
  PublishOld(2);
  trimmed_ = [this] { Commit(Refused(1, 2, 2)); };
  CDGATE_ASSERT_OK(store().ApplyRetention());
  trimmed_ = nullptr;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(StateAt(2), "waiting, open");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto facts, store().Ledger("beta.example", Sequence(2)));
  EXPECT_TRUE(facts.exception);
}

TEST_F(OutcomesTest, WhatTheLogLostIsForgotten) {
  PublishOld(4);
  trimming_ = LazyLog::Trimming::kLate;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  LoseCommits(world_, 3, /*new_epoch=*/true);  // back to 2
  world_.Open();
  EXPECT_EQ(RowsOf(state::Table::kOutcome), 2u);
  EXPECT_EQ(RowsOf(state::Table::kOutcomeSequence), 2u);
  EXPECT_EQ(world_.Publish("other").sequence, Sequence(3));
  world_.clock.Advance(world_.options.retention + absl::Hours(1));
  (void)world_.Publish("newer");
  trimming_ = LazyLog::Trimming::kDone;
  CDGATE_ASSERT_OK(store().ApplyRetention());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto three, store().OutcomeAt(Sequence(3)));
  ASSERT_TRUE(three);
  EXPECT_EQ(three->id(), "other");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto lost, store().Outcomes("3", "", ""));
  EXPECT_TRUE(lost.empty());
}

TEST_F(OutcomesTest, AreToldAsLongAsTheAuditRetention) {
  Proposal proposal;
  storage::v1::ImportRefusal refusal;
  refusal.set_peer("beta.example");
  refusal.set_id("r");
  proposal.refusals.push_back(refusal);
  CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  const absl::Time then = world_.clock.Now();
  PublishOld(1);
  CDGATE_ASSERT_OK(store().ApplyRetention());
  const auto known = [this] {
    return store().Outcomes("1", "", "")->size() + store().Refusals("r", "", "")->size() +
           (StateAt(1) == "(none)" ? 0 : 1);
  };
  world_.clock.Advance(then + world_.options.audit_retention - world_.clock.Now());
  EXPECT_EQ(known(), 3u);
  world_.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(known(), 0u);
}

}  // namespace
}  // namespace cdgate::test
