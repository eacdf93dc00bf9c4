#include "gateway/base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "gateway/base/errors.h"

namespace cdgate::base {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class LoggingTest : public testing::Test {
 protected:
  // What `log` writes to standard error in `format`.
  template <typename F>
  std::string Written(LogFormat format, LogLevel least, F log) {
    testing::internal::CaptureStderr();
    InitLogging(least, format);
    log();
    std::string text = testing::internal::GetCapturedStderr();
    InitLogging(LogLevel::kError, LogFormat::kText);
    return text;
  }
};

TEST_F(LoggingTest, JsonIsOneObjectALine) {
  const std::string line = Written(LogFormat::kJson, LogLevel::kInfo, [] {
    Log(LogLevel::kInfo, "link up", {{"peer", "beta.example"}, {"note", "a \"b\"\n\\"}});
  });
  EXPECT_THAT(line, ContainsRegex("^\\{\"time\":\"20[0-9TZ:.-]+\",\"level\":\"info\","));
  EXPECT_THAT(line, HasSubstr("\"message\":\"link up\",\"peer\":\"beta.example\","
                              "\"note\":\"a \\\"b\\\"\\u000a\\\\\"}\n"));
}

TEST_F(LoggingTest, TextQuotesOnlyWhatNeedsIt) {
  const std::string line = Written(LogFormat::kText, LogLevel::kInfo, [] {
    Log(LogLevel::kInfo, "link up", {{"peer", "beta.example"}, {"why", "two words"}, {"e", ""}});
  });
  EXPECT_THAT(line, HasSubstr("link up  peer=beta.example  why=\"two words\"  e=\"\"\n"));
}

TEST_F(LoggingTest, ErrorsCarryTheirReason) {
  const std::string line = Written(LogFormat::kText, LogLevel::kInfo, [] {
    LogError(LogLevel::kWarning, "link down", MakeError(Reason::kHeartbeatLost, "silent"),
             {{"peer", "beta.example"}});
  });
  EXPECT_THAT(line, HasSubstr("peer=beta.example  reason=heartbeat_lost  error=silent\n"));
}

TEST_F(LoggingTest, WritesNothingBelowTheLevel) {
  EXPECT_EQ(Written(LogFormat::kText, LogLevel::kWarning, [] { Log(LogLevel::kInfo, "quiet"); }),
            "");
  const std::string changed = Written(LogFormat::kText, LogLevel::kWarning, [] {
    SetLogLevel(LogLevel::kDebug);
    Log(LogLevel::kDebug, "heard");
  });
  EXPECT_THAT(changed, HasSubstr("heard"));
}

// gRPC's threads are not ended with the process, and log.
TEST_F(LoggingTest, WritesToTheVeryEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atexit([] { Log(LogLevel::kWarning, "the statics are gone"); });
        InitLogging(LogLevel::kInfo, LogFormat::kText);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "the statics are gone");
}

TEST_F(LoggingTest, ParsesLevels) {
  bool known = false;
  EXPECT_EQ(ParseLogLevel("warning", &known), LogLevel::kWarning);
  EXPECT_TRUE(known);
  EXPECT_EQ(ParseLogLevel("loud", &known), LogLevel::kInfo);
  EXPECT_FALSE(known);
}

}  // namespace
}  // namespace cdgate::base
