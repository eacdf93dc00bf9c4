// What every KvStore does.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/state/kv_store.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {

using state::KvBatch;
using state::KvStore;
using state::Table;

class KvHarness {
 public:
  virtual ~KvHarness() = default;
  virtual KvStore& kv() = 0;
  // Opens what is durable, as after a crash.
  virtual void CrashAndReopen() = 0;
};

using MakeKvHarness = std::unique_ptr<KvHarness> (*)();

class KvStoreContractTest : public testing::TestWithParam<MakeKvHarness> {
 protected:
  KvStoreContractTest() : harness_(GetParam()()) {}
  KvStore& kv() { return harness_->kv(); }

  void Put(Table table, const std::string& key, const std::string& value) {
    const auto batch = kv().NewBatch();
    batch->Put(table, key, value);
    CDGATE_ASSERT_OK(kv().Write(*batch));
  }
  void PutSorted(Table table, const std::vector<std::pair<std::string, std::string>>& rows) {
    size_t next = 0;
    CDGATE_ASSERT_OK(kv().WriteSorted(table, [&](absl::string_view* key, absl::string_view* value) {
      if (next == rows.size()) return false;
      *key = rows[next].first;
      *value = rows[next].second;
      ++next;
      return true;
    }));
  }
  std::string Get(Table table, const std::string& key) {
    std::string value;
    const auto found = kv().Get(table, key, &value);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && *found ? value : "(none)";
  }
  std::string Scan(Table table, const std::string& begin, const std::string& end,
                   size_t limit = 100) {
    std::string out;
    CDGATE_EXPECT_OK(kv().Scan(table, begin, end, [&](absl::string_view key, absl::string_view) {
      out.append(key.data(), key.size());
      out.push_back(' ');
      return --limit > 0;
    }));
    return out;
  }

  std::unique_ptr<KvHarness> harness_;
};

TEST_P(KvStoreContractTest, GivesBackWhatWasPut) {
  Put(Table::kMeta, "a", "1");
  EXPECT_EQ(Get(Table::kMeta, "a"), "1");
  Put(Table::kMeta, "a", "2");
  EXPECT_EQ(Get(Table::kMeta, "a"), "2");
  EXPECT_EQ(Get(Table::kMeta, "b"), "(none)");
}

TEST_P(KvStoreContractTest, TablesAreApart) {
  for (size_t i = 0; i < state::kTables; ++i) {
    Put(static_cast<Table>(i), "key", std::to_string(i));
  }
  for (size_t i = 0; i < state::kTables; ++i) {
    EXPECT_EQ(Get(static_cast<Table>(i), "key"), std::to_string(i));
  }
}

TEST_P(KvStoreContractTest, ABatchIsAppliedInOrderAndCanBeUsedAgain) {
  const auto batch = kv().NewBatch();
  batch->Put(Table::kMeta, "a", "1");
  batch->Put(Table::kMeta, "b", "1");
  batch->Delete(Table::kMeta, "a");
  batch->Put(Table::kMeta, "b", "2");
  EXPECT_EQ(Get(Table::kMeta, "b"), "(none)") << "before Write";
  CDGATE_ASSERT_OK(kv().Write(*batch));
  EXPECT_EQ(Get(Table::kMeta, "a"), "(none)");
  EXPECT_EQ(Get(Table::kMeta, "b"), "2");
  batch->Clear();
  batch->Put(Table::kMeta, "c", "3");
  CDGATE_ASSERT_OK(kv().Write(*batch));
  EXPECT_EQ(Get(Table::kMeta, "c"), "3");
  EXPECT_EQ(Get(Table::kMeta, "a"), "(none)");
}

TEST_P(KvStoreContractTest, KeysAreBytes) {
  const std::string key("\0\xff\0k", 4);
  Put(Table::kIdentity, key, std::string("\0v", 2));
  EXPECT_EQ(Get(Table::kIdentity, key), std::string("\0v", 2));
}

TEST_P(KvStoreContractTest, GetsManyAtOnce) {
  Put(Table::kIdentity, "a", "1");
  Put(Table::kIdentity, "c", "3");
  std::vector<std::string> values;
  std::vector<bool> found;
  const std::vector<absl::string_view> keys = {"c", "b", "a", "c"};
  CDGATE_ASSERT_OK(kv().MultiGet(Table::kIdentity, keys, &values, &found));
  EXPECT_EQ(found, (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(values[0], "3");
  EXPECT_EQ(values[2], "1");
  EXPECT_EQ(values[3], "3");
  CDGATE_ASSERT_OK(kv().MultiGet(Table::kIdentity, {}, &values, &found));
  EXPECT_TRUE(found.empty());
}

TEST_P(KvStoreContractTest, ScansInOrder) {
  for (const char* key : {"b2", "a1", "c1", "b1", "b3"}) Put(Table::kLedger, key, "v");
  EXPECT_EQ(Scan(Table::kLedger, "", ""), "a1 b1 b2 b3 c1 ");
  EXPECT_EQ(Scan(Table::kLedger, "b", "c"), "b1 b2 b3 ");
  EXPECT_EQ(Scan(Table::kLedger, "b2", "b3"), "b2 ");
  EXPECT_EQ(Scan(Table::kLedger, "b2", ""), "b2 b3 c1 ");
  EXPECT_EQ(Scan(Table::kLedger, "", "", 2), "a1 b1 ");
  EXPECT_EQ(Scan(Table::kCursor, "", ""), "");
}

TEST_P(KvStoreContractTest, FindsTheLastRowBefore) {
  for (const char* key : {"b2", "a1", "c1"}) Put(Table::kLedger, key, std::string("v") + key);
  const auto last = [this](const char* key) {
    const auto row = kv().Last(Table::kLedger, key);
    EXPECT_TRUE(row.ok());
    return row.ok() && *row ? (*row)->first + "=" + (*row)->second : "(none)";
  };
  EXPECT_EQ(last("b2"), "b2=vb2");
  EXPECT_EQ(last("b3"), "b2=vb2");
  EXPECT_EQ(last("zz"), "c1=vc1");
  EXPECT_EQ(last("a0"), "(none)");
}

TEST_P(KvStoreContractTest, SortedRowsAreRowsAndTheLastRunCounts) {
  PutSorted(Table::kIdentity, {{"a", "1"}, {"b", "1"}, {"d", "1"}});
  PutSorted(Table::kIdentity, {});
  PutSorted(Table::kIdentity, {{"b", "2"}, {"c", "2"}});
  EXPECT_EQ(Scan(Table::kIdentity, "", ""), "a b c d ");
  EXPECT_EQ(Get(Table::kIdentity, "a"), "1");
  EXPECT_EQ(Get(Table::kIdentity, "b"), "2");
  const auto batch = kv().NewBatch();
  batch->Delete(Table::kIdentity, "b");
  CDGATE_ASSERT_OK(kv().Write(*batch));
  EXPECT_EQ(Get(Table::kIdentity, "b"), "(none)");
  PutSorted(Table::kIdentity, {{"b", "3"}});
  CDGATE_ASSERT_OK(kv().Flush());
  harness_->CrashAndReopen();
  EXPECT_EQ(Get(Table::kIdentity, "b"), "3");
  EXPECT_EQ(Get(Table::kIdentity, "c"), "2");
}

TEST_P(KvStoreContractTest, WhatWasFlushedSurvives) {
  Put(Table::kMeta, "applied", "1");
  Put(Table::kIdentity, "a", "1");
  CDGATE_ASSERT_OK(kv().Flush());
  harness_->CrashAndReopen();
  EXPECT_EQ(Get(Table::kMeta, "applied"), "1");
  EXPECT_EQ(Get(Table::kIdentity, "a"), "1");
}

// The store is as it was between two batches, at the last flush or later.
TEST_P(KvStoreContractTest, TablesAgreeAfterACrash) {
  for (int i = 0; i < 500; ++i) {
    const auto batch = kv().NewBatch();
    batch->Put(Table::kMeta, "applied", std::to_string(i));
    batch->Put(Table::kIdentity, "row" + std::to_string(i), std::string(100, 'x'));
    batch->Put(Table::kCursor, "cursor", std::to_string(i));
    CDGATE_ASSERT_OK(kv().Write(*batch));
    if (i % 100 == 50) {
      CDGATE_ASSERT_OK(kv().Flush());
    }
  }
  harness_->CrashAndReopen();
  const int applied = std::stoi(Get(Table::kMeta, "applied"));
  EXPECT_GE(applied, 450);
  EXPECT_EQ(Get(Table::kCursor, "cursor"), std::to_string(applied));
  EXPECT_NE(Get(Table::kIdentity, "row" + std::to_string(applied)), "(none)");
  EXPECT_EQ(Get(Table::kIdentity, "row" + std::to_string(applied + 1)), "(none)");
}

}  // namespace cdgate::test
