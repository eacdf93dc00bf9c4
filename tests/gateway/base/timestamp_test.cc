#include "gateway/base/timestamp.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/time/time.h"

namespace cdgate::base {
namespace {

std::string Utc(absl::string_view text) {
  int64_t seconds;
  int32_t nanos;
  return ParseRfc3339(text, &seconds, &nanos) ? FormatRfc3339(seconds, nanos) : "refused";
}

TEST(TimestampTest, ReadsWhatRfc3339Allows) {
  EXPECT_EQ(Utc("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(Utc("2026-01-02t03:04:05z"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:05.678+01:00"), "2026-01-02T02:04:05.678Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:05-23:59"), "2026-01-03T03:03:05Z");
  EXPECT_EQ(Utc("2024-12-18T17:58:39.674637507+00:00"), "2024-12-18T17:58:39.674637507Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:05.1234567891234Z"), "2026-01-02T03:04:05.123456789Z");
  EXPECT_EQ(Utc("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00Z");
  EXPECT_EQ(Utc("2000-02-29T00:00:00Z"), "2000-02-29T00:00:00Z");
  EXPECT_EQ(Utc("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
  EXPECT_EQ(Utc("9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z");
}

TEST(TimestampTest, LeapSecondIsTheSecondAfterIt) {
  EXPECT_EQ(Utc("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z");
  EXPECT_EQ(Utc("2016-12-31T15:59:60.5-08:00"), "2017-01-01T00:00:00.5Z");
  EXPECT_EQ(Utc("2017-01-01T00:59:60+01:00"), "2017-01-01T00:00:00Z");
  EXPECT_EQ(Utc("2017-01-01T05:29:60+0530"), "2017-01-01T00:00:00Z");
  EXPECT_EQ(Utc("2016-12-31T12:00:60Z"), "refused");
  EXPECT_EQ(Utc("2016-12-31T23:59:60+01:00"), "refused");
  EXPECT_EQ(Utc("2016-12-31T23:59:61Z"), "refused");
}

TEST(TimestampTest, ReadsWhatTheSchemasTakeBeyondRfc3339) {
  const std::string date = "2026-01-02", time = "03:04:05Z";
  for (const char* space : {" ", "\t", "\n", "\v", "\f", "\r", "\u00a0", "\u1680", "\u2000",
                            "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"}) {
    EXPECT_EQ(Utc(date + space + time), "2026-01-02T03:04:05Z") << space;
    EXPECT_EQ(Utc(date + space + space + time), "refused") << space;
    EXPECT_EQ(Utc(date + "T" + space + time), "refused") << space;
  }
  for (const char* other : {"", "_", "\u0085", "\u180e", "\u200b", "\u2060", "\xe2\x80"}) {
    EXPECT_EQ(Utc(date + other + time), "refused") << other;
  }
  EXPECT_EQ(Utc("2026-01-02T03:04:05+0130"), "2026-01-02T01:34:05Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:05-01"), "2026-01-02T04:04:05Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:05-0000"), "2026-01-02T03:04:05Z");
}

// An hour or a minute that no clock has passes where the offset makes it 23:59 in UTC.
TEST(TimestampTest, HoursOver23StandForTheirInstant) {
  EXPECT_EQ(Utc("2026-01-02T24:59:05+01:00"), "2026-01-02T23:59:05Z");
  EXPECT_EQ(Utc("2026-01-02T46:59:05+23"), "2026-01-02T23:59:05Z");
  EXPECT_EQ(Utc("2026-01-02T23:99:05+00:40"), "2026-01-02T23:59:05Z");
  EXPECT_EQ(Utc("2026-01-02T24:00:60+00:01"), "2026-01-03T00:00:00Z");
  EXPECT_EQ(Utc("2026-01-02T24:58:05+01:00"), "refused");
  EXPECT_EQ(Utc("2026-01-02T24:59:05Z"), "refused");
  EXPECT_EQ(Utc("2026-01-02T24:59:61+01:00"), "refused");
}

// As a double, the second 59 with such a fraction is 60, and that is a leap second's.
TEST(TimestampTest, SecondsThatRoundUpAreLeapSeconds) {
  const std::string below = ".99999999999999644728632119949907064437866210937499999";
  const std::string tie = ".999999999999996447286321199499070644378662109375";
  EXPECT_EQ(Utc("2026-01-02T03:04:59" + below + "Z"), "2026-01-02T03:04:59.999999999Z");
  EXPECT_EQ(Utc("2026-01-02T03:04:59" + tie + "Z"), "refused");
  EXPECT_EQ(Utc("2026-01-02T23:59:59" + tie + "Z"), "2026-01-02T23:59:59.999999999Z");
  EXPECT_EQ(Utc("2026-01-02T23:59:60" + below + "Z"), "2026-01-03T00:00:00.999999999Z");
  EXPECT_EQ(Utc("2026-01-02T23:59:60" + tie + "Z"), "refused");
  EXPECT_EQ(Utc("2026-01-02T03:04:58" + tie + "Z"), "2026-01-02T03:04:58.999999999Z");
}

TEST(TimestampTest, TheYear0CanBeReadButNotHeld) {
  EXPECT_EQ(ReadDateTime("0000-02-29T00:00:00Z")->seconds, -62162121600);
  EXPECT_EQ(ReadDateTime("0000-01-01T00:00:00+23:59")->seconds, -62167305540);
  EXPECT_EQ(Utc("0000-12-31T23:59:59Z"), "refused");
  EXPECT_EQ(Utc("0000-12-31T23:00:00-01:00"), "0001-01-01T00:00:00Z");
}

TEST(TimestampTest, RefusesEverythingElse) {
  for (const char* text : {"",
                           "2026",
                           "2026-01-02",
                           "2026-01-02T03:04:05",
                           "2026-01-02  03:04:05Z",
                           "2026-01-02T03:04:05+1",
                           "2026-01-02T03:04:05+010",
                           "2026-01-02T03:04:05+01:",
                           "2026-01-02T03:04:05+01:0",
                           "2026-01-02T03:04:05+01:00:00",
                           "2026-01-02T03:04:05 Z",
                           "2026-01-02T03:04:05+24",
                           "2026-01-02T03:04:05+0060",
                           "2026-01-02T03:04Z",
                           "2026-01-02T03:04:05.Z",
                           "2026-01-02T03:04:05,5Z",
                           "2026-01-02T24:00:00Z",
                           "2026-01-02T03:60:05Z",
                           "2026-01-02T03:04:61Z",
                           "2026-13-02T03:04:05Z",
                           "2026-00-02T03:04:05Z",
                           "2026-02-30T03:04:05Z",
                           "2026-02-29T03:04:05Z",
                           "1900-02-29T03:04:05Z",
                           "2026-01-02T03:04:05+24:00",
                           "2026-01-02T03:04:05+00:60",
                           "2026-01-02T03:04:05Z ",
                           " 2026-01-02T03:04:05Z",
                           "26-01-02T03:04:05Z",
                           "+2026-01-02T03:04:05Z",
                           "0000-12-31T00:00:00Z",
                           "0001-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "infinite-future",
                           "2026-01-0\xd9\xa1T03:04:05Z"}) {
    EXPECT_EQ(Utc(text), "refused") << text;
  }
}

TEST(TimestampTest, AgreesWithTheTimeLibraryOnRandomInstants) {
  std::mt19937_64 rng(1);
  const absl::TimeZone zone = absl::FixedTimeZone(5 * 3600 + 45 * 60);
  for (int i = 0; i < 20000; ++i) {
    const int64_t at = static_cast<int64_t>(rng() % 315'537'000'000) - 62'135'500'000;
    const absl::Time time = absl::FromUnixSeconds(at);
    int64_t seconds;
    int32_t nanos;
    const std::string text = absl::FormatTime("%E4Y-%m-%dT%H:%M:%S%Ez", time, zone);
    ASSERT_TRUE(ParseRfc3339(text, &seconds, &nanos)) << text;
    ASSERT_EQ(seconds, at) << text;
  }
}

}  // namespace
}  // namespace cdgate::base
