#include "tests/gateway/state/fold_fixture.h"

namespace cdgate::test {
namespace {

TEST_F(FoldTest, CursorsMoveAndGo) {
  EXPECT_FALSE(store().Cursor("subscription/a"));
  CDGATE_ASSERT_OK(world_.Move(Cursor("subscription/a", 7)));
  CDGATE_ASSERT_OK(world_.Move(Cursor("subscription/b", 1)));
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 3)));
  CDGATE_ASSERT_OK(world_.Move(Cursor("subscription/a", 5)));
  ASSERT_TRUE(store().Cursor("subscription/a"));
  EXPECT_EQ(store().Cursor("subscription/a")->position(), 5u);
  EXPECT_EQ(store().Cursors("subscription/").size(), 2u);
  EXPECT_EQ(store().Cursors("").size(), 3u);
  state::CursorEdit gone = Cursor("subscription/a", 0);
  gone.move.set_removed(true);
  CDGATE_ASSERT_OK(world_.Move(gone));
  EXPECT_FALSE(store().Cursor("subscription/a"));
  world_.Crash();
  world_.Open();
  EXPECT_FALSE(store().Cursor("subscription/a"));
  EXPECT_EQ(store().Cursor("link/beta.example/import")->position(), 3u);
}

TEST_F(FoldTest, ACursorMovesOnlyFromWhereItIsExpected) {
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 3, 0)));
  EXPECT_THAT(world_.Move(Cursor("link/beta.example/import", 5, 2)),
              HasReason(Reason::kEtagMismatch));
  CDGATE_EXPECT_OK(world_.Move(Cursor("link/beta.example/import", 5, 3)));
}

// What was proposed behind a refused proposal is refused too: nothing is skipped.
TEST_F(FoldTest, ARefusedImportStopsThoseBehindIt) {
  const std::string reader = "link/beta.example/import";
  const auto import = [&](const char* id, uint64_t from) {
    Proposal proposal = world_.OfEvents({Received(id, "{}", world_.clock.Now())});
    proposal.cursors.push_back(Cursor(reader, from + 1, from));
    return world_.Begin(std::move(proposal));
  };
  auto first = import("a", 0);
  auto wrong = import("b", 7);
  auto behind = import("c", 8);
  CDGATE_EXPECT_OK(first.Get().status);
  EXPECT_THAT(wrong.Get().status, HasReason(Reason::kEtagMismatch));
  EXPECT_THAT(behind.Get().status, HasReason(Reason::kEtagMismatch));
  EXPECT_EQ(store().Cursor(reader)->position(), 1u);
  EXPECT_EQ(store().head().sequence, Sequence(1));
}

// --- imports

TEST_F(FoldTest, ACopyWithTheSameCommitmentIsADuplicate) {
  auto whole = Received("a", R"({"secret":1})", world_.clock.Now());
  auto redacted = whole;
  redacted.set_content_digest(crypto::Sha256("{}"));
  redacted.clear_salt();
  CDGATE_EXPECT_OK(world_.Propose(world_.OfEvents({whole})).status);
  const Outcome outcome = world_.Propose(world_.OfEvents({redacted, whole}));
  EXPECT_TRUE(outcome.events[0].duplicate);
  EXPECT_TRUE(outcome.events[0].variant);
  EXPECT_TRUE(outcome.events[1].duplicate);
  EXPECT_FALSE(outcome.events[1].variant);
  EXPECT_EQ(
      world_.metrics.AddCounter("cdgate_log_events_total", "", {{"outcome", "variant_ignored"}})
          .Value(),
      1);
}

TEST_F(FoldTest, AConflictingImportIsQuarantinedWithItsCursor) {
  CDGATE_ASSERT_OK(
      world_.Propose(world_.OfEvents({Received("a", "{}", world_.clock.Now())})).status);
  Proposal proposal = world_.OfEvents(
      {Received("a", "[]", world_.clock.Now()), Received("b", "{}", world_.clock.Now())});
  proposal.cursors.push_back(Cursor("link/beta.example/import", 3));
  const Outcome outcome = world_.Propose(std::move(proposal));
  EXPECT_THAT(outcome.events[0].status, HasReason(Reason::kIdentityConflict));
  EXPECT_EQ(outcome.events[1].sequence, Sequence(2));
  EXPECT_EQ(store().Cursor("link/beta.example/import")->position(), 3u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto refusals, store().Refusals("a", "", ""));
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].refusal().reason(), "identity_conflict");
  EXPECT_EQ(refusals[0].refusal().source(), "/ci/builds");
  EXPECT_EQ(refusals[0].refusal().rule(), "builds@1");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto letters,
                              store().DeadLetters("link/beta.example/import", nullptr, 10));
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_FALSE(letters[0].letter().event().cloud_event().empty());
  EXPECT_EQ(store().Counters("beta.example").received, 2u);
  EXPECT_EQ(store().Counters("beta.example").refused, 1u);
}

TEST_F(FoldTest, ATooOldImportLeavesARefusalAndNoContent) {
  const absl::Time old = world_.clock.Now() - absl::Hours(24 * 365);
  Proposal proposal = world_.OfEvents({Received("a", "{}", old)});
  proposal.cursors.push_back(Cursor("link/beta.example/import", 1));
  (void)world_.Propose(std::move(proposal));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto refusals,
                              store().Refusals("a", "/ci/builds", "beta.example"));
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].refusal().reason(), "too_old");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto letters,
                              store().DeadLetters("link/beta.example/import", nullptr, 10));
  EXPECT_TRUE(letters.empty());
}

// --- resources

TEST_F(FoldTest, AcknowledgedRangesThatWereDecidedAlikeAreOne) {
  for (const auto& [first, last, policy] :
       std::vector<std::array<uint64_t, 3>>{{1, 10, 1}, {11, 20, 1}, {21, 30, 2}, {40, 50, 2}}) {
    Proposal proposal;
    proposal.ledger.push_back(Acknowledged(first, last, policy));
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(auto rows, store().LedgerRows("beta.example", Sequence(1), 10));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].first_sequence(), 1u);
  EXPECT_EQ(rows[0].last_sequence(), 20u);
  EXPECT_EQ(rows[1].last_sequence(), 30u);
  EXPECT_EQ(rows[2].first_sequence(), 40u);
  CDGATE_ASSERT_OK_AND_ASSIGN(rows, store().LedgerRows("beta.example", Sequence(15), 1));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].first_sequence(), 1u);
  CDGATE_ASSERT_OK_AND_ASSIGN(rows, store().LedgerRows("beta.example", Sequence(35), 10));
  ASSERT_EQ(rows.size(), 1u);
  CDGATE_ASSERT_OK_AND_ASSIGN(rows, store().LedgerRows("gamma.example", Sequence(1), 10));
  EXPECT_TRUE(rows.empty());
}

TEST_F(FoldTest, ARangeThatEndedOtherwiseIsARowOfItsOwn) {
  for (uint64_t i = 0; i < 3; ++i) {
    Proposal proposal;
    proposal.ledger.push_back(Acknowledged(i * 10 + 1, i * 10 + 10, 1));
    if (i == 1) {
      proposal.ledger[0].set_state("dead_lettered");
      proposal.ledger[0].set_reason("trimmed");
    }
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  const auto state_of = [this](uint64_t sequence) {
    const auto facts = store().Ledger("beta.example", Sequence(sequence));
    EXPECT_TRUE(facts.ok() && facts->acknowledged) << sequence;
    return facts.ok() && facts->acknowledged ? facts->acknowledged->state() : "(none)";
  };
  EXPECT_EQ(state_of(10), "");
  EXPECT_EQ(state_of(11), "dead_lettered");
  EXPECT_EQ(state_of(20), "dead_lettered");
  EXPECT_EQ(state_of(21), "");
}

TEST_F(FoldTest, ARangeGoesOnAfterARestart) {
  for (uint64_t i = 0; i < 3; ++i) {
    Proposal proposal;
    proposal.ledger.push_back(Acknowledged(i * 10 + 1, i * 10 + 10, 1));
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
    world_.Close();
    world_.Open();
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto rows, store().LedgerRows("beta.example", Sequence(1), 10));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].last_sequence(), 30u);
}

TEST_F(FoldTest, TheLedgerKnowsRangeExceptionAndHorizon) {
  Proposal proposal;
  storage::v1::LedgerRow horizon;
  horizon.set_peer("beta.example");
  horizon.set_last_sequence(4096);
  horizon.set_horizon(true);
  proposal.ledger.push_back(horizon);
  storage::v1::LedgerRow row = Acknowledged(1, 10, 3);
  storage::v1::LedgerException* const exception = row.add_exceptions();
  exception->set_sequence(7);
  exception->set_state("refused");
  exception->set_reason("no_rule");
  proposal.ledger.push_back(row);
  CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  world_.Crash();
  world_.Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto seven, store().Ledger("beta.example", Sequence(7)));
  ASSERT_TRUE(seven.acknowledged);
  EXPECT_EQ(seven.acknowledged->policy_epoch().policy_version(), 3u);
  ASSERT_TRUE(seven.exception);
  EXPECT_EQ(seven.exception->reason(), "no_rule");
  EXPECT_EQ(seven.horizon, Sequence(4096));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto eleven, store().Ledger("beta.example", Sequence(11)));
  EXPECT_FALSE(eleven.acknowledged);
  EXPECT_FALSE(eleven.exception);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto other, store().Ledger("gamma.example", Sequence(7)));
  EXPECT_FALSE(other.acknowledged);
  EXPECT_EQ(other.horizon, Sequence(0));
}

TEST_F(FoldTest, CountsWhatAPeerWasGiven) {
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/export", 10)));
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/export", 25)));
  state::CursorEdit next = Cursor("link/beta.example/export", 5);
  next.move.set_epoch("another link epoch");
  CDGATE_ASSERT_OK(world_.Move(next));
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 99)));
  EXPECT_EQ(store().Counters("beta.example").given, 30u);
  EXPECT_EQ(store().Counters("gamma.example").given, 0u);
  world_.Crash();
  world_.Open();
  EXPECT_EQ(store().Counters("beta.example").given, 30u);
}

// --- dead letters

TEST_F(FoldTest, DeadLettersAreListedInPagesAndRemoved) {
  for (int i = 0; i < 3; ++i) {
    Proposal proposal;
    for (int j = 0; j < 2; ++j) {
      storage::v1::DeadLetter letter;
      letter.set_reader("subscription/s");
      letter.set_sequence(static_cast<uint64_t>(i * 2 + j + 1));
      proposal.dead_letters.push_back(letter);
    }
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto page, store().DeadLetters("subscription/s", nullptr, 4));
  ASSERT_EQ(page.size(), 4u);
  EXPECT_EQ(page[3].letter().sequence(), 4u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto rest,
                              store().DeadLetters("subscription/s", &page[3].key(), 4));
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].letter().sequence(), 5u);
  Proposal removal;
  removal.removed_dead_letters.push_back(page[0].key());
  CDGATE_ASSERT_OK(world_.Propose(std::move(removal)).status);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto left, store().DeadLetters("subscription/s", nullptr, 10));
  EXPECT_EQ(left.size(), 5u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto other, store().DeadLetters("subscription/", nullptr, 10));
  EXPECT_TRUE(other.empty());
}

// --- positions and epochs

TEST_F(FoldTest, APositionIsOfItsEpoch) {
  const base::Epoch epoch = store().head().epoch;
  (void)world_.Publish("a");
  CDGATE_EXPECT_OK(store().CheckPosition(epoch, Sequence(0)));
  CDGATE_EXPECT_OK(store().CheckPosition(epoch, Sequence(1)));
  EXPECT_THAT(store().CheckPosition(epoch, Sequence(2)), HasReason(Reason::kEpochRegressed));
  EXPECT_THAT(store().CheckPosition(base::Epoch("other"), Sequence(1)),
              HasReason(Reason::kWrongEpoch));
}

// --- retention

TEST_F(FoldTest, RetentionRemovesWhatIsTooOld) {
  (void)world_.Publish("a");
  world_.clock.Advance(world_.options.retention - absl::Hours(1));
  (void)world_.Publish("b");
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(1));
  world_.clock.Advance(absl::Hours(2));
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_EQ(store().first().sequence, Sequence(2));
  EXPECT_THAT(store().ReadEvent(Sequence(1)), HasReason(Reason::kTrimmed));
  EXPECT_TRUE(world_.Publish("a").duplicate) << "the identity outlives the event";
  EXPECT_EQ(world_.metrics.AddGauge("cdgate_log_first_sequence", "").Value(), 2);
}

TEST_F(FoldTest, RetentionRemovesWhatIsTooMuch) {
  world_.Close();
  world_.options.retention_bytes = 20'000;
  world_.Open();
  for (int i = 0; i < 60; ++i) {
    (void)world_.Publish(absl::StrCat(i), absl::StrCat("\"", std::string(1000, 'x'), "\""));
  }
  CDGATE_ASSERT_OK(store().ApplyRetention());
  EXPECT_GT(store().first().sequence, Sequence(30));
  EXPECT_LT(store().first().sequence, Sequence(60));
  EXPECT_LE(world_.log->stats().bytes, 25'000u);
}

TEST_F(FoldTest, RetentionNeverPassesWhatTheFoldHasFlushed) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "v")));
  world_.clock.Advance(world_.options.retention + absl::Hours(1));
  CDGATE_ASSERT_OK(store().ApplyRetention());
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "h", "v")));
  world_.clock.Advance(world_.options.retention + absl::Hours(1));
  CDGATE_ASSERT_OK(store().ApplyRetention());
  world_.Crash();
  world_.Open();
  EXPECT_NE(store().Resources()->Find("grant", "g"), nullptr);
  EXPECT_NE(store().Resources()->Find("grant", "h"), nullptr);
}

TEST_F(FoldTest, AFoldThatTheLogCannotCompleteIsRefused) {
  for (const char* id : {"a", "b", "c"}) (void)world_.Publish(id);
  world_.Close();
  world_.kv_storage = std::make_shared<state::MemoryKvStorage>();  // the state is gone
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate) << "made again from the log";
  CDGATE_ASSERT_OK(world_.log->Trim(Sequence(3)));
  world_.Close();
  world_.kv_storage = std::make_shared<state::MemoryKvStorage>();
  EXPECT_THAT(world_.TryOpen(),
              HasReasonAndMessage(Reason::kLogCorrupt, testing::HasSubstr("backup")));
}

TEST_F(FoldTest, TheFoldIsFlushedWhenThereIsMuch) {
  world_.Close();
  world_.options.flush_events = 10;
  world_.Open();
  for (int i = 0; i < 200; ++i) (void)world_.Publish(absl::StrCat(i));
  world_.pool.Shutdown();
  size_t rows = 0;
  {
    base::MutexLock lock(world_.kv_storage->mu);
    rows = world_.kv_storage->tables[static_cast<size_t>(state::Table::kIdentity)].size();
  }
  EXPECT_GT(rows, 10u);
}

// --- a log that lost its end

class RegressionTest : public FoldTest {
 protected:
  void LoseCommits(size_t commits, bool new_epoch) {
    test::LoseCommits(world_, commits, new_epoch);
  }
};

TEST_F(RegressionTest, WhatTheLogLostIsForgotten) {
  const base::Epoch before = store().head().epoch;
  for (const char* id : {"a", "b", "c"}) (void)world_.Publish(id);
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 3)));
  CDGATE_ASSERT_OK(world_.Move(Cursor("subscription/s", 3)));
  Proposal ledger;
  ledger.ledger.push_back(Acknowledged(1, 3, 1));
  CDGATE_ASSERT_OK(world_.Propose(std::move(ledger)).status);
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "v")));
  LoseCommits(5, /*new_epoch=*/true);  // back to b
  world_.Open();
  EXPECT_EQ(store().head().sequence, Sequence(2));
  EXPECT_TRUE(world_.Publish("b").duplicate);
  const state::EventResult c = world_.Publish("c");
  EXPECT_FALSE(c.duplicate) << "it is not in the log any more";
  EXPECT_EQ(c.sequence, Sequence(3));
  EXPECT_FALSE(store().Cursor("link/beta.example/import")) << "so that the peer sends again";
  EXPECT_TRUE(store().Cursor("subscription/s"));
  EXPECT_NE(store().Resources()->Find("grant", "g"), nullptr) << "it was acknowledged";
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto facts, store().Ledger("beta.example", Sequence(3)));
  EXPECT_FALSE(facts.acknowledged);
  EXPECT_THAT(store().CheckPosition(before, Sequence(3)), HasReason(Reason::kEpochRegressed));
  CDGATE_EXPECT_OK(store().CheckPosition(before, Sequence(2)));
  CDGATE_EXPECT_OK(store().CheckPosition(store().head().epoch, Sequence(3)));
}

// Only some tables are ahead of the log: those that are written at once.
TEST_F(RegressionTest, WhatOnlySomeTablesHaveIsForgottenToo) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(store().Flush());
  (void)world_.Publish("b");
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "v")));
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 3)));
  // As if the database had flushed by itself: rows, but no identities.
  CDGATE_ASSERT_OK(world_.kv->Flush());
  world_.Crash();
  LoseCommits(2, /*new_epoch=*/true);
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate);
  EXPECT_TRUE(world_.Publish("b").duplicate);
  EXPECT_FALSE(store().Cursor("link/beta.example/import"));
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/import", 1, 0)));
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "h", "v")));
  world_.Crash();
  world_.Open();
  EXPECT_EQ(store().Cursor("link/beta.example/import")->position(), 1u);
  EXPECT_NE(store().Resources()->Find("grant", "h"), nullptr);
}

// Rows that were written before a crash are not counted twice.
TEST_F(FoldTest, ApplyingAgainCountsNothingTwice) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(store().Flush());
  Proposal import = world_.OfEvents({Received("b", "{}", world_.clock.Now())});
  CDGATE_ASSERT_OK(world_.Propose(std::move(import)).status);
  CDGATE_ASSERT_OK(world_.Move(Cursor("link/beta.example/export", 10)));
  (void)world_.Publish("c");
  CDGATE_ASSERT_OK(world_.kv->Flush());  // rows, but no identities
  world_.Crash();
  world_.Open();
  EXPECT_EQ(store().Counters("beta.example").received, 1u);
  EXPECT_EQ(store().Counters("beta.example").given, 10u);
  for (const char* id : {"a", "c"}) EXPECT_TRUE(world_.Publish(id).duplicate);
  Proposal again = world_.OfEvents({Received("b", "{}", world_.clock.Now())});
  EXPECT_TRUE(world_.Propose(std::move(again)).events[0].duplicate);
}

TEST_F(RegressionTest, AFoldAheadInTheSameEpochIsRefused) {
  for (const char* id : {"a", "b", "c"}) (void)world_.Publish(id);
  LoseCommits(2, /*new_epoch=*/false);
  EXPECT_THAT(world_.TryOpen(), HasReason(Reason::kLogCorrupt));
}

}  // namespace
}  // namespace cdgate::test
