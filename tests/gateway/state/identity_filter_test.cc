#include "gateway/state/identity_filter.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/event/record.h"
#include "gateway/state/identity_index.h"
#include "gateway/state/memory_kv.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {
namespace {

using state::IdentityFilter;
using state::IdentityHasher;
using state::IdentityIndex;
using state::IdentityKey;
using state::KvBatch;
using state::KvStore;
using state::MemoryKv;
using state::MemoryKvStorage;
using state::Table;

const std::string kKey(32, 'k');

IdentityKey KeyOf(size_t i) {
  return IdentityHasher(kKey).Of("alpha.example", "/s", absl::StrCat(i));
}

TEST(IdentityFilterTest, HoldsEverythingThatWasAddedAndLittleElse) {
  constexpr size_t kAdded = 300'000;  // three parts
  IdentityFilter filter(2 << 20);
  for (size_t i = 0; i < kAdded; ++i) filter.Add(KeyOf(i));
  ASSERT_FALSE(filter.given_up());
  size_t wrong = 0;
  for (size_t i = 0; i < kAdded; ++i) {
    ASSERT_TRUE(filter.MayHold(KeyOf(i))) << i;
    wrong += filter.MayHold(KeyOf(kAdded + i)) ? 1 : 0;
  }
  EXPECT_LT(wrong, kAdded / 500);
}

TEST(IdentityFilterTest, AnEmptyOneHoldsNothing) {
  EXPECT_FALSE(IdentityFilter(1 << 20).MayHold(KeyOf(1)));
}

TEST(IdentityFilterTest, IsGivenUpWhereItWouldGrowBeyondItsBound) {
  IdentityFilter filter(200 << 10);  // 163,840 bytes for the first 65,536 identities
  size_t added = 0;
  for (; !filter.given_up() && added < 1'000'000; ++added) filter.Add(KeyOf(added));
  EXPECT_EQ(added, 65'536u + 1);
  EXPECT_TRUE(filter.MayHold(KeyOf(5'000'000))) << "maybe, whatever it is";
}

// Counts what it is asked.
class CountingKv final : public KvStore {
 public:
  explicit CountingKv(std::shared_ptr<MemoryKvStorage> storage) : kv_(std::move(storage)) {}
  std::unique_ptr<KvBatch> NewBatch() const override { return kv_.NewBatch(); }
  absl::Status Write(KvBatch& batch) override { return kv_.Write(batch); }
  absl::Status WriteSorted(Table table, NextRow next) override {
    return kv_.WriteSorted(table, next);
  }
  absl::StatusOr<bool> Get(Table table, absl::string_view key, std::string* value) const override {
    return kv_.Get(table, key, value);
  }
  absl::Status MultiGet(Table table, absl::Span<const absl::string_view> keys,
                        std::vector<std::string>* values, std::vector<bool>* found) const override {
    asked += keys.size();
    return kv_.MultiGet(table, keys, values, found);
  }
  absl::Status Scan(Table table, absl::string_view begin, absl::string_view end,
                    Row row) const override {
    return kv_.Scan(table, begin, end, row);
  }
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      Table table, absl::string_view key) const override {
    return kv_.Last(table, key);
  }
  absl::Status Flush() override { return kv_.Flush(); }

  mutable size_t asked = 0;

 private:
  MemoryKv kv_;
};

class FilledIndexTest : public testing::Test {
 protected:
  static constexpr size_t kEvents = 3000;

  // An index whose rows an earlier life has written.
  void SetUp() override {
    CountingKv before(storage_);
    IdentityIndex index(before, kKey);
    commit_ = NextEvents({}, kEvents);
    for (const event::Record& record : commit_->events) {
      keys_.push_back(index.hasher().Of(record.origin(), record.source(), record.id()));
    }
    index.Apply(*commit_, {});
    index.BeginWrite();
    CDGATE_ASSERT_OK(index.Write());
    CDGATE_ASSERT_OK(before.Flush());
  }

  size_t Found(const IdentityIndex& index, absl::Span<const IdentityKey> keys) {
    std::vector<std::optional<state::IdentityRow>> rows;
    CDGATE_EXPECT_OK(index.Find(keys, &rows));
    size_t found = 0;
    for (const auto& row : rows) found += row ? 1 : 0;
    return found;
  }

  std::shared_ptr<MemoryKvStorage> storage_ = std::make_shared<MemoryKvStorage>();
  event::CommitPtr commit_;
  std::vector<IdentityKey> keys_;
};

TEST_F(FilledIndexTest, NewIdentitiesAreNotLookedForOnceItIsFilled) {
  CountingKv kv(storage_);
  IdentityIndex index(kv, kKey);
  std::vector<IdentityKey> fresh;
  for (size_t i = 0; i < 1000; ++i) fresh.push_back(KeyOf(i));
  EXPECT_EQ(Found(index, fresh), 0u);
  EXPECT_EQ(kv.asked, 1000u) << "nothing is known yet of what is on disk";
  CDGATE_ASSERT_OK(index.Fill());
  kv.asked = 0;
  EXPECT_EQ(Found(index, fresh), 0u);
  EXPECT_LT(kv.asked, 50u);
  EXPECT_EQ(Found(index, keys_), kEvents);
}

TEST_F(FilledIndexTest, WhatIsAppliedWhileItIsFilledIsFound) {
  CountingKv kv(storage_);
  IdentityIndex index(kv, kKey);
  const event::CommitPtr more = NextEvents({}, 1);
  const std::vector<IdentityKey> key = {KeyOf(77)};
  index.Apply(*more, {{.key = key[0], .row = {}}});
  CDGATE_ASSERT_OK(index.Fill());
  EXPECT_EQ(Found(index, key), 1u);
  index.BeginWrite();
  EXPECT_EQ(Found(index, key), 1u);
  CDGATE_ASSERT_OK(index.Write());
  EXPECT_EQ(Found(index, key), 1u);
  EXPECT_EQ(Found(index, keys_), kEvents);
}

TEST_F(FilledIndexTest, TheLastEventOfAnIdentityCountsAndBothAreFoundById) {
  CountingKv kv(storage_);
  IdentityIndex index(kv, kKey);
  const event::CommitPtr more = NextEvents({}, 2);
  const IdentityKey key = index.hasher().Of("alpha.example", "/s", "again");
  const auto entry = [&](uint64_t sequence) {
    return state::IdentityEntry{.key = key, .row = {.sequence = base::Sequence(sequence)}};
  };
  index.Apply(*more, {entry(5001), entry(5002)});
  std::vector<std::optional<state::IdentityRow>> rows;
  CDGATE_ASSERT_OK(index.Find({key}, &rows));
  EXPECT_EQ(rows[0]->sequence, base::Sequence(5002));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto both, index.FindById("again"));
  EXPECT_EQ(both, (std::vector<base::Sequence>{base::Sequence(5001), base::Sequence(5002)}));
  index.BeginWrite();
  CDGATE_ASSERT_OK(index.Write());
  CDGATE_ASSERT_OK(index.Find({key}, &rows));
  EXPECT_EQ(rows[0]->sequence, base::Sequence(5002));
}

TEST_F(FilledIndexTest, AStoppedFillChangesNoAnswer) {
  CountingKv kv(storage_);
  IdentityIndex index(kv, kKey);
  index.StopFill();
  CDGATE_ASSERT_OK(index.Fill());
  EXPECT_EQ(Found(index, keys_), kEvents);
  EXPECT_EQ(kv.asked, kEvents);
}

}  // namespace
}  // namespace cdgate::test
