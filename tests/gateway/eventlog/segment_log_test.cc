#include "gateway/eventlog/segments/segment_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
#include "gateway/eventlog/segments/block_writer.h"
#include "gateway/eventlog/segments/commit_db.h"
#include "tests/gateway/eventlog/event_log_contract.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/stored_events.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using eventlog::kEntryHeaderBytes;
using eventlog::kSegmentHeaderBytes;
using eventlog::SegmentLog;
using eventlog::SegmentLogOptions;
using testing::HasSubstr;

// Root may everything, but for the time of this object permissions bind it, too.
class WithoutOverride {
 public:
  WithoutOverride() {
    EXPECT_EQ(syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct without[_LINUX_CAPABILITY_U32S_3] = {before_[0], before_[1]};
    without[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    EXPECT_EQ(syscall(SYS_capset, &header_, without), 0);
  }
  ~WithoutOverride() { EXPECT_EQ(syscall(SYS_capset, &header_, before_), 0); }
  WithoutOverride(const WithoutOverride&) = delete;
  WithoutOverride& operator=(const WithoutOverride&) = delete;

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[_LINUX_CAPABILITY_U32S_3] = {};
};

class SegmentHarness final : public LogHarness {
 public:
  SegmentHarness() { Reopen(); }
  EventLog& log() override { return *log_; }
  void Reopen() override {
    log_.reset();
    auto log = SegmentLog::Open({.directory = dir_.File("log"), .file_age = absl::Hours(1)}, clock_,
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
  std::unique_ptr<SegmentLog> log_;
};

std::unique_ptr<LogHarness> MakeSegments() { return std::make_unique<SegmentHarness>(); }
INSTANTIATE_TEST_SUITE_P(Segments, EventLogContractTest, testing::Values(&MakeSegments));

// A log whose files a test damages between two lives.
class SegmentLogDamageTest : public testing::Test {
 protected:
  // Small files, unless a test says otherwise, so that a log of some commits has several.
  static constexpr size_t kSmallFile = 32 << 10;

  absl::StatusOr<std::unique_ptr<SegmentLog>> Open(SegmentLogOptions options = {}) {
    options.directory = dir_.File("log");
    return SegmentLog::Open(options, clock_, base::SystemRandom());
  }

  // Begins a log with `commits` of three events.
  void Make(int commits, size_t file_bytes = 64 << 20) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.file_bytes = file_bytes}));
    epoch_ = log->head().epoch;
    for (int i = 0; i < commits; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 2000));
  }

  std::string Commits() const { return dir_.File("log/commits"); }
  std::vector<std::string> Files() const { return SegmentFiles(Commits()); }
  // As if the last commit was never told.
  void ForgetHead() { std::filesystem::remove(dir_.File("log/head")); }

  // The log again as `Keep` found it.
  void Keep() { CopyTree(dir_.File("log"), dir_.File("kept")); }
  void Restore() { CopyTree(dir_.File("kept"), dir_.File("log")); }

  TempDir dir_;
  FakeClock clock_;
  base::Epoch epoch_;
};

TEST_F(SegmentLogDamageTest, IsLockedWhileItIsOpen) {
  CDGATE_ASSERT_OK_AND_ASSIGN(auto log, Open());
  EXPECT_THAT(Open(), HasReason(Reason::kLogLocked));
  log.reset();
  CDGATE_EXPECT_OK(Open());
}

TEST_F(SegmentLogDamageTest, ItsDirectoryIsForItselfOnly) {
  Make(0);
  struct stat info {};
  ASSERT_EQ(stat(dir_.File("log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(Files().back().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SegmentLogDamageTest, ATornLastRecordIsCutAtEveryLength) {
  Make(4);
  const std::string path = Files().back();
  const std::string bytes = ReadBytes(path);
  const std::vector<size_t> ends = EntryEnds(bytes);
  ASSERT_EQ(ends.size(), 5u) << "the epoch's commit and four more";
  Keep();
  const size_t header_ends = ends[3] + kEntryHeaderBytes;
  for (size_t size = ends[3] + 1; size < ends[4]; size += size < header_ends ? 1 : 199) {
    Restore();
    ForgetHead();
    WriteBytes(path, bytes.substr(0, size));
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    ASSERT_EQ(log->head().commit, 4u) << "cut at " << size;
    ASSERT_EQ(log->head().epoch, epoch_);
    const std::string left = ReadBytes(path);
    ASSERT_EQ(left.substr(0, ends[3]), bytes.substr(0, ends[3]));
    ASSERT_EQ(left.find_first_not_of('\0', ends[3]), std::string::npos);
    CDGATE_ASSERT_OK(AppendEvents(*log, 1));
  }
}

TEST_F(SegmentLogDamageTest, ALastRecordWithHolesIsCutToo) {
  Make(4);
  const std::string path = Files().back();
  std::string bytes = ReadBytes(path);
  const std::vector<size_t> ends = EntryEnds(bytes);
  bytes.replace(ends[3] + 100, 500, 500, '\0');
  WriteBytes(path, bytes);
  ForgetHead();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().commit, 4u);
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_F(SegmentLogDamageTest, RoomThatWasNeverWrittenIsCut) {
  Make(4);
  const std::string path = Files().back();
  WriteBytes(path, ReadBytes(path) + std::string(100'000, '\0'));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().commit, 5u);
  EXPECT_EQ(log->head().epoch, epoch_);
}

// In the numbers, in the size and in the record of an entry.
TEST_F(SegmentLogDamageTest, DamageBeforeTheEndRefusesToStart) {
  Make(4);
  const std::string path = Files().back();
  const std::string bytes = ReadBytes(path);
  const std::vector<size_t> ends = EntryEnds(bytes);
  for (const size_t at : {0, 2, 9, 17, 25, 200}) {
    std::string damaged = bytes;
    damaged[ends[1] + at] = static_cast<char>(damaged[ends[1] + at] ^ 1);
    WriteBytes(path, damaged);
    const auto log = Open();
    EXPECT_THAT(log, HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(path))) << at;
    EXPECT_THAT(std::string(log.status().message()), HasSubstr("after 2 whole commits"));
    EXPECT_THAT(std::string(log.status().message()), HasSubstr("backup"));
    EXPECT_EQ(ReadBytes(path), damaged) << "nothing was changed";
  }
}

TEST_F(SegmentLogDamageTest, AnEndBeforeANewFileIsNoTornWrite) {
  Make(8, kSmallFile);
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 2u);
  const std::string before = files[files.size() - 2];
  std::string damaged = ReadBytes(before);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  WriteBytes(before, damaged);
  for (const size_t left : {size_t{0}, size_t{10}, kSegmentHeaderBytes}) {
    WriteBytes(files.back(), ReadBytes(files.back()).substr(0, left));
    ForgetHead();
    for (int i = 0; i < 2; ++i) {  // a second start knows no less than the first
      EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(before))) << left;
    }
    EXPECT_EQ(ReadBytes(before), damaged) << "nothing was changed";
    WriteBytes(files.back(), std::string(kSegmentHeaderBytes, 'x'));
  }
}

TEST_F(SegmentLogDamageTest, DamageInAClosedFileIsFoundWhenItIsRead) {
  Make(20, kSmallFile);
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 3u);
  std::string bytes = ReadBytes(files[1]);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  WriteBytes(files[1], bytes);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  const auto read =
      log->Read({.sequence = Sequence(1)}, {.max_events = 1000, .max_bytes = 100 << 20});
  EXPECT_THAT(read, HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(files[1])));
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("in commit"));
  CDGATE_EXPECT_OK(log->Read({.sequence = log->head().sequence}, {}));
}

TEST_F(SegmentLogDamageTest, WhatCannotFitIntoAReadIsNotRead) {
  Make(20, kSmallFile);
  const std::string path = Files()[0];
  std::string bytes = ReadBytes(path);
  const size_t third = EntryEnds(bytes)[1];
  bytes[third + kEntryHeaderBytes] = static_cast<char>(bytes[third + kEntryHeaderBytes] ^ 1);
  WriteBytes(path, bytes);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto commits, log->Read({.sequence = Sequence(1)},
                                                            {.max_events = 1000, .max_bytes = 1}));
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0]->number, 2u);
  EXPECT_THAT(log->Read({.sequence = Sequence(1)}, {.max_events = 1000, .max_bytes = 1 << 20}),
              HasReason(Reason::kLogCorrupt));
}

// Whatever byte of an entry's header is wrong, no event is silently left out.
TEST_F(SegmentLogDamageTest, ADamagedHeaderInAClosedFileHidesNothing) {
  Make(20, kSmallFile);
  const std::string path = Files()[1];
  const std::string bytes = ReadBytes(path);
  const size_t entry = EntryEnds(bytes)[1];
  const eventlog::EntryHeader header =
      eventlog::EntryHeader::Decode(absl::string_view(bytes).substr(entry));
  for (size_t at = 0; at < kEntryHeaderBytes; ++at) {
    for (const int bit : {0, 7}) {
      std::string damaged = bytes;
      damaged[entry + at] = static_cast<char>(damaged[entry + at] ^ (1 << bit));
      WriteBytes(path, damaged);
      CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
      for (const uint64_t back : {0, 1, 3}) {
        const Sequence from(header.key.first_sequence.value() - back);
        const auto read = log->Read({.sequence = from}, {.max_events = 1000});
        if (!read.ok()) continue;
        ASSERT_TRUE(at >= 4 && at < 8) << "only bytes without a meaning: " << at;
        ASSERT_LE(read->front()->first_sequence, from);
      }
    }
  }
}

TEST_F(SegmentLogDamageTest, AMissingFileInTheMiddleRefusesToStart) {
  Make(20, kSmallFile);
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 3u);
  std::filesystem::remove(files[1]);
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr("is missing")));
}

TEST_F(SegmentLogDamageTest, AShortenedClosedFileRefusesToStart) {
  Make(20, kSmallFile);
  const std::string path = Files()[1];
  const std::string bytes = ReadBytes(path);
  WriteBytes(path, bytes.substr(0, EntryEnds(bytes)[1]));
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(path)));
}

TEST_F(SegmentLogDamageTest, AMissingCommitIsNamed) {
  const std::string directory = dir_.File("gap");
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto db, eventlog::CommitDb::Open({.directory = directory}));
    eventlog::Head head{.epoch = base::Epoch("e"), .commit = 0, .commit_time = clock_.Now()};
    for (uint64_t number = 1; number <= 5; ++number) {
      const auto commit = NextEvents(head, 1);
      head = {.epoch = head.epoch,
              .commit = commit->number,
              .sequence = commit->last_sequence,
              .commit_time = commit->commit_time};
      if (number == 3) continue;
      CDGATE_ASSERT_OK(db->Put({commit->first_sequence, number}, commit->bytes));
    }
  }
  EXPECT_THAT(eventlog::CommitDb::Open({.directory = directory}),
              HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr("commit 3")));
}

TEST_F(SegmentLogDamageTest, ANewerRecordFormatIsRefused) {
  Make(1);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto db, eventlog::CommitDb::Open({.directory = Commits()}));
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

TEST_F(SegmentLogDamageTest, ANewerSegmentFormatIsRefused) {
  Make(1);
  const std::string path = Files().back();
  std::string bytes = ReadBytes(path);
  auto header = eventlog::SegmentHeader::Decode(bytes);
  ASSERT_TRUE(header);
  header->format = eventlog::kSegmentFormat + 1;
  WriteBytes(path, bytes.replace(0, kSegmentHeaderBytes, header->Encode()));
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogFormatNewer, HasSubstr(path)));
  EXPECT_EQ(ReadBytes(path), bytes);
}

TEST_F(SegmentLogDamageTest, ALastCommitThatDoesNotParseIsCorrupt) {
  Make(1);
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto db, eventlog::CommitDb::Open({.directory = Commits()}));
    CDGATE_ASSERT_OK(db->Put({Sequence(4), 3}, "not a commit record"));
  }
  EXPECT_THAT(Open(), HasReason(Reason::kLogCorrupt));
}

TEST_F(SegmentLogDamageTest, ALostTailBeginsANewEpoch) {
  Make(4);
  const std::string path = Files().back();
  const std::string bytes = ReadBytes(path);
  WriteBytes(path, bytes.substr(0, EntryEnds(bytes)[2]));  // two commits are gone
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_NE(log->head().epoch, epoch_);
  EXPECT_EQ(log->head().commit, 4u) << "the commit that begins the epoch";
  EXPECT_EQ(log->head().sequence, Sequence(6));
}

TEST_F(SegmentLogDamageTest, ALostLastFileBeginsANewEpoch) {
  Make(8, kSmallFile);
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 2u);
  std::filesystem::remove(files.back());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_NE(log->head().epoch, epoch_);
}

TEST_F(SegmentLogDamageTest, AMissingSideFileIsNoRegression) {
  Make(2);
  ForgetHead();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().epoch, epoch_);
}

TEST_F(SegmentLogDamageTest, ANewEpochIsBegunOnRequest) {
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

// The machine stopped when a file was begun: at any length of its header, and before the
// first commit in it was whole.
TEST_F(SegmentLogDamageTest, ANewlyBegunFileThatWasNeverUsedIsRemoved) {
  Make(8, kSmallFile);
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 2u);
  const std::string bytes = ReadBytes(files.back());
  const auto header = eventlog::SegmentHeader::Decode(bytes);
  ASSERT_TRUE(header);
  Keep();
  for (const size_t size : {0, 1, 8, 40, 63, 64, 65, 96, 200}) {
    Restore();
    ForgetHead();
    WriteBytes(files.back(), bytes.substr(0, size));
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open({.file_bytes = kSmallFile}));
    ASSERT_EQ(log->head().commit, header->first.number - 1) << size;
    ASSERT_EQ(log->head().epoch, epoch_);
    ASSERT_EQ(Files(), std::vector<std::string>(files.begin(), files.end() - 1));
    for (int i = 0; i < 8; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 3, 2000));
    CDGATE_ASSERT_OK(log->Read({.sequence = Sequence(1)}, {.max_events = 1000}));
  }
}

TEST_F(SegmentLogDamageTest, ANewlyBegunFileOfWhichNothingArrivedIsRemoved) {
  Make(8, kSmallFile);
  const std::vector<std::string> files = Files();
  Keep();
  for (const size_t size : {size_t{4096}, eventlog::kMostZeros}) {
    Restore();
    WriteBytes(files.back(), std::string(size, '\0'));
    CDGATE_ASSERT_OK(Open({.file_bytes = kSmallFile}));
    EXPECT_EQ(Files(), std::vector<std::string>(files.begin(), files.end() - 1)) << size;
  }
  Restore();
  WriteBytes(files.front(), std::string(4096, '\0'));
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(files.front())));
}

TEST_F(SegmentLogDamageTest, ALogThatWasOnlyBegunIsBegunAgain) {
  Make(0);
  const std::string path = Files().back();
  WriteBytes(path, ReadBytes(path).substr(0, 30));
  ForgetHead();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  EXPECT_EQ(log->head().commit, 1u);
  EXPECT_NE(log->head().epoch, epoch_);
}

TEST_F(SegmentLogDamageTest, ADamagedFileHeaderRefusesToStart) {
  Make(20, kSmallFile);
  Keep();
  const std::vector<std::string> files = Files();
  for (const std::string& path : {files.front(), files[1], files.back()}) {
    Restore();
    std::string bytes = ReadBytes(path);
    bytes[20] = static_cast<char>(bytes[20] ^ 1);
    WriteBytes(path, bytes);
    EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kLogCorrupt, HasSubstr(path)));
    EXPECT_EQ(ReadBytes(path), bytes) << "nothing was changed";
  }
}

TEST_F(SegmentLogDamageTest, RetentionDropsWholeFiles) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log,
                              Open({.file_bytes = 256 << 10, .file_age = absl::Hours(1)}));
  for (int i = 0; i < 200; ++i) CDGATE_ASSERT_OK(AppendEvents(*log, 10, 1000));
  const uint64_t before = log->stats().bytes;
  CDGATE_ASSERT_OK(log->Trim(Sequence(1500)));
  EXPECT_GT(log->first().sequence, Sequence(1000));
  EXPECT_LE(log->first().sequence, Sequence(1500));
  EXPECT_LT(log->stats().bytes, before * 2 / 3);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, log->Read({.sequence = Sequence(1500)}, {}));
  EXPECT_LE(read.front()->first_sequence, Sequence(1500));
}

// A file that cannot be removed keeps all after it, too: what is there has no gap.
TEST_F(SegmentLogDamageTest, RetentionThatFailsLeavesNoGap) {
  Make(20, kSmallFile);
  const std::vector<std::string> files = Files();
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
    const std::string in_the_way = files[0] + ".dropped";
    std::filesystem::create_directory(in_the_way);
    EXPECT_THAT(log->Trim(Sequence(50)), HasReason(Reason::kFileUnwritable));
    EXPECT_THAT(log->Trim(Sequence(50)), HasReason(Reason::kFileUnwritable));
    EXPECT_EQ(log->first().sequence, Sequence(1));
    std::filesystem::remove(in_the_way);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto log, Open());
  CDGATE_EXPECT_OK(log->Trim(Sequence(50)));
  EXPECT_GT(log->first().sequence, Sequence(1));
}

TEST_F(SegmentLogDamageTest, AReadOfWhatWasJustDroppedIsTrimmed) {
  Make(20, kSmallFile);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto db, eventlog::CommitDb::Open({.directory = Commits()}));
  CDGATE_ASSERT_OK(db->DropFilesBefore(Sequence(50)));
  EXPECT_THAT(db->Read({.sequence = Sequence(2)}, {}, 100), HasReason(Reason::kTrimmed));
  EXPECT_THAT(db->Read({.sequence = Sequence(1), .commit = 2}, {}, 100),
              HasReason(Reason::kTrimmed));
}

TEST_F(SegmentLogDamageTest, ADirectoryThatCannotBeUsedIsNamed) {
  WriteBytes(dir_.File("log"), "a file where the directory should be");
  EXPECT_THAT(Open(), HasReason(Reason::kFileUnwritable));
  std::filesystem::remove(dir_.File("log"));
  Make(1);
  std::filesystem::remove_all(Commits());
  WriteBytes(Commits(), "a file where the directory should be");
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr(Commits())));
}

TEST_F(SegmentLogDamageTest, DirectoriesWithoutPermissionsAreNamed) {
  Make(1);
  const WithoutOverride as_anyone;
  using std::filesystem::perms;
  std::filesystem::permissions(Commits(), perms::none);
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr(Commits())));
  std::filesystem::permissions(Commits(), perms::owner_all);
  std::filesystem::permissions(Files().back(), perms::owner_read);
  EXPECT_THAT(Open(), HasReasonAndMessage(Reason::kFileUnwritable, HasSubstr(Commits())));
}

}  // namespace
}  // namespace cdgate::test
