#include "auth/credentials/published_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <set>
#include <string>

#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::credentials {
namespace {

ptrdiff_t Count(const test::TempDir& parent) {
  return std::distance(std::filesystem::directory_iterator(parent.path()),
                       std::filesystem::directory_iterator());
}

TEST(PublishedDirectoryTest, EachSetHasASecondOfItsOwn) {
  const test::TempDir parent;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto directory, PublishedDirectory::Create(parent.path()));
  std::set<time_t> times;
  for (int i = 0; i < 5; ++i) {
    CDGATE_ASSERT_OK(directory->Publish("chain", "key", std::to_string(i)));
    struct stat info {};
    ASSERT_EQ(stat(directory->key_path().c_str(), &info), 0);
    times.insert(info.st_mtime);
    EXPECT_EQ(base::ReadFile(directory->roots_path()).value(), std::to_string(i));
  }
  EXPECT_EQ(times.size(), 5U);
}

TEST(PublishedDirectoryTest, KeepsNoMoreThanTwoSets) {
  const test::TempDir parent;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto directory, PublishedDirectory::Create(parent.path()));
  for (int i = 0; i < 4; ++i) CDGATE_ASSERT_OK(directory->Publish("chain", "key", "roots"));
  EXPECT_FALSE(base::FileExists(directory->path() + "/set-1"));
  EXPECT_FALSE(base::FileExists(directory->path() + "/set-2"));
  EXPECT_TRUE(base::FileExists(directory->path() + "/set-3"));
  EXPECT_TRUE(base::FileExists(directory->path() + "/set-4"));
}

TEST(PublishedDirectoryTest, AFailedPublicationLeavesTheSetBefore) {
  const test::TempDir parent;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto directory, PublishedDirectory::Create(parent.path()));
  CDGATE_ASSERT_OK(directory->Publish("chain", "key", "roots"));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(directory->path() + "/set-2", "in the way"));
  EXPECT_THAT(directory->Publish("new", "new", "new"),
              test::HasReason(base::Reason::kFileUnwritable));
  EXPECT_EQ(base::ReadFile(directory->certificate_path()).value(), "chain");
}

// A child process is killed in the middle; its directory stays, until the next one comes.
TEST(PublishedDirectoryTest, RemovesWhatAKilledProcessLeft) {
  const test::TempDir parent;
  const pid_t child = fork();
  if (child == 0) {
    const auto directory = PublishedDirectory::Create(parent.path());
    const bool published = directory.ok() && (*directory)->Publish("chain", "key", "roots").ok();
    _exit(published ? 0 : 1);  // no destructor runs
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(Count(parent), 1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, PublishedDirectory::Create(parent.path()));
  EXPECT_EQ(Count(parent), 1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto second, PublishedDirectory::Create(parent.path()));
  EXPECT_EQ(Count(parent), 2) << "one in use was removed";
}

TEST(PublishedDirectoryTest, SaysWhereItCannotBe) {
  EXPECT_THAT(PublishedDirectory::Create("/nonexistent"),
              test::HasReason(base::Reason::kFileUnwritable));
}

}  // namespace
}  // namespace cdgate::credentials
