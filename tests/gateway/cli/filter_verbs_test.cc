// What `cdgate filter` says to people who write filters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kPlain[] =
    R"({"specversion":"1.0","id":"1","source":"/s","type":"my.type","n":3,"team":"core"})";

TEST(FilterCheckTest, ShowsWhereAnErrorIs) {
  const CliRun run = RunCli({"filter", "check", "type LIKE 'a%' AND\n  source LIKE b"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out,
            "not valid: line 2, column 15: expected a pattern in quotes after LIKE, found 'b'\n"
            "      source LIKE b\n"
            "                  ^\n");
  const CliRun dialect = RunCli({"filter", "check", R"({"exact": {"type": ""}})"});
  EXPECT_EQ(dialect.out,
            "not valid: line 1, column 20: expected a text, found an empty one\n"
            "    {\"exact\": {\"type\": \"\"}}\n"
            "                       ^\n");
}

TEST(FilterCheckTest, SaysWhatTheExpressionIs) {
  EXPECT_EQ(RunCli({"filter", "check", "type = 'x'"}).out, "valid: a condition\n");
  EXPECT_THAT(RunCli({"filter", "check", "CDEVENT('subject.id')"}).out,
              HasSubstr("true where the event gives it the Boolean true"));
  EXPECT_THAT(RunCli({"filter", "check", "type = 'x'", "-o", "json"}).out,
              AllOf(HasSubstr("\"valid\": true"), HasSubstr("\"type\": \"Boolean\""),
                    HasSubstr("\"warnings\": []")));
  EXPECT_THAT(RunCli({"filter", "check", "1 + 1", "-o", "json"}).out,
              AllOf(HasSubstr("\"valid\": false"), HasSubstr("\"type\": \"Integer\""),
                    HasSubstr("a condition is true or false")));
}

TEST(FilterCheckTest, WarnsOfPitfalls) {
  const CliRun run = RunCli({"filter", "check", "type = 'a' OR NOT team = 'b'"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, StartsWith("valid: a condition\n"
                                  "warning: line 1, column 15: NOT binds tighter than"));
  EXPECT_THAT(run.out, HasSubstr("    type = 'a' OR NOT team = 'b'\n"
                                 "                  ^\n"
                                 "warning: line 1, column 19: fails on events without"));
  const CliRun never = RunCli({"filter", "check", "type = 'a' AND type = 'b'", "-o", "json"});
  EXPECT_THAT(never.out, AllOf(HasSubstr("\"warnings\": [\n"), HasSubstr("\"column\": 1"),
                               HasSubstr("no event can make this true")));
}

TEST(FilterVerbsTest, TakeDialects) {
  const char* filter = R"([{"prefix": {"type": "my."}}, {"not": {"exact": {"absent": "x"}}}])";
  EXPECT_EQ(RunCli({"filter", "check", filter}).out, "valid: a condition\n");
  EXPECT_EQ(RunCli({"filter", "eval", filter}, kPlain).out, "true\n");
  EXPECT_EQ(RunCli({"filter", "eval", R"({"sql": "n - 3"})"}, kPlain).out, "false\n");
}

TEST(FilterVerbsTest, ReadExpressionsFromFiles) {
  test::TempDir dir;
  const std::string file = dir.File("filter.json");
  std::ofstream(file) << "{\"exact\":\n  {\"team\": \"core\"}}\n";
  EXPECT_EQ(RunCli({"filter", "check", "@" + file}).code, kExitDone);
  EXPECT_EQ(RunCli({"filter", "eval", "@" + file}, kPlain).out, "true\n");
  const CliRun absent = RunCli({"filter", "check", "@" + dir.File("absent")});
  EXPECT_EQ(absent.code, kExitUsage);
  EXPECT_THAT(absent.err, HasSubstr("absent"));
}

TEST(FilterEvalTest, ShowsWhereAnErrorIs) {
  const CliRun run = RunCli({"filter", "eval", "type = 'x' OR\n n + absent > 1"}, kPlain);
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.out, "false\n");
  EXPECT_EQ(run.err,
            "2:6: the event has no attribute absent (missingAttribute)\n"
            "     n + absent > 1\n"
            "         ^\n");
}

}  // namespace
}  // namespace cdgate::cli
