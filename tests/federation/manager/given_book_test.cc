#include "federation/manager/given_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::manager {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kPeer[] = "beta.example";
constexpr absl::Duration kDay = absl::Hours(24);

class GivenBookTest : public testing::Test {
 protected:
  GivenBookTest() { CDGATE_EXPECT_OK(book_.Open()); }

  std::vector<std::string> In(const GivenBook& book) {
    std::vector<std::string> out;
    const auto given = book.Of(kPeer);
    for (const auto& row : given->rows()) {
      out.push_back(absl::StrCat(row.type(), row.source(), row.plane()));
    }
    return out;
  }
  // As after a crash.
  std::vector<std::string> OnDisk() {
    GivenBook other(folder(), clock_);
    CDGATE_EXPECT_OK(other.Open());
    return In(other);
  }
  std::string folder() { return dir_.File("given"); }

  test::TempDir dir_;
  test::FakeClock clock_;
  GivenBook book_{folder(), clock_};
};

TEST_F(GivenBookTest, RemembersKindsOverARestart) {
  book_.Given(kPeer, {"b", "/s", "resource"});
  book_.Given(kPeer, {"a", "/s", ""});
  book_.Given(kPeer, {"a", "/s", ""});
  EXPECT_THAT(In(book_), ElementsAre("a/s", "b/sresource"));
  book_.Flush(true);
  EXPECT_THAT(OnDisk(), ElementsAre("a/s", "b/sresource"));
  EXPECT_EQ(book_.Of("gamma.example")->rows_size(), 0);
}

TEST_F(GivenBookTest, WritesWhatIsNewSoonAndTheRestLater) {
  book_.Given(kPeer, {"a", "/s", ""});
  book_.Flush();
  EXPECT_THAT(OnDisk(), IsEmpty());
  clock_.Advance(absl::Seconds(3));
  book_.Flush();
  EXPECT_THAT(OnDisk(), ElementsAre("a/s"));
  clock_.Advance(kDay);
  book_.Given(kPeer, {"a", "/s", ""});
  clock_.Advance(absl::Seconds(30));
  book_.Flush();
  clock_.Advance(29 * kDay - absl::Seconds(30));
  EXPECT_THAT(OnDisk(), IsEmpty());
  book_.Flush();
  EXPECT_THAT(OnDisk(), ElementsAre("a/s"));
}

TEST_F(GivenBookTest, ForgetsAfterThirtyDays) {
  book_.Given(kPeer, {"a", "/s", ""});
  clock_.Advance(29 * kDay);
  EXPECT_THAT(In(book_), ElementsAre("a/s"));
  clock_.Advance(kDay);
  EXPECT_THAT(In(book_), IsEmpty());
}

TEST_F(GivenBookTest, VersionTellsChanges) {
  EXPECT_EQ(book_.VersionOf(kPeer), 0u);
  book_.Given(kPeer, {"a", "/s", ""});
  const uint64_t first = book_.VersionOf(kPeer);
  EXPECT_NE(first, 0u);
  book_.Given(kPeer, {"a", "/s", ""});
  EXPECT_EQ(book_.VersionOf(kPeer), first);
  clock_.Advance(kDay);
  book_.Given(kPeer, {"a", "/s", ""});
  EXPECT_NE(book_.VersionOf(kPeer), first);
}

TEST_F(GivenBookTest, WhatWasGivenLongestAgoMakesRoom) {
  book_.Given(kPeer, {"old", "/s", ""});
  clock_.Advance(kDay);
  for (size_t i = 1; i < session::kMaxGivenKinds; ++i) {
    book_.Given(kPeer, {absl::StrCat("t", i), "/s", ""});
  }
  EXPECT_FALSE(book_.Of(kPeer)->truncated());
  book_.Given(kPeer, {"new", "/s", ""});
  EXPECT_THAT(In(book_), testing::Contains("new/s"));
  EXPECT_THAT(In(book_), testing::Not(testing::Contains("old/s")));
  EXPECT_TRUE(book_.Of(kPeer)->truncated());
  // All of today: nothing makes room.
  book_.Given(kPeer, {"newer", "/s", ""});
  EXPECT_THAT(In(book_), testing::Not(testing::Contains("newer/s")));
  EXPECT_EQ(static_cast<size_t>(book_.Of(kPeer)->rows_size()), session::kMaxGivenKinds);
}

TEST_F(GivenBookTest, AFileThatIsDamagedCountsForNothing) {
  book_.Given(kPeer, {"a", "/s", ""});
  book_.Flush(true);
  CDGATE_ASSERT_OK(
      base::WriteFileAtomically(base::JoinPath(folder(), "beta.example.pb"), "\xff\xff\xff"));
  EXPECT_THAT(OnDisk(), IsEmpty());
}

TEST_F(GivenBookTest, WhatCannotBeWrittenIsTriedAgain) {
  GivenBook book(dir_.File("other"), clock_);  // whose folder was not made
  book.Given(kPeer, {"a", "/s", ""});
  book.Flush(true);
  CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("other")));
  book.Flush(true);
  EXPECT_TRUE(base::FileExists(dir_.File("other/beta.example.pb")));
}

}  // namespace
}  // namespace cdgate::manager
