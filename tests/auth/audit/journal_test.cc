#include "auth/audit/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/auth/audit/audit_testing.h"

namespace cdgate::audit {
namespace {

using base::Reason;
using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  void Fill(Journal& journal, int acts) {
    for (int i = 0; i < acts; ++i) CDGATE_ASSERT_OK(journal.Append({Act("/Service/Do")}));
  }
  AuditWorld world_;
};

TEST_F(JournalTest, BeginsWithASignedCheckpointForItsOwnerAlone) {
  world_.Open();
  struct stat info {};
  ASSERT_EQ(stat(world_.File().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_THAT(world_.Lines().at(0), HasSubstr("\"reason\":\"file\""));
  EXPECT_EQ(world_.File(), world_.dir.File("000000000001.jsonl"));
  EXPECT_EQ(world_.Verify().summary.checkpoints, 1u);
}

TEST_F(JournalTest, ARestartContinuesTheChain) {
  Fill(*world_.Open(), 3);
  std::vector<uint64_t> seen;
  auto journal = world_.Open(
      world_.Options(), [&](const Line& line, absl::string_view) { seen.push_back(line.number); });
  EXPECT_THAT(seen, testing::ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(journal->head().number, 4u);
  EXPECT_EQ(journal->unsigned_entries(), 3u);
  Fill(*journal, 2);
  const Report report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value());
  EXPECT_EQ(report.summary.last_number, 6u);
}

TEST_F(JournalTest, WhatNoLineCanHoldIsShownByItsDigest) {
  auto journal = world_.Open();
  CDGATE_ASSERT_OK(journal->Append({Act(std::string(2 * kMaxLineBytes, 'x'))}));
  CDGATE_ASSERT_OK(journal->Append({Act("/Service/Do")}));
  EXPECT_THAT(world_.Lines().at(1), HasSubstr("\"event\":\"too long for an entry\""));
  EXPECT_FALSE(world_.Verify().fault.has_value());
}

TEST_F(JournalTest, TheStateCommitGoesOnFromTheLastCheckpoint) {
  JournalOptions options = world_.Options();
  options.state_commit = 7;
  {
    auto journal = world_.Open(options);
    EXPECT_EQ(world_.Verify().summary.state_commit, 7u);
    journal->set_state_commit(9);
    CDGATE_ASSERT_OK(journal->AppendCheckpoint("stop"));
  }
  CDGATE_ASSERT_OK(world_.Open(options)->AppendCheckpoint("interval"));
  EXPECT_EQ(world_.Verify().summary.state_commit, 9u);
}

TEST_F(JournalTest, OneProcessWrites) {
  const auto journal = world_.Open();
  EXPECT_THAT(Journal::Open(world_.Options(), world_.clock, world_.Source(), nullptr),
              test::HasReason(Reason::kLogLocked));
}

TEST_F(JournalTest, AnUnfinishedLineIsCutOffAndNoted) {
  Fill(*world_.Open(), 3);
  const std::string whole = Contents(world_.File());
  for (const size_t lost : {1, 2, 10, 80, 200}) {
    Write(world_.File(), whole.substr(0, whole.size() - lost));
    const size_t torn = world_.Verify().torn_bytes;
    world_.Open();
    const std::vector<std::string> lines = world_.Lines();
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_THAT(lines[3], HasSubstr("unfinished line cut off"));
    EXPECT_EQ(NumberMember(lines[3], "bytes"), torn);
    EXPECT_FALSE(world_.Verify().fault.has_value());
  }
}

TEST_F(JournalTest, ACrashBeforeTheFirstLineOfAFileLeavesItUsable) {
  Fill(*world_.Open(), 2);
  Write(world_.dir.File(FileName(4)), "");
  EXPECT_EQ(world_.Open()->head().number, 4u);
  EXPECT_THAT(Contents(world_.dir.File(FileName(4))), HasSubstr("\"reason\":\"file\""));
}

TEST_F(JournalTest, AFullFileIsFollowedByAnother) {
  JournalOptions options = world_.Options();
  options.file_bytes = 8 << 10;
  Fill(*world_.Open(options), 100);
  const Report report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value()) << report.fault->message;
  EXPECT_GE(report.files, 3u);
  const std::vector<AuditFile> files = ListFiles(world_.dir.path()).value();
  for (const AuditFile& file : files) {
    EXPECT_LE(std::filesystem::file_size(world_.dir.File(file.name)), 12u << 10);
  }
  // A file in the middle that is gone is missed, by its numbers.
  std::filesystem::remove(world_.dir.File(files[1].name));
  const Fault fault = world_.Verify().fault.value();
  EXPECT_EQ(fault.kind, Fault::Kind::kMissing);
  EXPECT_EQ(fault.number, files[1].first_number);
  EXPECT_EQ(fault.place.file, files[2].name);
}

TEST_F(JournalTest, RetentionRemovesWholeFilesAndSaysSo) {
  JournalOptions options = world_.Options();
  options.file_bytes = 8 << 10;
  options.retention = absl::Hours(2);
  auto journal = world_.Open(options);
  Fill(*journal, 30);
  world_.clock.Advance(absl::Hours(1));
  Fill(*journal, 30);
  world_.clock.Advance(absl::Minutes(90));
  Fill(*journal, 1);
  const size_t before = ListFiles(world_.dir.path())->size();
  CDGATE_ASSERT_OK(journal->RemoveOld());
  const auto files = ListFiles(world_.dir.path()).value();
  EXPECT_LT(files.size(), before);
  EXPECT_GT(files.front().first_number, 1u);
  const Report report = world_.Verify();
  EXPECT_FALSE(report.fault.has_value()) << report.fault->message;
  EXPECT_EQ(report.summary.first_number, files.front().first_number);
  // One more that somebody else removes is missed.
  std::filesystem::remove(world_.dir.File(files.front().name));
  const Fault fault = world_.Verify().fault.value();
  EXPECT_EQ(fault.kind, Fault::Kind::kMissing);
  EXPECT_EQ(fault.number, files.front().first_number);
  EXPECT_THAT(fault.message, HasSubstr("no entry says that retention removed them"));
}

TEST_F(JournalTest, ADamagedFileStaysAndTheChainGoesOnInAnother) {
  Fill(*world_.Open(), 5);
  std::string bytes = Contents(world_.File());
  bytes[bytes.size() / 2] ^= 1;
  Write(world_.File(), bytes);
  {
    auto journal = world_.Open();
    EXPECT_THAT(journal->damage(), test::HasReason(Reason::kAuditDamaged));
    Fill(*journal, 2);
  }
  EXPECT_EQ(Contents(world_.File(0)), bytes);
  EXPECT_THAT(world_.Lines(1).at(1), HasSubstr("damage found"));
  EXPECT_EQ(world_.Verify().fault->kind, Fault::Kind::kAltered);
  CDGATE_EXPECT_OK(world_.Open()->damage());
}

TEST_F(JournalTest, AFullDiskHasItsReason) {
  JournalOptions options = world_.Options();
  bool full = false;
  options.calls.write = [&full](int fd, const void* bytes, size_t size) -> ssize_t {
    if (!full) return write(fd, bytes, size);
    // Some of it still fits.
    if (size > 40) return write(fd, bytes, 40);
    errno = ENOSPC;
    return -1;
  };
  {
    auto journal = world_.Open(options);
    Fill(*journal, 2);
    full = true;
    const absl::Status status = journal->Append({Act("/Service/Do")});
    EXPECT_THAT(status, test::HasReasonAndMessage(Reason::kDiskFull, HasSubstr(world_.File())));
  }
  full = false;
  Fill(*world_.Open(options), 1);
  EXPECT_FALSE(world_.Verify().fault.has_value());
  EXPECT_THAT(world_.Lines().at(3), HasSubstr("unfinished line cut off"));
}

TEST_F(JournalTest, AKeyThatCannotSignIsSaid) {
  JournalOptions options = world_.Options();
  auto journal = Journal::Open(
      options, world_.clock,
      [] { return base::MakeError(Reason::kCredentialsInvalid, "the key is of RSA"); }, nullptr);
  CDGATE_ASSERT_OK(journal);
  EXPECT_THAT((*journal)->signing(), test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_THAT(world_.Lines().at(0), HasSubstr("\"not_signed\":\"the key is of RSA\""));
  // Whoever has a bundle wants signatures.
  EXPECT_EQ(world_.Verify().fault->kind, Fault::Kind::kUnsigned);
  const auto without = VerifyFolder(world_.dir.path(), {});
  CDGATE_ASSERT_OK(without);
  EXPECT_FALSE(without->fault.has_value());
  EXPECT_EQ(without->summary.unsigned_checkpoints, 1u);
}

TEST_F(JournalTest, ExportsTheEntriesOfAPeriod) {
  JournalOptions options = world_.Options();
  options.file_bytes = 4 << 10;
  auto journal = world_.Open(options);
  std::vector<std::string> expected;
  const absl::Time from = world_.clock.Now() + absl::Seconds(10);
  const absl::Time to = world_.clock.Now() + absl::Seconds(40);
  for (int i = 0; i < 50; ++i) {
    CDGATE_ASSERT_OK(journal->Append({Act(absl::StrCat("/Service/Do", i))}));
    world_.clock.Advance(absl::Seconds(1));
  }
  for (size_t i = 0; i < ListFiles(world_.dir.path())->size(); ++i) {
    for (const std::string& line : world_.Lines(i)) {
      const std::string time(ReadLine(line)->time);
      if (time >= TimeText(from) && time < TimeText(to)) expected.push_back(line);
    }
  }
  ASSERT_GE(expected.size(), 30u);
  Exporter exporter(world_.dir.path(), from, to);
  std::vector<std::string> exported;
  std::vector<std::string> page;
  do {
    CDGATE_ASSERT_OK(exporter.Next(7, 64 << 10, &page));
    EXPECT_LE(page.size(), 7u);
    exported.insert(exported.end(), page.begin(), page.end());
  } while (!page.empty());
  EXPECT_EQ(exported, expected);
}

}  // namespace
}  // namespace cdgate::audit
