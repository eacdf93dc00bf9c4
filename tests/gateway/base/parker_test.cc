#include "gateway/base/parker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace cdgate::base {
namespace {

TEST(ParkerTest, AWakeThatNobodyWaitsForCountsForTheNextPark) {
  Parker parker;
  parker.Wake();
  parker.Wake();
  parker.Park();
  parker.Park();
}

TEST(ParkerTest, EachParkEndsWithAWakeOfItsOwn) {
  constexpr int kTurns = 10'000;
  Parker parker, answer;
  std::atomic<int> woken{0};
  std::thread sleeper([&] {
    for (int i = 0; i < kTurns; ++i) {
      parker.Park();
      ++woken;
      answer.Wake();
    }
  });
  for (int i = 0; i < kTurns; ++i) {
    EXPECT_EQ(woken, i);
    parker.Wake();
    answer.Park();
  }
  sleeper.join();
}

}  // namespace
}  // namespace cdgate::base
