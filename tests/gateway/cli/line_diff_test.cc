#include "gateway/cli/line_diff.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/random.h"

namespace cdgate::cli {
namespace {

std::string Diff(const std::string& before, const std::string& after) {
  return UnifiedDiff(before, after, "old", "new");
}

TEST(LineDiffTest, NothingWhereTheTextsAreTheSame) {
  EXPECT_EQ(Diff("", ""), "");
  EXPECT_EQ(Diff("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(Diff("a\nb", "a\nb\n"), "");
}

TEST(LineDiffTest, ShowsThreeLinesAroundAChange) {
  EXPECT_EQ(Diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(LineDiffTest, FromAndToNothing) {
  EXPECT_EQ(Diff("", "a\nb\n"), "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(Diff("a\n", ""), "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n");
}

TEST(LineDiffTest, ChangesFarApartAreHunksOfTheirOwn) {
  std::string before;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&before, i, "\n");
  std::string after = absl::StrCat("first\n", before, "last\n");
  const std::string diff = Diff(before, after);
  EXPECT_EQ(diff,
            "--- old\n+++ new\n@@ -1,3 +1,4 @@\n+first\n 0\n 1\n 2\n"
            "@@ -28,3 +29,4 @@\n 27\n 28\n 29\n+last\n");
}

// Reads the diff as `patch` would.
std::string Patch(const std::string& before, const std::string& diff) {
  const std::vector<std::string> old = absl::StrSplit(before, '\n');
  std::string out;
  size_t at = 0;
  for (const absl::string_view line : absl::StrSplit(diff, '\n')) {
    if (line.empty() || line.substr(0, 4) == "--- " || line.substr(0, 4) == "+++ ") continue;
    if (line[0] == '@') {
      const std::string numbers(line.substr(4));
      size_t start = std::stoul(numbers);
      const bool empty = numbers.substr(0, numbers.find(' ')).find(",0") != std::string::npos;
      if (!empty) --start;
      for (; at < start; ++at) absl::StrAppend(&out, old[at], "\n");
      continue;
    }
    if (line[0] != '+') {
      EXPECT_EQ(old[at], line.substr(1));
      ++at;
    }
    if (line[0] != '-') absl::StrAppend(&out, line.substr(1), "\n");
  }
  for (; at + 1 < old.size(); ++at) absl::StrAppend(&out, old[at], "\n");
  return out;
}

TEST(LineDiffTest, AppliedToTheOldTextGivesTheNewOne) {
  test::Random random(7);
  for (int round = 0; round < 2000; ++round) {
    const auto text = [&] {
      std::string out;
      for (size_t n = random.Below(14); n > 0; --n) absl::StrAppend(&out, random.Below(4), "\n");
      return out;
    };
    const std::string before = text();
    const std::string after = text();
    const std::string diff = Diff(before, after);
    ASSERT_EQ(diff.empty() ? before : Patch(before, diff), after) << before << "\n" << diff;
  }
}

TEST(LineDiffTest, TextsWithNothingInCommonAreOneChange) {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) absl::StrAppend(&before, "a", i, "\n");
  for (int i = 0; i < 3000; ++i) absl::StrAppend(&after, "b", i, "\n");
  const std::string diff = Diff(before, after);
  EXPECT_EQ(Patch(before, diff), after);
}

}  // namespace
}  // namespace cdgate::cli
