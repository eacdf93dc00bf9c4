#include "gateway/state/kv_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cdgate/storage/v1/state.pb.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/rocks_kv.h"
#include "gateway/state/rows.h"
#include "tests/gateway/state/kv_store_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using base::Reason;
using state::MemoryKv;
using state::MemoryKvStorage;
using state::RocksKv;

class MemoryKvHarness final : public KvHarness {
 public:
  KvStore& kv() override { return *kv_; }
  void CrashAndReopen() override { kv_ = std::make_unique<MemoryKv>(storage_); }

 private:
  std::shared_ptr<MemoryKvStorage> storage_ = std::make_shared<MemoryKvStorage>();
  std::unique_ptr<MemoryKv> kv_ = std::make_unique<MemoryKv>(storage_);
};

class RocksKvHarness final : public KvHarness {
 public:
  RocksKvHarness() { Open(); }
  KvStore& kv() override { return *kv_; }
  void CrashAndReopen() override {
    kv_.reset();
    Open();
  }

 private:
  void Open() {
    auto kv = RocksKv::Open({.directory = dir_.File("state"), .flush_on_close = false});
    EXPECT_TRUE(kv.ok()) << kv.status();
    kv_ = *std::move(kv);
  }
  TempDir dir_;
  std::unique_ptr<RocksKv> kv_;
};

std::unique_ptr<KvHarness> MakeMemory() { return std::make_unique<MemoryKvHarness>(); }
std::unique_ptr<KvHarness> MakeRocks() { return std::make_unique<RocksKvHarness>(); }
INSTANTIATE_TEST_SUITE_P(Memory, KvStoreContractTest, testing::Values(&MakeMemory));
INSTANTIATE_TEST_SUITE_P(Rocks, KvStoreContractTest, testing::Values(&MakeRocks));

TEST(RocksKvTest, AnOrderlyEndFlushes) {
  TempDir dir;
  for (const char* expected : {"(none)", "1"}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = dir.File("state")}));
    std::string value = "(none)";
    CDGATE_ASSERT_OK(kv->Get(Table::kMeta, "a", &value));
    EXPECT_EQ(value, expected);
    const auto batch = kv->NewBatch();
    batch->Put(Table::kMeta, "a", "1");
    CDGATE_ASSERT_OK(kv->Write(*batch));
  }
}

TEST(RocksKvTest, DropsExpiredRowsWhenItTidiesUp) {
  TempDir dir;
  const auto expired = [](Table table, absl::string_view value) {
    return table == Table::kIdentity && value == "old";
  };
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv,
                              RocksKv::Open({.directory = dir.File("state"), .expired = expired}));
  const auto batch = kv->NewBatch();
  // Files are rewritten once there are four of them.
  for (int file = 0; file < 6; ++file) {
    batch->Clear();
    for (int i = 0; i < 100; ++i) {
      batch->Put(Table::kIdentity, std::to_string(i) + "-" + std::to_string(file),
                 i % 2 == 0 ? "old" : "new");
    }
    batch->Put(Table::kCursor, "a", "old");
    CDGATE_ASSERT_OK(kv->Write(*batch));
    CDGATE_ASSERT_OK(kv->Flush());
  }
  CDGATE_ASSERT_OK(kv->Tidy());
  int old_rows = 0;
  int new_rows = 0;
  CDGATE_ASSERT_OK(kv->Scan(Table::kIdentity, "", "", [&](absl::string_view, absl::string_view v) {
    ++(v == "old" ? old_rows : new_rows);
    return true;
  }));
  EXPECT_EQ(old_rows, 0);
  EXPECT_EQ(new_rows, 300);
  std::string value;
  EXPECT_TRUE(*kv->Get(Table::kCursor, "a", &value));
}

absl::Status PutSorted(RocksKv& kv, const std::string& key) {
  bool given = false;
  return kv.WriteSorted(Table::kIdentity, [&](absl::string_view* k, absl::string_view* v) {
    *k = key;
    *v = "1";
    return !std::exchange(given, true);
  });
}

// A crash while a sorted file is taken over leaves both its names.
TEST(RocksKvTest, AFileThatHasTwoNamesIsNotWrittenOver) {
  TempDir dir;
  const std::filesystem::path state = dir.File("state");
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = state}));
    CDGATE_ASSERT_OK(PutSorted(*kv, "a"));
  }
  int tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(state)) {
    if (entry.path().extension() != ".sst") continue;
    std::filesystem::create_hard_link(entry.path(), state / "sorted.tmp");
    ++tables;
  }
  ASSERT_EQ(tables, 1);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = state}));
    CDGATE_ASSERT_OK(PutSorted(*kv, "b"));
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = state}));
  std::string value;
  for (const char* key : {"a", "b"}) {
    const auto found = kv->Get(Table::kIdentity, key, &value);
    CDGATE_ASSERT_OK(found);
    EXPECT_TRUE(*found) << key;
  }
}

TEST(RocksKvTest, ForgetsIdentitiesBehindTheHorizon) {
  TempDir dir;
  FakeClock clock;
  const absl::Duration horizon = absl::Hours(24);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto kv,
      RocksKv::Open({.directory = dir.File("state"),
                     .expired = state::ExpiredRows(
                         clock, {.dedup_horizon = horizon, .audit_retention = 400 * horizon})}));
  const auto put = [&](uint64_t n, absl::Time accepted) {
    state::IdentityRow row;
    row.accepted_seconds = static_cast<uint32_t>(absl::ToUnixSeconds(accepted));
    const auto batch = kv->NewBatch();
    batch->Put(Table::kIdentity,
               state::ViewOf(state::EncodeIdentityKey({.id_hash = n, .full_hash = n})),
               state::ViewOf(state::EncodeIdentityRow(row)));
    CDGATE_ASSERT_OK(kv->Write(*batch));
  };
  const auto rows = [&] {
    int count = 0;
    CDGATE_EXPECT_OK(kv->Scan(Table::kIdentity, "", "", [&](absl::string_view, absl::string_view) {
      ++count;
      return true;
    }));
    return count;
  };
  put(1, clock.Now());
  put(2, clock.Now() + absl::Hours(2));
  clock.Advance(horizon);
  CDGATE_ASSERT_OK(kv->Tidy());
  EXPECT_EQ(rows(), 2) << "at the horizon is not behind it";
  clock.Advance(absl::Hours(1));
  CDGATE_ASSERT_OK(kv->Tidy());
  EXPECT_EQ(rows(), 1);
}

TEST(RocksKvTest, ForgetsWhatIsBehindTheAuditRetention) {
  TempDir dir;
  FakeClock clock;
  const absl::Duration audit = absl::Hours(24);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto kv,
      RocksKv::Open({.directory = dir.File("state"),
                     .expired = state::ExpiredRows(
                         clock, {.dedup_horizon = 1000 * audit, .audit_retention = audit})}));
  const auto put = [&](const std::string& key, absl::Time committed) {
    const int64_t nanos = absl::ToUnixNanos(committed);
    storage::v1::OutcomeRow outcome;
    outcome.set_commit_time_nanos(nanos);
    storage::v1::RefusalRow refusal;
    refusal.set_commit_time_nanos(nanos);
    const auto batch = kv->NewBatch();
    batch->Put(Table::kOutcome, key, outcome.SerializeAsString());
    batch->Put(Table::kOutcomeSequence, key, state::EncodeOutcomePlace({}, nanos));
    batch->Put(Table::kRefusal, key, refusal.SerializeAsString());
    batch->Put(Table::kDeadLetter, key, refusal.SerializeAsString());
    CDGATE_ASSERT_OK(kv->Write(*batch));
  };
  const auto rows = [&](Table table) {
    std::string keys;
    CDGATE_EXPECT_OK(kv->Scan(table, "", "", [&](absl::string_view key, absl::string_view) {
      keys.append(key.data(), key.size());
      return true;
    }));
    return keys;
  };
  put("a", clock.Now());
  put("b", clock.Now() + absl::Hours(2));
  clock.Advance(audit);
  CDGATE_ASSERT_OK(kv->Tidy());
  EXPECT_EQ(rows(Table::kOutcome), "ab") << "at the end is not behind it";
  clock.Advance(absl::Hours(1));
  CDGATE_ASSERT_OK(kv->Tidy());
  for (const Table table : {Table::kOutcome, Table::kOutcomeSequence, Table::kRefusal}) {
    EXPECT_EQ(rows(table), "b") << static_cast<int>(table);
  }
  EXPECT_EQ(rows(Table::kDeadLetter), "ab");
}

// Made by a release that had fewer tables.
TEST(RocksKvTest, ADatabaseWithFewerTablesGetsTheOthers) {
  TempDir dir;
  const std::string path = dir.File("state");
  {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const char* name : {"default", "identity", "cursor", "resource", "history", "ledger",
                             "refusal", "dead_letter"}) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions(options));
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, path, families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), handles[5], "key", "of the ledger").ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = path}));
  std::string value;
  EXPECT_TRUE(*kv->Get(Table::kLedger, "key", &value));
  EXPECT_EQ(value, "of the ledger");
  const auto batch = kv->NewBatch();
  batch->Put(Table::kOutcome, "a", "1");
  CDGATE_ASSERT_OK(kv->Write(*batch));
  EXPECT_TRUE(*kv->Get(Table::kOutcome, "a", &value));
}

TEST(RocksKvTest, ADamagedDatabaseIsCorrupt) {
  TempDir dir;
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto kv, RocksKv::Open({.directory = dir.File("state")}));
    const auto batch = kv->NewBatch();
    batch->Put(Table::kMeta, "a", "1");
    CDGATE_ASSERT_OK(kv->Write(*batch));
  }
  for (const auto& entry : std::filesystem::directory_iterator(dir.File("state"))) {
    if (entry.path().filename().string().starts_with("MANIFEST")) {
      std::ofstream(entry.path(), std::ios::binary) << "damaged";
    }
  }
  EXPECT_THAT(RocksKv::Open({.directory = dir.File("state")}), HasReason(Reason::kLogCorrupt));
}

}  // namespace
}  // namespace cdgate::test
