#include "gateway/app/idle_trim.h"

#include <gtest/gtest.h>

namespace cdgate::test {
namespace {

using app::IdleTrim;

class IdleTrimTest : public testing::Test {
 protected:
  // Asks every two seconds, for so long, while `share` of a processor is used: how often it was
  // due.
  int Pass(absl::Duration time, double share) {
    int due = 0;
    for (const absl::Duration end = now_ + time; now_ < end;) {
      now_ += absl::Seconds(2);
      used_ += absl::Seconds(2) * share;
      due += trim_.IsDue(now_, used_) ? 1 : 0;
    }
    return due;
  }

  IdleTrim trim_;
  absl::Duration now_ = absl::Hours(5);
  absl::Duration used_ = absl::Seconds(1);
};

TEST_F(IdleTrimTest, OnceSoonAfterTheStart) {
  EXPECT_EQ(Pass(absl::Seconds(4), 0.001), 0);
  EXPECT_EQ(Pass(absl::Seconds(2), 0.001), 1);
  EXPECT_EQ(Pass(absl::Hours(24), 0.001), 0);
}

TEST_F(IdleTrimTest, NotWhileThereIsWork) {
  EXPECT_EQ(Pass(absl::Hours(1), 0.03), 0);
  EXPECT_EQ(Pass(absl::Seconds(4), 0.001), 1);
}

TEST_F(IdleTrimTest, AfterWorkAndAMinuteOfRest) {
  EXPECT_EQ(Pass(absl::Seconds(10), 0.001), 1);
  EXPECT_EQ(Pass(absl::Seconds(2), 0.5), 0);
  EXPECT_EQ(Pass(absl::Seconds(58), 0.001), 0);
  EXPECT_EQ(Pass(absl::Seconds(2), 0.001), 1);
  EXPECT_EQ(Pass(absl::Hours(24), 0.001), 0);
}

TEST_F(IdleTrimTest, WorkFromTimeToTimePutsItOff) {
  EXPECT_EQ(Pass(absl::Seconds(10), 0.001), 1);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Pass(absl::Seconds(2), 0.5), 0);
    EXPECT_EQ(Pass(absl::Seconds(40), 0.001), 0);
  }
}

}  // namespace
}  // namespace cdgate::test
