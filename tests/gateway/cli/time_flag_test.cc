#include "gateway/cli/time_flag.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace cdgate::cli {
namespace {

TEST(TimeFlagTest, IsATimeOrHowLongAgo) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(ParseTimeFlag("--since", "24h", now).value(), now - absl::Hours(24));
  EXPECT_EQ(ParseTimeFlag("--since", "7d", now).value(), now - absl::Hours(24 * 7));
  EXPECT_EQ(ParseTimeFlag("--since", "2026-01-01T00:00:00Z", now).value(),
            absl::FromUnixSeconds(1'767'225'600));
  for (const char* const wrong : {"", "x", "0s", "-1h", "12", "2026-01-01"}) {
    const auto parsed = ParseTimeFlag("--until", wrong, now);
    ASSERT_FALSE(parsed.ok()) << wrong;
    EXPECT_NE(parsed.status().message().find("--until"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace cdgate::cli
