#include "gateway/base/types.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "gateway/base/clock.h"
#include "gateway/base/random.h"

namespace cdgate::base {
namespace {

TEST(TypesTest, SequencesCountAndCompare) {
  EXPECT_EQ(Sequence{}.value(), 0u);
  EXPECT_EQ(Sequence{41}.Next(), Sequence{42});
  EXPECT_EQ(Sequence{40}.Plus(2), Sequence{42});
  EXPECT_LT(Sequence{9}, Sequence{10});
}

TEST(TypesTest, KindsDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<Sequence, Position>));
  EXPECT_FALSE((std::is_convertible_v<uint64_t, Sequence>));
  EXPECT_FALSE((std::is_convertible_v<std::string, Epoch>));
}

TEST(TypesTest, EpochsCompareByText) {
  EXPECT_EQ(Epoch("a"), Epoch("a"));
  EXPECT_NE(Epoch("a"), Epoch("b"));
  EXPECT_TRUE(Epoch().empty());
}

TEST(ClockTest, MonotonicTimeDoesNotGoBack) {
  const absl::Duration first = SystemClock().Monotonic();
  EXPECT_LE(first, SystemClock().Monotonic());
  EXPECT_GT(SystemClock().Now(), absl::FromUnixSeconds(1700000000));
}

TEST(RandomTest, BytesDifferAndUnitsStayInRange) {
  EXPECT_EQ(SystemRandom().Bytes(16).size(), 16u);
  EXPECT_NE(SystemRandom().Bytes(16), SystemRandom().Bytes(16));
  EXPECT_EQ(SystemRandom().Bytes(0), "");
  for (int i = 0; i < 1000; ++i) {
    const double unit = SystemRandom().Unit();
    EXPECT_GE(unit, 0.0);
    EXPECT_LT(unit, 1.0);
  }
}

}  // namespace
}  // namespace cdgate::base
