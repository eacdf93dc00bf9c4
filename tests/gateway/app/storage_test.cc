// The storage as the daemon opens it, on a disk.
#include "gateway/app/storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/state/rows.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::app {
namespace {

class StorageTest : public testing::Test {
 protected:
  StorageTest() {
    config_.set_data_dir(dir_.path());
    config_.mutable_log()->mutable_dedup_horizon()->set_seconds(48 * 3600);
    config_.mutable_log()->mutable_retention()->set_seconds(24 * 3600);
  }

  void Open() {
    storage_.reset();
    auto opened = Storage::Open(config_, {.clock = clock_,
                                          .random = base::SystemRandom(),
                                          .metrics = metrics_,
                                          .timers = timers_,
                                          .background = pool_,
                                          .callbacks = pool_,
                                          .on_fatal = nullptr});
    CDGATE_ASSERT_OK(opened);
    storage_ = *std::move(opened);
  }
  state::EventResult Publish(const std::string& id) {
    const std::string stored = test::Published(id, "{}", clock_.Now()).SerializeAsString();
    const event::Record record(base::Sequence(), stored);
    const state::IdentityKey identity =
        storage_->store().identities().Of(record.origin(), record.source(), record.id());
    state::Proposal proposal;
    proposal.events.push_back(state::MakeNewEvent(stored, identity));
    test::StoreWorld::Waiting waiting;
    CDGATE_EXPECT_OK(storage_->store().Propose(std::move(proposal), waiting.done()));
    return waiting.Get().events.at(0);
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  base::Metrics metrics_;
  test::FakeTimerQueue timers_{clock_};
  base::ThreadPool pool_{{.name = "pool", .threads = 2, .max_queued = 64}};
  config::v1::GatewayConfig config_;
  std::unique_ptr<Storage> storage_;
};

TEST_F(StorageTest, AFewEventsAreDuplicatesAfterARestart) {
  Open();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Publish(absl::StrCat(i)).duplicate);
  for (int restart = 0; restart < 2; ++restart) {
    Open();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(Publish(absl::StrCat(i)).duplicate) << i;
  }
}

TEST_F(StorageTest, IdentitiesBehindTheHorizonLeaveTheDisk) {
  const auto row_at = [](absl::Time accepted) {
    state::IdentityRow row;
    row.accepted_seconds = static_cast<uint32_t>(absl::ToUnixSeconds(accepted));
    return std::string(state::ViewOf(state::EncodeIdentityRow(row)));
  };
  const auto expired = FoldOptions(config_, clock_).expired;
  ASSERT_TRUE(expired);
  const std::string row = row_at(clock_.Now());
  EXPECT_FALSE(expired(state::Table::kIdentity, row));
  clock_.Advance(absl::Hours(48));
  EXPECT_FALSE(expired(state::Table::kIdentity, row));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(expired(state::Table::kIdentity, row));
  EXPECT_FALSE(expired(state::Table::kCursor, row));
}

TEST_F(StorageTest, TheHorizonIsThatOfTheStoreWhereNoneIsConfigured) {
  config_.mutable_log()->clear_dedup_horizon();
  state::IdentityRow row;
  row.accepted_seconds = static_cast<uint32_t>(absl::ToUnixSeconds(clock_.Now()));
  const std::string bytes(state::ViewOf(state::EncodeIdentityRow(row)));
  const auto expired = FoldOptions(config_, clock_).expired;
  clock_.Advance(state::StoreOptions().dedup_horizon);
  EXPECT_FALSE(expired(state::Table::kIdentity, bytes));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(expired(state::Table::kIdentity, bytes));
}

TEST_F(StorageTest, OutcomesLeaveTheDiskAfterTheAuditRetention) {
  storage::v1::OutcomeRow row;
  row.set_commit_time_nanos(absl::ToUnixNanos(clock_.Now()));
  const std::string bytes = row.SerializeAsString();
  const auto standard = FoldOptions(config_, clock_).expired;
  config_.mutable_log()->mutable_audit_retention()->set_seconds(72 * 3600);
  const auto configured = FoldOptions(config_, clock_).expired;
  clock_.Advance(absl::Hours(72));
  EXPECT_FALSE(configured(state::Table::kOutcome, bytes));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(configured(state::Table::kOutcome, bytes));
  clock_.Advance(absl::Hours(24 * 397) - absl::Seconds(1));
  EXPECT_FALSE(standard(state::Table::kOutcome, bytes));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(standard(state::Table::kOutcome, bytes));
}

// On the disk: a segment goes only as a whole, once there is another.
TEST_F(StorageTest, RetentionLeavesWhatBecameOfAnEvent) {
  Open();
  (void)Publish("a");
  (void)Publish("b");
  clock_.Advance(absl::Hours(25));
  CDGATE_ASSERT_OK(storage_->store().ApplyRetention());  // closes the segment
  EXPECT_EQ(storage_->store().first().sequence, base::Sequence(1));
  (void)Publish("c");
  CDGATE_ASSERT_OK(storage_->store().ApplyRetention());
  EXPECT_EQ(storage_->store().first().sequence, base::Sequence(3));
  for (int start = 0; start < 2; ++start) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto rows, storage_->store().Outcomes("a", "", ""));
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].sequence(), 1u);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto second, storage_->store().OutcomeAt(base::Sequence(2)));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->id(), "b");
    Open();
  }
}

TEST_F(StorageTest, OutcomesAreCountedAcrossRestarts) {
  Open();
  state::Proposal proposal;
  storage::v1::ImportRefusal refusal;
  refusal.set_peer("beta.example");
  refusal.set_reason("no_rule");
  proposal.refusals.push_back(refusal);
  test::StoreWorld::Waiting waiting;
  CDGATE_ASSERT_OK(storage_->store().Propose(std::move(proposal), waiting.done()));
  CDGATE_ASSERT_OK(waiting.Get().status);
  for (int start = 0; start < 2; ++start) {
    storage_->UpdateMetrics();
    EXPECT_THAT(metrics_.Text(),
                testing::HasSubstr("cdgate_outcomes{direction=\"import\",peer=\"beta.example\""
                                   ",reason=\"no_rule\",state=\"refused\"} 1"));
    Open();
  }
}

}  // namespace
}  // namespace cdgate::app
