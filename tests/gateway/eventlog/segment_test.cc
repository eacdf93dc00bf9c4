#include "gateway/eventlog/segments/segment.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/eventlog/segments/commit_db.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using base::Reason;
using base::Sequence;
using eventlog::CommitDb;
using eventlog::CommitKey;
using eventlog::EntryHeader;
using eventlog::Segment;
using eventlog::SegmentHeader;

TEST(SegmentHeaderTest, IsReadAsItWasWritten) {
  const SegmentHeader header{
      .first = {Sequence(1'000'000'007), 77}, .previous = 70, .previous_bytes = 12345};
  const std::string bytes = header.Encode();
  ASSERT_EQ(bytes.size(), eventlog::kSegmentHeaderBytes);
  const auto back = SegmentHeader::Decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->format, eventlog::kSegmentFormat);
  EXPECT_EQ(back->first.number, 77u);
  EXPECT_EQ(back->first.first_sequence, Sequence(1'000'000'007));
  EXPECT_EQ(back->previous, 70u);
  EXPECT_EQ(back->previous_bytes, 12345u);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(SegmentHeader::Decode(damaged)) << i;
  }
}

TEST(EntryHeaderTest, FitsItsRecordUnderItsNumbersOnly) {
  const EntryHeader header = EntryHeader::Of({Sequence(255), 9}, "record");
  const EntryHeader back = EntryHeader::Decode(header.Encode());
  EXPECT_EQ(back.size, 6u);
  EXPECT_EQ(back.key.number, 9u);
  EXPECT_EQ(back.key.first_sequence, Sequence(255));
  EXPECT_EQ(back.end(100), 100 + eventlog::kEntryHeaderBytes + 6);
  EXPECT_TRUE(back.Fits("record"));
  EXPECT_FALSE(back.Fits("recore"));
  EXPECT_FALSE(back.Fits("recor"));
  EntryHeader moved = back;
  moved.key.number = 10;
  EXPECT_FALSE(moved.Fits("record"));
  EXPECT_FALSE(EntryHeader::Decode(std::string(eventlog::kEntryHeaderBytes, '\0')).Fits(""));
}

// Commits of 0 to 3 events with records of very different sizes.
class IndexTest : public testing::Test {
 protected:
  static constexpr uint64_t kCommits = 200;

  std::unique_ptr<CommitDb> Open() {
    auto db = CommitDb::Open({.directory = dir_.File("db"), .file_bytes = 600 << 10});
    EXPECT_TRUE(db.ok()) << db.status();
    return *std::move(db);
  }

  void Fill(CommitDb& db) {
    for (uint64_t number = 1; number <= kCommits; ++number) {
      const size_t size = number % 7 == 0 ? 90'000 : 500 * (number % 5);
      const auto commit = NextEvents(head_, number % 4, size);
      CDGATE_ASSERT_OK(db.Put({commit->first_sequence, number}, commit->bytes));
      head_.commit = number;
      head_.sequence = commit->last_sequence;
      head_.commit_time = commit->commit_time;
    }
  }

  // Every sequence and every commit is found, with what comes after it.
  void ExpectAllIsFound(const CommitDb& db) {
    for (uint64_t n = 1; n <= head_.sequence.value(); ++n) {
      CDGATE_ASSERT_OK_AND_ASSIGN(const auto read,
                                  db.Read({.sequence = Sequence(n)}, {.max_events = 5}, kCommits));
      ASSERT_FALSE(read.empty()) << n;
      ASSERT_LE(read.front()->first_sequence, Sequence(n));
      ASSERT_GE(read.front()->last_sequence, Sequence(n));
    }
    for (uint64_t number = 1; number <= kCommits; ++number) {
      CDGATE_ASSERT_OK_AND_ASSIGN(
          const auto read,
          db.Read({.sequence = Sequence(1), .commit = number}, {.max_events = 5}, kCommits));
      ASSERT_FALSE(read.empty()) << number;
      ASSERT_EQ(read.front()->number, number);
    }
  }

  TempDir dir_;
  eventlog::Head head_{.epoch = base::Epoch("e")};
};

TEST_F(IndexTest, FindsEverySequenceAndCommitOverSeveralFiles) {
  {
    const auto db = Open();
    Fill(*db);
    ExpectAllIsFound(*db);  // by points that were made on the way
  }
  ASSERT_GE(SegmentFiles(dir_.File("db")).size(), 4u);
  ExpectAllIsFound(*Open());  // by points that are made when a file is read
}

TEST_F(IndexTest, ReadsStopAtTheCommitTheyAreToldOf) {
  const auto db = Open();
  Fill(*db);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, db->Read({.sequence = Sequence(1), .commit = 95},
                                                        {.max_bytes = 100 << 20}, 99));
  EXPECT_EQ(NumbersOf(read), (std::vector<uint64_t>{95, 96, 97, 98, 99}));
}

TEST_F(IndexTest, ReadsGoOnWhileAnotherThreadAppends) {
  const auto db = Open();
  std::atomic<uint64_t> written = 0;
  std::thread writer([&] {
    eventlog::Head head{.epoch = base::Epoch("e")};
    for (uint64_t number = 1; number <= 400; ++number) {
      const auto commit = NextEvents(head, 1, 20'000);
      EXPECT_TRUE(db->Put({commit->first_sequence, number}, commit->bytes).ok());
      head.commit = number;
      head.sequence = commit->last_sequence;
      head.commit_time = commit->commit_time;
      written = number;
    }
  });
  uint64_t next = 1;
  while (next <= 400) {
    const uint64_t last = written;
    if (last < next) continue;
    const auto read = db->Read({.sequence = Sequence(next)}, {.max_events = 20}, last);
    ASSERT_TRUE(read.ok()) << read.status();
    for (const auto& commit : *read) ASSERT_EQ(commit->number, next++);
  }
  writer.join();
}

TEST_F(IndexTest, ReadsAndRetentionMeet) {
  const auto db = Open();
  Fill(*db);
  std::thread trimmer([&] {
    for (uint64_t n = 1; n <= head_.sequence.value(); n += 20) {
      EXPECT_TRUE(db->DropFilesBefore(Sequence(n)).ok());
    }
  });
  for (uint64_t n = 1; n <= head_.sequence.value(); ++n) {
    const auto read = db->Read({.sequence = Sequence(n)}, {.max_events = 5}, kCommits);
    if (!read.ok()) {
      EXPECT_THAT(read, HasReason(Reason::kTrimmed));
    } else {
      EXPECT_LE(read->front()->first_sequence, Sequence(n)) << "nothing was left out";
    }
  }
  trimmer.join();
}

TEST_F(IndexTest, RetentionDropsAFileWhoseEventsAllComeBeforeAndNoOther) {
  const auto db = Open();
  Fill(*db);
  const auto files = SegmentFiles(dir_.File("db"));
  ASSERT_GE(files.size(), 3u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto second, Segment::Open(files[1], eventlog::SystemDisk()));
  const uint64_t first = second->header().first.first_sequence.value();
  CDGATE_ASSERT_OK(db->DropFilesBefore(Sequence(first - 1)));
  EXPECT_EQ(SegmentFiles(dir_.File("db")).size(), files.size());
  CDGATE_ASSERT_OK(db->DropFilesBefore(Sequence(first)));
  EXPECT_EQ(SegmentFiles(dir_.File("db")).size(), files.size() - 1);
}

TEST(SegmentTest, OneThatWasNeverUsedIsOpenedAsEmpty) {
  TempDir dir;
  const SegmentHeader header{.first = {Sequence(1), 1}};
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto made,
                              Segment::Create(dir.path(), header, 1 << 20, eventlog::SystemDisk()));
  CDGATE_ASSERT_OK(made->Close());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto opened,
                              Segment::Open(made->path(), eventlog::SystemDisk()));
  ASSERT_NE(opened, nullptr);
  EXPECT_TRUE(opened->empty());
}

TEST(SegmentTest, OneFileHoldsItsDescriptorOnlyWhileItIsWritten) {
  TempDir dir;
  const std::string name = dir.File("db");
  const auto db = *CommitDb::Open({.directory = name, .file_bytes = 1});
  eventlog::Head head{.epoch = base::Epoch("e")};
  const auto open_files = [] {
    std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  };
  CDGATE_ASSERT_OK(db->Put({Sequence(1), 1}, NextEvents(head, 1)->bytes));
  const auto before = open_files();
  for (uint64_t number = 2; number <= 20; ++number) {
    CDGATE_ASSERT_OK(db->Put({Sequence(number), number}, "record"));
  }
  EXPECT_EQ(SegmentFiles(name).size(), 20u);
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace cdgate::test
