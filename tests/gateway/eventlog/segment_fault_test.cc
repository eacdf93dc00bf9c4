#include "gateway/eventlog/segments/segment_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/eventlog/segments/commit_db.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/stored_events.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {

// segment_log_test runs the contract.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EventLogContractTest);

namespace {

using eventlog::kEntryHeaderBytes;
using eventlog::kSegmentHeaderBytes;
using eventlog::SegmentLog;
using eventlog::SegmentLogOptions;
using testing::HasSubstr;

// Writes, or syncs, fail from some moment on; a write that fails has written half.
class FaultyDisk final : public eventlog::Disk {
 public:
  int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    ++writes;
    if (!write_fails) return eventlog::SystemDisk().Write(fd, offset, pieces);
    // In sectors, as files that are written past the cache want it.
    const size_t half = pieces[0].size() / 1024 * 512;
    eventlog::SystemDisk().Write(fd, offset, {pieces[0].substr(0, half)});
    return ENOSPC;
  }
  int Sync(int fd) override {
    ++syncs;
    return sync_fails ? EIO : eventlog::SystemDisk().Sync(fd);
  }

  bool write_fails = false;
  bool sync_fails = false;
  int writes = 0;
  int syncs = 0;
};

struct Fault {
  const char* name;
  bool FaultyDisk::*which;
  size_t file_bytes;  // 1: every commit begins a file
};

class SegmentLogFaultTest : public testing::TestWithParam<Fault> {};

TEST_P(SegmentLogFaultTest, AFailedWriteEndsTheLogAndLosesNothingAcknowledged) {
  TempDir dir;
  FakeClock clock;
  FaultyDisk disk;
  const SegmentLogOptions options{
      .directory = dir.File("log"), .file_bytes = GetParam().file_bytes, .disk = &disk};
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                                SegmentLog::Open(options, clock, base::SystemRandom()));
    RecordingObserver observer;
    log->AddObserver(&observer);
    for (int i = 0; i < 3; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 2));
    disk.*(GetParam().which) = true;
    EXPECT_THAT(AppendEvents(*log, 2), HasReason(Reason::kLogWriteFailed));
    disk.*(GetParam().which) = false;
    EXPECT_THAT(AppendEvents(*log, 2), HasReason(Reason::kLogWriteFailed)) << "never retried";
    EXPECT_EQ(log->head().sequence, Sequence(6));
    EXPECT_EQ(observer.numbers, (std::vector<uint64_t>{2, 3, 4}));
    log->RemoveObserver(&observer);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, log->Read({.sequence = Sequence(1)}, {}));
    EXPECT_EQ(read.back()->last_sequence, Sequence(6)) << "only what was acknowledged";
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                              SegmentLog::Open(options, clock, base::SystemRandom()));
  EXPECT_GE(log->head().sequence, Sequence(6));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto commits, log->Read({.sequence = Sequence(1)}, {}));
  EXPECT_EQ(commits.front()->events[0].id(), "e1");
  CDGATE_EXPECT_OK(AppendEvents(*log, 2));
}

INSTANTIATE_TEST_SUITE_P(Faults, SegmentLogFaultTest,
                         testing::Values(Fault{"Write", &FaultyDisk::write_fails, 64 << 20},
                                         Fault{"Sync", &FaultyDisk::sync_fails, 64 << 20},
                                         Fault{"BegunFile", &FaultyDisk::write_fails, 1},
                                         Fault{"SyncOfBegunFile", &FaultyDisk::sync_fails, 1}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(SegmentLogDurabilityTest, AnAppendIsOneWriteAndOneSync) {
  TempDir dir;
  FakeClock clock;
  FaultyDisk disk;
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto log,
      SegmentLog::Open({.directory = dir.File("log"), .disk = &disk}, clock, base::SystemRandom()));
  const int writes = disk.writes;
  const int syncs = disk.syncs;
  for (int i = 0; i < 5; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 2));
  EXPECT_EQ(disk.writes - writes, 5);
  EXPECT_EQ(disk.syncs - syncs, 5);
}

// The last entry may be one that an earlier life could not make durable.
TEST(SegmentLogDurabilityTest, WhatIsFoundAtTheEndIsMadeDurableBeforeItIsRead) {
  TempDir dir;
  FakeClock clock;
  FaultyDisk disk;
  const SegmentLogOptions options{.directory = dir.File("log"), .disk = &disk};
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                                SegmentLog::Open(options, clock, base::SystemRandom()));
    CDGATE_ASSERT_OK(AppendEvents(*log, 2));
    disk.sync_fails = true;
    EXPECT_THAT(AppendEvents(*log, 2), HasReason(Reason::kLogWriteFailed));
  }
  EXPECT_THAT(SegmentLog::Open(options, clock, base::SystemRandom()),
              HasReason(Reason::kFileUnwritable));
  disk.sync_fails = false;
  const int writes = disk.writes;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                              SegmentLog::Open(options, clock, base::SystemRandom()));
  EXPECT_EQ(disk.writes - writes, 1);
  EXPECT_EQ(log->head().sequence, Sequence(4));
}

}  // namespace
}  // namespace cdgate::test
