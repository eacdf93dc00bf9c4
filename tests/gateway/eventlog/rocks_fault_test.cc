#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/logs/rocks_log.h"
#include "gateway/base/random.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {

// rocks_log_test runs the contract.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EventLogContractTest);

namespace {

using bench::RocksLog;

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

}  // namespace
}  // namespace cdgate::test
