#include "gateway/config/scalars.h"

#include <gtest/gtest.h>

#include "gateway/config/suggestion.h"

namespace cdgate::config {
namespace {

TEST(ScalarsTest, ReadsDurations) {
  EXPECT_EQ(config::ParseDuration("90s"), absl::Seconds(90));
  EXPECT_EQ(config::ParseDuration("15m"), absl::Minutes(15));
  EXPECT_EQ(config::ParseDuration("24h"), absl::Hours(24));
  EXPECT_EQ(config::ParseDuration("7d"), absl::Hours(168));
  EXPECT_EQ(config::ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(config::ParseDuration("1s500ms"), absl::Milliseconds(1500));
  EXPECT_EQ(config::ParseDuration("0s"), absl::ZeroDuration());
  EXPECT_EQ(config::ParseDuration("3650000d"), absl::Hours(24 * 3'650'000));
}

TEST(ScalarsTest, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "90", "s", "-5s", "+5s", "1.5h", "5 s", "5s ", "5S", "5sec", "30m1h",
                           "1h1h", "1w", "1y", "3650001d", "99999999999999999999d", "inf"}) {
    EXPECT_EQ(config::ParseDuration(text), std::nullopt) << text;
  }
}

TEST(ScalarsTest, FormattedDurationsReadBack) {
  const struct {
    absl::Duration duration;
    const char* text;
  } kCases[] = {
      {absl::ZeroDuration(), "0s"}, {absl::Seconds(90), "1m30s"},
      {absl::Hours(168), "7d"},     {absl::Nanoseconds(1'500'001), "1ms500us1ns"},
      {absl::Hours(25), "1d1h"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(config::FormatDuration(c.duration), c.text);
    EXPECT_EQ(config::ParseDuration(c.text), c.duration);
  }
}

TEST(ScalarsTest, ReadsSizes) {
  EXPECT_EQ(ParseSize("0"), 0u);
  EXPECT_EQ(ParseSize("65536"), 65536u);
  EXPECT_EQ(ParseSize("64KiB"), 65536u);
  EXPECT_EQ(ParseSize("10MB"), 10'000'000u);
  EXPECT_EQ(ParseSize("5B"), 5u);
  EXPECT_EQ(ParseSize("2GiB"), 1ull << 31);
  EXPECT_EQ(ParseSize("16777215TiB"), 16777215ull << 40);
  EXPECT_EQ(ParseSize("18446744073709551615"), UINT64_MAX);
}

TEST(ScalarsTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "KiB", "-1", "1.5MB", "1 MB", "1mb", "1k", "1K", "1PiB",
                           "16777216TiB", "18446744073709551616", "0x10"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(ScalarsTest, ReadsAndWritesTimestamps) {
  EXPECT_EQ(config::FormatTimestamp(*ParseTimestamp("2026-01-02T03:04:05.5+01:00")),
            "2026-01-02T02:04:05.5Z");
  for (const char* text : {"", "now", "2026-01-02", "2026-01-02T03:04:05", "infinite-future",
                           "-1-01-01T00:00:00Z", "12026-01-01T00:00:00Z"}) {
    EXPECT_EQ(ParseTimestamp(text), std::nullopt) << text;
  }
}

TEST(SuggestionTest, FindsTheNameThatWasMeant) {
  const std::vector<std::string> known = {"listeners", "limits", "log", "logging", "links"};
  EXPECT_EQ(ClosestName("listner", known), "listeners");
  EXPECT_EQ(ClosestName("Limits", known), "limits");
  EXPECT_EQ(ClosestName("lgo", known), "log");
  EXPECT_EQ(ClosestName("loging", known), "logging");
  EXPECT_EQ(ClosestName("storage", known), "");
  EXPECT_EQ(ClosestName("", known), "");
  EXPECT_EQ(ClosestName(std::string(10'000, 'l'), known), "");
  EXPECT_EQ(DidYouMean("link", known), "; did you mean links");
}

}  // namespace
}  // namespace cdgate::config
