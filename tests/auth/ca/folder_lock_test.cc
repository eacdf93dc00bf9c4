#include "auth/ca/folder_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::ca {
namespace {

using base::Reason;

TEST(FolderLockTest, OneHasItAtATime) {
  const test::TempDir dir;
  auto first = FolderLock::Take(dir.path(), absl::ZeroDuration());
  CDGATE_ASSERT_OK(first);
  EXPECT_THAT(FolderLock::Take(dir.path(), absl::Milliseconds(50)),
              test::HasReason(Reason::kOverloaded));
  first->reset();
  CDGATE_EXPECT_OK(FolderLock::Take(dir.path(), absl::ZeroDuration()));
}

TEST(FolderLockTest, NeedsAFolder) {
  const test::TempDir dir;
  EXPECT_THAT(
      FolderLock::Take(dir.File("none"), absl::ZeroDuration()),
      test::HasReasonAndMessage(Reason::kFileUnreadable, testing::HasSubstr("cdgate ca init")));
}

}  // namespace
}  // namespace cdgate::ca
