// What becomes of files that retention drops from a log in segments.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/eventlog/segments/commit_db.h"
#include "gateway/eventlog/segments/dropped_file.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using base::Sequence;
using eventlog::CommitDb;
using eventlog::CommitKey;
using testing::IsEmpty;
using testing::SizeIs;

class SegmentRetentionTest : public testing::Test {
 protected:
  SegmentRetentionTest() { Open(); }

  void Open(size_t file_bytes = 4096) {
    db_.reset();
    auto db = CommitDb::Open({.directory = dir_.File("commits"), .file_bytes = file_bytes});
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  // `n` commits of an event each.
  void Put(uint64_t n, size_t event_bytes = 64) {
    for (uint64_t number = 1; number <= n; ++number) {
      const auto commit =
          NextEvents({.commit = number - 1, .sequence = Sequence(number - 1)}, 1, event_bytes);
      CDGATE_ASSERT_OK(db_->Put({commit->first_sequence, number}, commit->bytes));
    }
  }
  std::vector<std::string> Dropped() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.File("commits"))) {
      if (entry.path().extension() == ".dropped") files.push_back(entry.path().string());
    }
    return files;
  }
  std::vector<std::string> Files() const { return SegmentFiles(dir_.File("commits")); }

  TempDir dir_;
  std::unique_ptr<CommitDb> db_;
};

TEST_F(SegmentRetentionTest, NothingIsLeftOfADroppedFile) {
  Put(100);
  const size_t before = Files().size();
  ASSERT_GE(before, 4u);
  CDGATE_ASSERT_OK(db_->DropFilesBefore(Sequence(70)));
  EXPECT_LT(Files().size(), before);
  EXPECT_THAT(Dropped(), IsEmpty());
}

TEST_F(SegmentRetentionTest, WhatALifeLeftIsRemovedByTheNext) {
  Put(100);
  const auto files = Files();
  CDGATE_ASSERT_OK(eventlog::SetAside(files[0]));
  ASSERT_THAT(Dropped(), SizeIs(1));
  std::filesystem::resize_file(Dropped()[0], 100);
  Open();
  EXPECT_THAT(Dropped(), IsEmpty());
  EXPECT_THAT(Files(), SizeIs(files.size() - 1));
  ASSERT_TRUE(db_->Oldest());
  EXPECT_GT(db_->Oldest()->number, 1u);
}

TEST_F(SegmentRetentionTest, AFileWithASecondNameKeepsItsBytes) {
  Put(100);
  const std::string bytes = ReadBytes(Files()[0]);
  std::filesystem::create_hard_link(Files()[0], dir_.File("second"));
  CDGATE_ASSERT_OK(db_->DropFilesBefore(Sequence(70)));
  EXPECT_THAT(Dropped(), IsEmpty());
  EXPECT_EQ(ReadBytes(dir_.File("second")), bytes);
}

// It reads on in what was dropped, or is told; what it reads is never cut under it.
TEST_F(SegmentRetentionTest, AReaderIsNotDisturbed) {
  Open(32 << 20);
  Put(120, 300'000);
  ASSERT_THAT(Files(), SizeIs(2));
  std::atomic<bool> reading = false;
  absl::Status ended;
  std::thread reader([&] {
    while (ended.ok()) {
      ended = db_->Read({.sequence = Sequence(1)}, {.max_bytes = size_t{1} << 30}, 120).status();
      reading = true;
    }
  });
  while (!reading) std::this_thread::yield();
  CDGATE_EXPECT_OK(db_->DropFilesBefore(Sequence(120)));
  reader.join();
  EXPECT_THAT(ended, HasReason(base::Reason::kTrimmed));
  CDGATE_EXPECT_OK(db_->DropFilesBefore(Sequence(120)));
  EXPECT_THAT(Dropped(), IsEmpty()) << "what was read goes with the next call";
}

TEST(DroppedFileTest, WhatIsNotThereNeedsNothing) {
  const TempDir dir;
  CDGATE_EXPECT_OK(eventlog::SetAside(dir.File("none")));
  CDGATE_EXPECT_OK(eventlog::RemoveSetAside(dir.File("none")));
}

TEST(DroppedFileTest, IsEmptiedAndRemoved) {
  const TempDir dir;
  const std::string path = dir.File("file");
  WriteBytes(path, std::string(3 * eventlog::kGivenBack + 1, 'x'));
  const std::string kept = path + std::string(eventlog::kDroppedExtension);
  CDGATE_ASSERT_OK(eventlog::SetAside(path));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(std::filesystem::file_size(kept), 3 * eventlog::kGivenBack + 1);
  const int open_still = open(kept.c_str(), O_RDONLY | O_CLOEXEC);
  CDGATE_ASSERT_OK(eventlog::RemoveSetAside(path));
  EXPECT_FALSE(std::filesystem::exists(kept));
  EXPECT_EQ(lseek(open_still, 0, SEEK_END), 0) << "its room was not given back before it went";
  close(open_still);
}

}  // namespace
}  // namespace cdgate::test
