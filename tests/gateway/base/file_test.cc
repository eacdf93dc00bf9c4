#include "gateway/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::base {
namespace {

using testing::HasSubstr;

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

size_t EntriesIn(const std::string& dir) {
  size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir)) ++n;
  return n;
}

TEST(FileTest, WritesAndReadsAnyBytes) {
  const test::TempDir dir;
  const std::string bytes("a\0b\n\xff", 5);
  CDGATE_ASSERT_OK(WriteFileAtomically(dir.File("f"), bytes));
  EXPECT_EQ(ReadFile(dir.File("f")).value(), bytes);
  CDGATE_ASSERT_OK(WriteFileAtomically(dir.File("f"), ""));
  EXPECT_EQ(ReadFile(dir.File("f")).value(), "");
}

TEST(FileTest, WritesExactlyTheModeWhateverTheUmask) {
  const test::TempDir dir;
  const mode_t before = umask(0077);
  CDGATE_EXPECT_OK(WriteFileAtomically(dir.File("open"), "x", 0644));
  umask(0);
  CDGATE_EXPECT_OK(WriteFileAtomically(dir.File("secret"), "x", 0600));
  umask(before);
  EXPECT_EQ(ModeOf(dir.File("open")), 0644u);
  EXPECT_EQ(ModeOf(dir.File("secret")), 0600u);
}

TEST(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const test::TempDir dir;
  // A folder in the way of the rename.
  std::filesystem::create_directories(dir.File("taken/inside"));
  EXPECT_THAT(WriteFileAtomically(dir.File("taken"), "x"),
              test::HasReasonAndMessage(Reason::kFileUnwritable, HasSubstr(dir.File("taken"))));
  EXPECT_EQ(EntriesIn(dir.path()), 1u);
}

TEST(FileTest, MissingFilesAreNamed) {
  const test::TempDir dir;
  EXPECT_THAT(ReadFile(dir.File("none")),
              test::HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr(dir.File("none"))));
  EXPECT_THAT(WriteFileAtomically(dir.File("none/f"), "x"),
              test::HasReason(Reason::kFileUnwritable));
  EXPECT_THAT(ReadFile(dir.path()), test::HasReason(Reason::kFileUnreadable));
}

TEST(FileTest, ALongFileIsAnErrorNotACut) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK(WriteFileAtomically(dir.File("f"), std::string(100, 'x')));
  EXPECT_EQ(ReadFile(dir.File("f"), 100)->size(), 100u);
  EXPECT_THAT(ReadFile(dir.File("f"), 99), test::HasReason(Reason::kFileUnreadable));
}

TEST(FileTest, MakesDirectoriesWithTheirParents) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK(MakeDirectories(dir.File("a/b/c"), 0700));
  EXPECT_EQ(ModeOf(dir.File("a/b/c")), 0700u);
  CDGATE_EXPECT_OK(MakeDirectories(dir.File("a/b/c"), 0755));
  EXPECT_EQ(ModeOf(dir.File("a/b/c")), 0700u) << "an existing one keeps its mode";
  CDGATE_ASSERT_OK(WriteFileAtomically(dir.File("file"), "x"));
  EXPECT_THAT(MakeDirectories(dir.File("file/d")), test::HasReason(Reason::kFileUnwritable));
}

TEST(FileTest, JoinPathDoesNotDoubleTheSlash) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
}

}  // namespace
}  // namespace cdgate::base
