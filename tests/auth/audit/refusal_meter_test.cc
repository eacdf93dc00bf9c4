#include "auth/audit/refusal_meter.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cdgate::audit {
namespace {

const RefusalKey kMallory{.source = "mallory", .reason = "NOT_GRANTED", .where = "api"};
const RefusalKey kAnn{.source = "ann", .reason = "NOT_GRANTED", .where = "api"};

TEST(RefusalMeterTest, WhatExceedsTheRateIsCountedAndNothingIsLost) {
  RefusalMeter meter;
  uint64_t entries = 0;
  for (int i = 0; i < 1000; ++i) entries += meter.Take(kMallory, absl::ZeroDuration()) ? 1 : 0;
  EXPECT_EQ(entries, 20u);
  const auto counted = meter.Drain();
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].key.source, "mallory");
  EXPECT_EQ(counted[0].count, 980u);
  EXPECT_TRUE(meter.Drain().empty());
}

TEST(RefusalMeterTest, OneSourceDoesNotHideAnother) {
  RefusalMeter meter;
  for (int i = 0; i < 1000; ++i) meter.Take(kMallory, absl::ZeroDuration());
  EXPECT_TRUE(meter.Take(kAnn, absl::ZeroDuration()));
}

TEST(RefusalMeterTest, TimeGivesASourceItsRateAgain) {
  RefusalMeter meter;
  for (int i = 0; i < 100; ++i) meter.Take(kMallory, absl::ZeroDuration());
  EXPECT_FALSE(meter.Take(kMallory, absl::Milliseconds(900)));
  EXPECT_TRUE(meter.Take(kMallory, absl::Milliseconds(2000)));
}

TEST(RefusalMeterTest, ManySourcesTogetherAreBoundedInEntriesAndMemory) {
  RefusalMeter meter;
  uint64_t entries = 0;
  for (int i = 0; i < 100'000; ++i) {
    const RefusalKey key{.source = absl::StrCat("m", i), .reason = "NOT_GRANTED", .where = "api"};
    entries += meter.Take(key, absl::ZeroDuration()) ? 1 : 0;
  }
  EXPECT_EQ(entries, 200u);
  EXPECT_LE(meter.sources(), 1025u);
  uint64_t count = 0;
  const auto counted = meter.Drain();
  EXPECT_LE(counted.size(), 65u);
  for (const CountedRefusals& row : counted) count += row.count;
  EXPECT_EQ(count, 100'000u - entries);
}

TEST(RefusalMeterTest, QuietSourcesAreForgotten) {
  RefusalMeter meter;
  for (int i = 0; i < 1024; ++i) {
    meter.Take({.source = absl::StrCat("m", i), .reason = "R", .where = "api"},
               absl::ZeroDuration());
  }
  meter.Take(kAnn, absl::Minutes(1));
  EXPECT_EQ(meter.sources(), 1u);
}

}  // namespace
}  // namespace cdgate::audit
