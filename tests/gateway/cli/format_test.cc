#include "gateway/cli/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "gateway/cli/exit.h"
#include "gateway/cli/progress.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

std::string Printed(const Table& table, bool terminal = false) {
  std::ostringstream out;
  table.Print(out, terminal);
  return out.str();
}

TEST(FitTest, CutsAtACharacterAndKeepsToOneLine) {
  EXPECT_EQ(Fit("abc", 3), "abc");
  EXPECT_EQ(Fit("abcd", 3), "ab…");
  EXPECT_EQ(Fit("äöü", 3), "äöü");
  EXPECT_EQ(Fit("äöüß", 3), "äö…");
  EXPECT_EQ(Fit("a\nb\x1b", 9), "a b ");
}

TEST(TableTest, AlignsColumnsAndShowsEmptyCells) {
  Table table({{"NAME"}, {"STATE"}});
  table.AddRow({"beta.example", "up"});
  table.AddRow({"é", ""});
  EXPECT_EQ(Printed(table), "NAME          STATE\nbeta.example  up\né             -\n");
}

TEST(TableTest, FitsOneHundredColumnsByCuttingOnlyWhatMayShrink) {
  Table table({{"ID"}, {"TEXT", Table::kShrinks}, {"OTHER", Table::kShrinks}});
  const std::string id(40, 'i');
  table.AddRow({id, std::string(200, 't'), std::string(30, 'o')});
  for (const absl::string_view line : absl::StrSplit(Printed(table), '\n')) {
    EXPECT_LE(Width(line), 100u);
  }
  EXPECT_NE(Printed(table).find(id), std::string::npos);
  EXPECT_NE(Printed(table).find("…"), std::string::npos);
}

TEST(TableTest, WhatMayNotShrinkIsNeverCut) {
  Table table({{"ID"}, {"TEXT", Table::kShrinks}});
  const std::string id(150, 'i');
  table.AddRow({id, "text of some length"});
  EXPECT_NE(Printed(table).find(id), std::string::npos);
}

TEST(TableTest, IsColouredOnATerminalOnly) {
  Table table({{"A"}});
  table.AddRow({"1"});
  EXPECT_EQ(Printed(table).find('\x1b'), std::string::npos);
  EXPECT_EQ(Printed(table, true).find("\x1b[1mA"), 0u);
}

TEST(TimeTest, RoundTripsThroughMessages) {
  const absl::Time time = absl::FromUnixMillis(1767323045678);
  EXPECT_EQ(ToTime(ToProto(time)), time);
  EXPECT_EQ(TimeText(time), "2026-01-02T03:04:05Z");
  EXPECT_EQ(TimeText(false, {}), "-");
  EXPECT_EQ(ToDuration(ToProto(absl::Milliseconds(-1500))), absl::Milliseconds(-1500));
}

TEST(ParseDurationFlagTest, NamesTheFlag) {
  EXPECT_EQ(ParseDurationFlag("--ttl", "7d").value(), absl::Hours(24 * 7));
  for (const char* bad : {"", "soon", "0s", "-1h", "7"}) {
    const absl::Status status = ParseDurationFlag("--ttl", bad).status();
    EXPECT_TRUE(IsUsageError(status)) << bad;
    EXPECT_NE(status.message().find("--ttl"), absl::string_view::npos);
  }
}

TEST(ReplaceInvalidUtf8Test, LeavesGoodTextAlone) {
  EXPECT_EQ(ReplaceInvalidUtf8("aé€😀"), "aé€😀");
  EXPECT_EQ(ReplaceInvalidUtf8("a\xff\xc3"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(ProgressTest, ShowsTheShareAndTheRate) {
  EXPECT_EQ(ProgressLine(50, 100, 2000, absl::Seconds(2)),
            "[===============>              ]  50%  2000 events  1000/s");
  EXPECT_EQ(ProgressLine(7, 0, 7, absl::Seconds(7)), "7 events  1/s");
  EXPECT_EQ(ProgressLine(5, 0, 5, absl::ZeroDuration()).substr(0, 8), "5 events");
}

TEST(ProgressTest, AppearsOnlyOnATerminalAndAfterAMoment) {
  test::FakeClock clock;
  std::ostringstream err;
  {
    Progress progress(err, true, clock);
    progress.Show(1, 10, 1);
    EXPECT_EQ(err.str(), "") << "too early";
    clock.Advance(absl::Seconds(2));
    progress.Show(2, 10, 2);
    const std::string once = err.str();
    EXPECT_NE(once.find("20%"), std::string::npos);
    progress.Show(3, 10, 3);
    EXPECT_EQ(err.str(), once) << "at most ten times a second";
  }
  EXPECT_EQ(err.str().substr(err.str().size() - 4), "\r\x1b[K") << "the bar is taken away";

  std::ostringstream file;
  Progress quiet(file, false, clock);
  clock.Advance(absl::Seconds(2));
  quiet.Show(5, 10, 5);
  EXPECT_EQ(file.str(), "");
}

}  // namespace
}  // namespace cdgate::cli
