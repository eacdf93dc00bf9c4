#include "gateway/eventlog/rocksdb/rocks_log.h"

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/file.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/rocksdb/commit_db.h"
#include "gateway/eventlog/rocksdb/commit_key.h"
#include "gateway/eventlog/rocksdb/wal_tail.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using eventlog::RocksLog;
using eventlog::RocksLogOptions;

class RocksHarness final : public LogHarness {
 public:
  RocksHarness() { Reopen(); }
  EventLog& log() override { return *log_; }
  void Reopen() override {
    log_.reset();
    auto log = RocksLog::Open({.directory = dir_.File("log"), .file_age = absl::Hours(1)}, clock_,
                              base::SystemRandom());
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  // A file is closed by the first Trim after its time.
  void CloseFile() override {
    clock_.Advance(absl::Hours(1));
    CDGATE_EXPECT_OK(log_->Trim(Sequence(0)));
  }

 private:
  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<RocksLog> log_;
};

std::unique_ptr<LogHarness> MakeRocks() { return std::make_unique<RocksHarness>(); }
INSTANTIATE_TEST_SUITE_P(Rocks, EventLogContractTest, testing::Values(&MakeRocks));

std::string ReadBytes(const std::string& path) {
  const auto bytes = base::ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : "";
}

void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// A log whose files a test damages between two lives.
class RocksLogDamageTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RocksLog>> Open(RocksLogOptions options = {}) {
    options.directory = dir_.File("log");
    return RocksLog::Open(options, clock_, base::SystemRandom());
  }

  // Begins a log with `commits` of three events and leaves its write-ahead log behind.
  void Make(int commits) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    epoch_ = log->head().epoch;
    for (int i = 0; i < commits; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 2000));
  }

  std::string Wal() const {
    std::string wal;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.File("log/commits"))) {
      if (entry.path().extension() == ".log") wal = std::max(wal, entry.path().string());
    }
    return wal;
  }

  // Where each record of the write-ahead log ends.
  std::vector<size_t> RecordEnds(const std::string& wal) const {
    std::vector<size_t> ends;
    size_t size = eventlog::ScanWal(wal).good_bytes;
    for (; size > 0; size = eventlog::ScanWal(wal.substr(0, size - 1)).good_bytes) {
      ends.insert(ends.begin(), size);
    }
    return ends;
  }

  TempDir dir_;
  FakeClock clock_;
  base::Epoch epoch_;
};

TEST_F(RocksLogDamageTest, IsLockedWhileItIsOpen) {
  CDGATE_ASSERT_OK_AND_ASSIGN(auto log, Open());
  EXPECT_THAT(Open(), HasReason(Reason::kLogLocked));
  log.reset();
  CDGATE_EXPECT_OK(Open());
}

TEST_F(RocksLogDamageTest, ItsDirectoryIsForItselfOnly) {
  Make(0);
  struct stat info {};
  ASSERT_EQ(stat(dir_.File("log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(RocksLogDamageTest, ATornLastRecordIsCutAtEveryLength) {
  Make(4);
  const std::string path = Wal();
  const std::string wal = ReadBytes(path);
  const std::vector<size_t> ends = RecordEnds(wal);
  ASSERT_EQ(ends.size(), 5u) << "the epoch's commit and four more";
  const size_t step = std::max<size_t>(1, (ends[4] - ends[3]) / 20);
  const std::string whole = dir_.File("whole");
  std::filesystem::copy(dir_.File("log"), whole, std::filesystem::copy_options::recursive);
  for (size_t size = ends[3]; size < ends[4]; size += step) {
    std::filesystem::remove_all(dir_.File("log"));
    std::filesystem::copy(whole, dir_.File("log"), std::filesystem::copy_options::recursive);
    std::filesystem::remove(dir_.File("log/head"));  // as if the last commit was never told
    WriteBytes(path, wal.substr(0, size));
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    ASSERT_EQ(log->head().commit, 4u) << "cut at " << size;
    ASSERT_EQ(log->head().epoch, epoch_);
    CDGATE_ASSERT_OK(AppendEvents(*log, 1));
  }
}

TEST_F(RocksLogDamageTest, ALastRecordWithHolesIsCutToo) {
  Make(4);
  const std::string path = Wal();
  const std::string wal = ReadBytes(path);
  const std::vector<size_t> ends = RecordEnds(wal);
  std::string torn = wal;
  for (size_t i = ends[3] + 100; i < ends[3] + 600; ++i) torn[i] = '\0';
  WriteBytes(path, torn);
  std::filesystem::remove(dir_.File("log/head"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().commit, 4u);
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_F(RocksLogDamageTest, DamageBeforeTheEndRefusesToStart) {
  Make(4);
  const std::string path = Wal();
  std::string wal = ReadBytes(path);
  const std::vector<size_t> ends = RecordEnds(wal);
  wal[ends[1] + 200] = static_cast<char>(wal[ends[1] + 200] ^ 1);
  WriteBytes(path, wal);
  const auto log = Open();
  EXPECT_THAT(log, HasReasonAndMessage(Reason::kLogCorrupt, testing::HasSubstr(path)));
  EXPECT_THAT(std::string(log.status().message()), testing::HasSubstr("after 2 whole commits"));
  EXPECT_THAT(std::string(log.status().message()), testing::HasSubstr("backup"));
  EXPECT_EQ(ReadBytes(path), wal) << "nothing was changed";
}

TEST_F(RocksLogDamageTest, DamageInAFileIsFoundWhenItIsRead) {
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.file_age = absl::Seconds(0)}));
    for (int i = 0; i < 20; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 20'000));
    CDGATE_ASSERT_OK(log->Trim(Sequence(0)));
    CDGATE_ASSERT_OK(AppendEvents(*log, 1));
  }
  for (const auto& entry : std::filesystem::directory_iterator(dir_.File("log/commits"))) {
    if (entry.path().extension() != ".sst") continue;
    std::string file = ReadBytes(entry.path().string());
    file[file.size() / 2] = static_cast<char>(file[file.size() / 2] ^ 1);
    WriteBytes(entry.path().string(), file);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  const auto read =
      log->Read({.sequence = Sequence(1)}, {.max_events = 1000, .max_bytes = 100 << 20});
  EXPECT_THAT(read, HasReasonAndMessage(Reason::kLogCorrupt, testing::HasSubstr("commit")));
}

TEST_F(RocksLogDamageTest, AMissingFileRefusesToStart) {
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.file_age = absl::Seconds(0)}));
    for (int i = 0; i < 3; ++i) {
      CDGATE_ASSERT_OK(AppendEvents(*log, 3));
      CDGATE_ASSERT_OK(log->Trim(Sequence(0)));
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(dir_.File("log/commits"))) {
    if (entry.path().extension() != ".sst") continue;
    std::filesystem::remove(entry.path());
    break;
  }
  EXPECT_THAT(Open(), HasReason(Reason::kLogCorrupt));
}

TEST_F(RocksLogDamageTest, AMissingCommitIsNamed) {
  const std::string directory = dir_.File("gap");
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto db, eventlog::CommitDb::Open({.directory = directory, .file_bytes = 1 << 20}));
    eventlog::Head head{.epoch = base::Epoch("e"), .commit = 0, .commit_time = clock_.Now()};
    for (uint64_t number = 1; number <= 5; ++number) {
      const auto commit = NextEvents(head, 1);
      head = {.epoch = head.epoch,
              .commit = commit->number,
              .sequence = commit->last_sequence,
              .commit_time = commit->commit_time};
      if (number == 3) continue;
      CDGATE_ASSERT_OK(
          db->Put({commit->first_sequence, number}, commit->record.SerializeAsString()));
    }
  }
  EXPECT_THAT(eventlog::CommitDb::Open({.directory = directory, .file_bytes = 1 << 20}),
              HasReasonAndMessage(Reason::kLogCorrupt, testing::HasSubstr("commit 3")));
}

TEST_F(RocksLogDamageTest, ANewerFormatIsRefused) {
  Make(1);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto db,
        eventlog::CommitDb::Open({.directory = dir_.File("log/commits"), .file_bytes = 1 << 20}));
    CDGATE_ASSERT_OK_AND_ASSIGN(const event::CommitPtr newest, db->Newest());
    storage::v1::CommitRecord record = newest->record;
    record.set_format_version(event::kCommitFormatVersion + 1);
    record.set_number(newest->number + 1);
    record.set_first_sequence(newest->last_sequence.Next().value());
    CDGATE_ASSERT_OK(
        db->Put({newest->last_sequence.Next(), record.number()}, record.SerializeAsString()));
  }
  EXPECT_THAT(Open(), HasReason(Reason::kLogFormatNewer));
}

TEST_F(RocksLogDamageTest, ALastCommitThatDoesNotParseIsCorrupt) {
  Make(1);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto db,
        eventlog::CommitDb::Open({.directory = dir_.File("log/commits"), .file_bytes = 1 << 20}));
    CDGATE_ASSERT_OK_AND_ASSIGN(const event::CommitPtr newest, db->Newest());
    CDGATE_ASSERT_OK(db->Put({Sequence(1000), 1000}, "not a commit record"));
  }
  EXPECT_THAT(Open(), HasReason(Reason::kLogCorrupt));
}

TEST_F(RocksLogDamageTest, ALostTailBeginsANewEpoch) {
  Make(4);
  const std::string path = Wal();
  const std::string wal = ReadBytes(path);
  WriteBytes(path, wal.substr(0, RecordEnds(wal)[2]));  // two commits are gone
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_NE(log->head().epoch, epoch_);
  EXPECT_EQ(log->head().commit, 4u) << "the commit that begins the epoch";
  EXPECT_EQ(log->head().sequence, Sequence(6));
}

TEST_F(RocksLogDamageTest, AMissingSideFileIsNoRegression) {
  Make(2);
  std::filesystem::remove(dir_.File("log/head"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_F(RocksLogDamageTest, ANewEpochIsBegunOnRequest) {
  Make(2);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.new_epoch = true}));
    EXPECT_NE(log->head().epoch, epoch_);
    EXPECT_EQ(log->head().sequence, Sequence(6));
    epoch_ = log->head().epoch;
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_F(RocksLogDamageTest, RetentionDropsWholeFiles) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                              Open({.file_bytes = 256 << 10, .file_age = absl::Hours(1)}));
  for (int i = 0; i < 200; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 10, 1000));
  clock_.Advance(absl::Hours(2));
  const uint64_t before = log->stats().bytes;
  CDGATE_ASSERT_OK(log->Trim(Sequence(1500)));
  EXPECT_GT(log->first().sequence, Sequence(1000));
  EXPECT_LE(log->first().sequence, Sequence(1500));
  EXPECT_LT(log->stats().bytes, before * 2 / 3);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, log->Read({.sequence = Sequence(1500)}, {}));
  EXPECT_LE(read.front()->first_sequence, Sequence(1500));
}

// Writes to the write-ahead log, or syncs of it, fail from some moment on.
class FaultyWal final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyWal(std::unique_ptr<rocksdb::FSWritableFile>&& file, const std::atomic<bool>& append_fails,
            const std::atomic<bool>& sync_fails)
      : FSWritableFileOwnerWrapper(std::move(file)),
        append_fails_(append_fails),
        sync_fails_(sync_fails) {}
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    if (append_fails_) return rocksdb::IOStatus::NoSpace("injected");
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& info,
                           rocksdb::IODebugContext* debug) override {
    if (append_fails_) return rocksdb::IOStatus::NoSpace("injected");
    return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    if (sync_fails_) return rocksdb::IOStatus::IOError("injected");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    if (sync_fails_) return rocksdb::IOStatus::IOError("injected");
    return FSWritableFileOwnerWrapper::Fsync(options, debug);
  }

 private:
  const std::atomic<bool>& append_fails_;
  const std::atomic<bool>& sync_fails_;
};

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "cdgate.faulty"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(".log")) {
      *file = std::make_unique<FaultyWal>(std::move(*file), append_fails, sync_fails);
    }
    return status;
  }

  std::atomic<bool> append_fails = false;
  std::atomic<bool> sync_fails = false;
};

struct Fault {
  const char* name;
  std::atomic<bool> FaultyFileSystem::*which;
};

class RocksLogFaultTest : public testing::TestWithParam<Fault> {};

TEST_P(RocksLogFaultTest, AFailedWriteEndsTheLogAndLosesNothingAcknowledged) {
  TempDir dir;
  FakeClock clock;
  const auto faulty = std::make_shared<FaultyFileSystem>();
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto log, RocksLog::Open({.directory = dir.File("log"), .file_system = faulty}, clock,
                                       base::SystemRandom()));
    RecordingObserver observer;
    log->AddObserver(&observer);
    for (int i = 0; i < 3; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 2));
    (*faulty).*(GetParam().which) = true;
    EXPECT_THAT(AppendEvents(*log, 2), HasReason(Reason::kLogWriteFailed));
    (*faulty).*(GetParam().which) = false;
    EXPECT_THAT(AppendEvents(*log, 2), HasReason(Reason::kLogWriteFailed)) << "never retried";
    EXPECT_EQ(log->head().sequence, Sequence(6));
    EXPECT_EQ(observer.numbers, (std::vector<uint64_t>{2, 3, 4}));
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto log, RocksLog::Open({.directory = dir.File("log")}, clock, base::SystemRandom()));
  EXPECT_GE(log->head().sequence, Sequence(6));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto commits, log->Read({.sequence = Sequence(1)}, {}));
  EXPECT_EQ(commits.front()->events[0].id(), "e1");
}

INSTANTIATE_TEST_SUITE_P(Faults, RocksLogFaultTest,
                         testing::Values(Fault{"Append", &FaultyFileSystem::append_fails},
                                         Fault{"Sync", &FaultyFileSystem::sync_fails}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(CommitKeyTest, KeepsTheOrderOfTheLog) {
  const eventlog::CommitKey a{Sequence(255), 9};
  const eventlog::CommitKey b{Sequence(256), 1};
  const eventlog::CommitKey c{Sequence(256), 2};
  EXPECT_LT(a.Encode(), b.Encode());
  EXPECT_LT(b.Encode(), c.Encode());
  const auto back = eventlog::CommitKey::Decode(c.Encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->first_sequence, Sequence(256));
  EXPECT_EQ(back->number, 2u);
  EXPECT_FALSE(eventlog::CommitKey::Decode("short"));
  EXPECT_FALSE(eventlog::CommitKey::Decode(std::string(17, 'x')));
}

}  // namespace
}  // namespace cdgate::test
