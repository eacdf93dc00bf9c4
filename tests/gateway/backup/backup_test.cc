#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/backup/files.h"
#include "gateway/backup/manifest.h"
#include "gateway/backup/restore.h"
#include "gateway/backup/write.h"
#include "gateway/base/file.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/segment_log.h"
#include "gateway/state/rocks_kv.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::backup {
namespace {

namespace fs = std::filesystem;
using base::Reason;
using eventlog::SegmentLog;
using storage::v1::BackupManifest;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

std::unique_ptr<SegmentLog> OpenLog(const std::string& directory, base::Clock& clock) {
  auto log =
      SegmentLog::Open({.directory = directory, .file_bytes = 4096}, clock, base::SystemRandom());
  EXPECT_TRUE(log.ok()) << log.status();
  return *std::move(log);
}

// A data directory with a log and a key, and backups of it.
class BackupTest : public testing::Test {
 protected:
  BackupTest() : log_(OpenLog(dir_.File("data/log"), clock_)) {
    EXPECT_TRUE(test::AppendEvents(*log_, 3).ok());
    EXPECT_TRUE(base::MakeDirectories(dir_.File("data/secrets")).ok());
    EXPECT_TRUE(base::WriteFileAtomically(dir_.File("data/secrets/key"), "secret").ok());
  }

  absl::StatusOr<BackupManifest> Make(const std::string& name) {
    const eventlog::LogFiles files = log_->Files();
    std::vector<Source> sources = {
        {.from = dir_.File("data/secrets/key"), .path = "secrets/key", .bytes = 6}};
    for (const auto& file : files.files) {
      const std::string path = "log/commits/" + fs::path(file.path).filename().string();
      sources.push_back({.from = file.path, .path = path, .bytes = file.bytes});
    }
    BackupManifest header;
    header.set_domain("alpha.example");
    header.set_epoch(files.head.epoch.value());
    header.set_head_commit(files.head.commit);
    header.set_head_sequence(files.head.sequence.value());
    return Write(dir_.File(name), header, sources);
  }

  absl::StatusOr<storage::v1::RestoreRecord> RestoreFrom(const std::string& name,
                                                         const std::string& data) {
    return Restore(dir_.File(name), dir_.File(data), clock_, base::SystemRandom());
  }

  void Put(const std::string& file, const std::string& content) {
    std::ofstream(dir_.File(file), std::ios::trunc) << content;
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  std::unique_ptr<SegmentLog> log_;
};

TEST_F(BackupTest, AWholeOneVerifies) {
  CDGATE_ASSERT_OK(Make("backup").status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const BackupManifest manifest, Verify(dir_.File("backup")));
  EXPECT_EQ(manifest.domain(), "alpha.example");
  EXPECT_EQ(manifest.head_sequence(), 3u);
  EXPECT_FALSE(base::FileExists(dir_.File("backup.partial")));
}

TEST_F(BackupTest, TheNameMustBeFree) {
  CDGATE_ASSERT_OK(Make("backup").status());
  EXPECT_THAT(Make("backup"), HasReason(Reason::kAlreadyExists));
  EXPECT_THAT(Make("no/where"), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(CheckTarget("backup"), HasReason(Reason::kInvalidArgument));
}

TEST_F(BackupTest, WhatAnEarlierTryLeftIsWrittenAnew) {
  ASSERT_TRUE(fs::create_directories(dir_.File("backup.partial/data/log")));
  Put("backup.partial/data/log/old", "old");
  CDGATE_ASSERT_OK(Make("backup").status());
  CDGATE_EXPECT_OK(Verify(dir_.File("backup")).status());
}

TEST_F(BackupTest, AFailedOneLeavesNothing) {
  BackupManifest header;
  EXPECT_THAT(Write(dir_.File("backup"), header, {{.from = dir_.File("none"), .path = "none"}}),
              HasReason(Reason::kFileUnreadable));
  EXPECT_FALSE(base::FileExists(dir_.File("backup")));
  EXPECT_FALSE(base::FileExists(dir_.File("backup.partial")));
}

TEST_F(BackupTest, OneThatIsGivenUpLeavesNothing) {
  EXPECT_THAT(Write(dir_.File("backup"), BackupManifest(),
                    {{.from = dir_.File("data/secrets/key"), .path = "secrets/key", .bytes = 6}},
                    [] { return true; }),
              HasReason(Reason::kDraining));
  EXPECT_FALSE(base::FileExists(dir_.File("backup")));
  EXPECT_FALSE(base::FileExists(dir_.File("backup.partial")));
}

TEST_F(BackupTest, EachFaultIsFoundAndNamed) {
  CDGATE_ASSERT_OK(Make("backup").status());
  const std::string folder = dir_.File("backup");
  Put("backup/data/secrets/key", "sEcret");
  EXPECT_THAT(Verify(folder),
              HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("secrets/key")));
  Put("backup/data/secrets/key", "secre");
  EXPECT_THAT(Verify(folder), HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("5 bytes")));
  ASSERT_TRUE(fs::remove(dir_.File("backup/data/secrets/key")));
  EXPECT_THAT(Verify(folder), HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("is missing")));
  Put("backup/data/secrets/key", "secret");
  CDGATE_EXPECT_OK(Verify(folder).status());
  Put("backup/data/secrets/more", "");
  EXPECT_THAT(Verify(folder),
              HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("not in the manifest")));
  ASSERT_TRUE(fs::remove(dir_.File("backup/data/secrets/more")));
  Put("backup/more", "");
  EXPECT_THAT(Verify(folder), HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("more")));
}

TEST_F(BackupTest, TheManifestIsJudged) {
  CDGATE_ASSERT_OK(Make("backup").status());
  CDGATE_ASSERT_OK_AND_ASSIGN(BackupManifest manifest, ReadManifest(dir_.File("backup")));
  manifest.mutable_files(0)->set_path("../key");
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string outside, WriteManifest(manifest));
  Put("backup/manifest.json", outside);
  EXPECT_THAT(Verify(dir_.File("backup")),
              HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("outside")));
  manifest.set_format_version(2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string newer, WriteManifest(manifest));
  Put("backup/manifest.json", newer);
  EXPECT_THAT(Verify(dir_.File("backup")), HasReason(Reason::kLogFormatNewer));
  Put("backup/manifest.json", newer.substr(0, newer.size() / 2));
  EXPECT_THAT(Verify(dir_.File("backup")), HasReason(Reason::kBackupInvalid));
  ASSERT_TRUE(fs::remove(dir_.File("backup/manifest.json")));
  EXPECT_THAT(Verify(dir_.File("backup")),
              HasReasonAndMessage(Reason::kBackupInvalid, HasSubstr("no whole backup")));
}

TEST_F(BackupTest, ARestoreBeginsANewEpoch) {
  CDGATE_ASSERT_OK(Make("backup").status());
  const eventlog::Head before = log_->head();
  CDGATE_ASSERT_OK(test::AppendEvents(*log_, 2));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto record, RestoreFrom("backup", "new/data"));
  EXPECT_EQ(record.epoch_before(), before.epoch.value());
  EXPECT_EQ(record.head_sequence(), 3u);
  const auto log = OpenLog(dir_.File("new/data/log"), clock_);
  EXPECT_EQ(log->head().epoch.value(), record.epoch());
  EXPECT_NE(log->head().epoch, before.epoch);
  EXPECT_EQ(log->head().commit, before.commit + 1);
  EXPECT_EQ(log->head().sequence, before.sequence);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto stored, ReadRestoreRecord(dir_.File("new/data")));
  ASSERT_TRUE(stored.has_value());
  EXPECT_FALSE(stored->started());
}

TEST_F(BackupTest, ARestoreTakesAnEmptyFolderAndNoOther) {
  CDGATE_ASSERT_OK(Make("backup").status());
  EXPECT_THAT(RestoreFrom("backup", "data"), HasReason(Reason::kLogLocked));
  log_.reset();
  EXPECT_THAT(RestoreFrom("backup", "data"), HasReason(Reason::kAlreadyExists));
  ASSERT_TRUE(fs::create_directory(dir_.File("empty")));
  CDGATE_EXPECT_OK(RestoreFrom("backup", "empty/").status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string key,
                              base::ReadFile(dir_.File("empty/secrets/key")));
  EXPECT_EQ(key, "secret");
}

TEST_F(BackupTest, ADamagedOneIsNotRestored) {
  CDGATE_ASSERT_OK(Make("backup").status());
  Put("backup/data/secrets/key", "sEcret");
  EXPECT_THAT(RestoreFrom("backup", "new"), HasReason(Reason::kBackupInvalid));
  EXPECT_FALSE(base::FileExists(dir_.File("new")));
  EXPECT_FALSE(base::FileExists(dir_.File("new.restoring")));
}

// Every copy that is made while commits are appended is a log that ends at its manifest's head.
TEST_F(BackupTest, EventsFlowMeanwhile) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) EXPECT_TRUE(test::AppendEvents(*log_, 2, 300).ok());
  });
  for (int i = 0; i < 8; ++i) {
    const std::string name = "backup" + std::to_string(i);
    const auto manifest = Make(name);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    const auto record = RestoreFrom(name, "data" + std::to_string(i));
    EXPECT_TRUE(record.ok()) << record.status();
  }
  stop = true;
  writer.join();
}

TEST(RocksKvTest, ACheckpointHasWhatWasWrittenBefore) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK_AND_ASSIGN(auto kv, state::RocksKv::Open({.directory = dir.File("kv")}));
  const auto write = [&kv](const char* value) {
    const auto batch = kv->NewBatch();
    batch->Put(state::Table::kCursor, "reader", value);
    return kv->Write(*batch);
  };
  CDGATE_ASSERT_OK(write("before"));
  CDGATE_ASSERT_OK(kv->Checkpoint(dir.File("copy")));
  CDGATE_ASSERT_OK(write("after"));
  EXPECT_THAT(kv->Checkpoint(dir.File("copy")), HasReason(Reason::kFileUnwritable));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto copy,
                              state::RocksKv::Open({.directory = dir.File("copy")}));
  std::string value;
  CDGATE_ASSERT_OK_AND_ASSIGN(const bool found, copy->Get(state::Table::kCursor, "reader", &value));
  EXPECT_TRUE(found);
  EXPECT_EQ(value, "before");
}

}  // namespace
}  // namespace cdgate::backup
