#include "bench/logs/rocks_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/logs/engines.h"
#include "bench/logs/wal_tail.h"
#include "gateway/base/random.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using bench::CommitRows;
using bench::CommitRowsOptions;
using bench::RocksLog;
using testing::HasSubstr;

class EngineHarness final : public LogHarness {
 public:
  explicit EngineHarness(std::string name) : name_(std::move(name)) { Reopen(); }
  EventLog& log() override { return engine_->log(); }
  void Reopen() override {
    engine_.reset();
    auto engine =
        bench::OpenEngine(name_, {.directory = dir_.File("log"), .file_bytes = 1 << 20}, clock_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void CloseFile() override {
    clock_.Advance(absl::Hours(24));
    CDGATE_EXPECT_OK(engine_->CloseFile());
  }

 private:
  const std::string name_;
  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<bench::Engine> engine_;
};

std::unique_ptr<LogHarness> MakeRocks() { return std::make_unique<EngineHarness>("rocksdb"); }
std::unique_ptr<LogHarness> MakeBlobs() { return std::make_unique<EngineHarness>("blobs"); }
std::unique_ptr<LogHarness> MakeRanges() {
  return std::make_unique<EngineHarness>("rocksdb-ranges");
}
std::unique_ptr<LogHarness> MakeBlobRanges() {
  return std::make_unique<EngineHarness>("blobs-ranges");
}
std::unique_ptr<LogHarness> MakeZeroFilled() {
  return std::make_unique<EngineHarness>("zero-filled");
}

INSTANTIATE_TEST_SUITE_P(Rocks, EventLogContractTest, testing::Values(&MakeRocks));
INSTANTIATE_TEST_SUITE_P(Blobs, EventLogContractTest, testing::Values(&MakeBlobs));
INSTANTIATE_TEST_SUITE_P(RocksRanges, EventLogContractTest, testing::Values(&MakeRanges));
INSTANTIATE_TEST_SUITE_P(BlobRanges, EventLogContractTest, testing::Values(&MakeBlobRanges));
INSTANTIATE_TEST_SUITE_P(ZeroFilled, EventLogContractTest, testing::Values(&MakeZeroFilled));

TEST(EngineTest, AnUnknownNameIsRefused) {
  FakeClock clock;
  EXPECT_THAT(bench::OpenEngine("rocks", {}, clock), HasReason(Reason::kInvalidArgument));
}

// A log whose files a test damages between two lives; the parameter says whether it has blob files.
class RocksLogDamageTest : public testing::TestWithParam<bool> {
 protected:
  absl::StatusOr<std::unique_ptr<RocksLog>> Open(CommitRowsOptions options = {}) {
    options.directory = dir_.File("log");
    options.blob_files = GetParam();
    return RocksLog::Open(options, clock_, base::SystemRandom());
  }

  // Begins a log with `commits` of three events and leaves its write-ahead log behind.
  void Make(int commits) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    epoch_ = log->head().epoch;
    for (int i = 0; i < commits; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 2000));
  }

  std::string Commits() const { return dir_.File("log/commits"); }
  // In the order in which they were made.
  std::vector<std::string> FilesOf(const std::string& extension) const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(Commits())) {
      if (entry.path().extension() == extension) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string Wal() const { return FilesOf(".log").back(); }
  // Files with records.
  std::vector<std::string> Files() const { return FilesOf(GetParam() ? ".blob" : ".sst"); }
  // As if the last commit was never told.
  void ForgetHead() { std::filesystem::remove(dir_.File("log/head")); }

  TempDir dir_;
  FakeClock clock_;
  base::Epoch epoch_;
};

INSTANTIATE_TEST_SUITE_P(Rows, RocksLogDamageTest, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Blobs, RocksLogDamageTest, testing::Values(true));

// Where each record of a write-ahead log ends.
std::vector<size_t> RecordEnds(const std::string& wal) {
  std::vector<size_t> ends;
  size_t size = bench::ScanWal(wal).good_bytes;
  for (; size > 0; size = bench::ScanWal(wal.substr(0, size - 1)).good_bytes) {
    ends.insert(ends.begin(), size);
  }
  return ends;
}

void Flip(const std::string& path, size_t at) {
  std::string bytes = ReadBytes(path);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  WriteBytes(path, bytes);
}

TEST_P(RocksLogDamageTest, IsLockedWhileItIsOpen) {
  CDGATE_ASSERT_OK_AND_ASSIGN(auto log, Open());
  EXPECT_THAT(Open(), HasReason(Reason::kLogLocked));
  log.reset();
  CDGATE_EXPECT_OK(Open());
}

TEST_P(RocksLogDamageTest, ATornLastRecordIsCutAtEveryLength) {
  Make(4);
  const std::string path = Wal();
  const std::string wal = ReadBytes(path);
  const std::vector<size_t> ends = RecordEnds(wal);
  ASSERT_EQ(ends.size(), 5u) << "the epoch's commit and four more";
  CopyTree(dir_.File("log"), dir_.File("kept"));
  for (size_t size = ends[3]; size < ends[4]; size += 499) {
    CopyTree(dir_.File("kept"), dir_.File("log"));
    ForgetHead();
    WriteBytes(path, wal.substr(0, size));
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    ASSERT_EQ(log->head().commit, 4u) << "cut at " << size;
    ASSERT_EQ(log->head().epoch, epoch_);
    CDGATE_ASSERT_OK(AppendEvents(*log, 1));
  }
}

TEST_P(RocksLogDamageTest, ALastRecordWithHolesIsCutToo) {
  Make(4);
  std::string wal = ReadBytes(Wal());
  wal.replace(RecordEnds(wal)[3] + 100, 500, 500, '\0');
  WriteBytes(Wal(), wal);
  ForgetHead();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().commit, 4u);
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_P(RocksLogDamageTest, DamageBeforeTheEndRefusesToStart) {
  Make(4);
  const std::string path = Wal();
  Flip(path, RecordEnds(ReadBytes(path))[1] + 200);
  const std::string damaged = ReadBytes(path);
  const auto log = Open();
  EXPECT_THAT(log, HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(path)));
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("after 2 whole commits"));
  EXPECT_EQ(ReadBytes(path), damaged) << "nothing was changed";
}

TEST_P(RocksLogDamageTest, ALostTailBeginsANewEpoch) {
  Make(4);
  const std::string wal = ReadBytes(Wal());
  WriteBytes(Wal(), wal.substr(0, RecordEnds(wal)[2]));  // two commits are gone
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_NE(log->head().epoch, epoch_);
  EXPECT_EQ(log->head().commit, 4u) << "the commit that begins the epoch";
  EXPECT_EQ(log->head().sequence, Sequence(6));
}

TEST_P(RocksLogDamageTest, DamageInAClosedFileIsFoundWhenItIsRead) {
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    for (int i = 0; i < 20; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 20'000));
    CDGATE_ASSERT_OK(log->CloseFile());
    CDGATE_ASSERT_OK(AppendEvents(*log, 1));
  }
  ASSERT_EQ(Files().size(), 1u);
  Flip(Files()[0], ReadBytes(Files()[0]).size() / 2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_THAT(log->Read({.sequence = Sequence(1)}, {.max_bytes = 100 << 20}),
              HasReason(Reason::kLogCorrupt));
  CDGATE_EXPECT_OK(log->Read({.sequence = log->head().sequence}, {}));
}

TEST_P(RocksLogDamageTest, AMissingFileRefusesToStart) {
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    for (int i = 0; i < 3; ++i) {
      CDGATE_ASSERT_OK(AppendEvents(*log, 3));
      CDGATE_ASSERT_OK(log->CloseFile());
    }
  }
  ASSERT_EQ(Files().size(), 3u);
  std::filesystem::remove(Files()[1]);
  EXPECT_THAT(Open(), HasReason(Reason::kLogCorrupt));
}

TEST_P(RocksLogDamageTest, AMissingCommitIsNamed) {
  std::filesystem::create_directories(Commits());
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto rows, CommitRows::Open({.directory = Commits()}));
    for (const uint64_t number : {1, 2, 4, 5}) {
      CDGATE_ASSERT_OK(
          rows->Put({Sequence(number), number}, NextEvents({.commit = number - 1}, 1)->bytes));
    }
  }
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr("commit 3")));
}

TEST_P(RocksLogDamageTest, RetentionDropsWholeFiles) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.file_bytes = 256 << 10}));
  for (int i = 0; i < 200; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 10, 1000));
  CDGATE_ASSERT_OK(log->CloseFile());
  const size_t before = Files().size();
  CDGATE_ASSERT_OK(log->Trim(Sequence(1500)));
  EXPECT_GT(log->first().sequence, Sequence(1000));
  EXPECT_LE(log->first().sequence, Sequence(1500));
  EXPECT_LT(Files().size(), before * 2 / 3);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, log->Read({.sequence = Sequence(1500)}, {}));
  EXPECT_LE(read.front()->first_sequence, Sequence(1500));
}

TEST_P(RocksLogDamageTest, ADeletedRangeIsExact) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.delete_ranges = true}));
  for (int i = 0; i < 20; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 10));
  CDGATE_ASSERT_OK(log->Trim(Sequence(55)));
  EXPECT_EQ(log->first().sequence, Sequence(51));
  EXPECT_EQ(log->first().commit, 7u);
}

TEST(CommitKeyTest, KeepsTheOrderOfTheLog) {
  const bench::CommitKey a{Sequence(255), 9};
  const bench::CommitKey b{Sequence(256), 1};
  const bench::CommitKey c{Sequence(256), 2};
  EXPECT_LT(bench::EncodeKey(a), bench::EncodeKey(b));
  EXPECT_LT(bench::EncodeKey(b), bench::EncodeKey(c));
  const auto back = bench::DecodeKey(bench::EncodeKey(c));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->first_sequence, Sequence(256));
  EXPECT_EQ(back->number, 2u);
  EXPECT_FALSE(bench::DecodeKey("short"));
  EXPECT_FALSE(bench::DecodeKey(std::string(17, 'x')));
}

}  // namespace
}  // namespace cdgate::test
