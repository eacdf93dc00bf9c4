#include "gateway/cli/start_flag.h"

#include <gtest/gtest.h>

#include "gateway/cli/exit.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

TEST(StartFlagTest, KnowsEveryForm) {
  EXPECT_TRUE(ParseStartFlag("")->position.latest());
  EXPECT_TRUE(ParseStartFlag("latest")->position.latest());
  EXPECT_TRUE(ParseStartFlag("earliest")->position.earliest());
  EXPECT_EQ(ParseStartFlag("42")->sequence, 42u);
  EXPECT_EQ(ParseStartFlag("2026-01-02T03:04:05Z")->position.time().seconds(), 1767323045);
  EXPECT_EQ(ParseStartFlag("abc:42")->position.after().epoch(), "abc");
  EXPECT_EQ(ParseStartFlag("abc:42")->position.after().sequence(), 42u);
}

TEST(StartFlagTest, ReadsThePositionItPrints) {
  events::v1::LogPosition position;
  position.set_epoch("e:1");
  position.set_sequence(7);
  const auto start = ParseStartFlag(PositionText(position));
  CDGATE_ASSERT_OK(start);
  EXPECT_EQ(start->position.after().epoch(), "e:1");
  EXPECT_EQ(start->position.after().sequence(), 7u);
}

TEST(StartFlagTest, RefusesTheRest) {
  for (const char* bad : {"0", "-1", "soon", ":4", "abc:", "2026-01-02", "4.5"}) {
    EXPECT_TRUE(IsUsageError(ParseStartFlag(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace cdgate::cli
