#include "gateway/delivery/frame_room.h"

#include <gtest/gtest.h>

#include <deque>

namespace cdgate::test {
namespace {

using delivery::FrameRoom;

TEST(FrameRoomTest, FewStreamsHaveLargeFrames) {
  FrameRoom room;
  const FrameRoom::Place one = room.Take();
  EXPECT_EQ(one.bytes(), FrameRoom::kMostBytes);
}

TEST(FrameRoomTest, ManyHoldNoMoreThanAllMayTogetherUntilEachHasTheLeast) {
  FrameRoom room;
  std::deque<FrameRoom::Place> places;
  for (size_t n = 1; n <= 2000; ++n) {
    const size_t bytes = places.emplace_back(room).bytes();
    EXPECT_GE(bytes, FrameRoom::kLeastBytes);
    EXPECT_LE(bytes, FrameRoom::kMostBytes);
    if (bytes > FrameRoom::kLeastBytes) {
      EXPECT_LE(n * bytes, FrameRoom::kTotalBytes);
    }
  }
  EXPECT_EQ(places.front().bytes(), FrameRoom::kLeastBytes);
}

TEST(FrameRoomTest, WhoeverLeavesGivesRoomBack) {
  FrameRoom room;
  const FrameRoom::Place stays = room.Take();
  {
    std::deque<FrameRoom::Place> others;
    for (int i = 0; i < 1000; ++i) others.emplace_back(room);
    EXPECT_EQ(stays.bytes(), FrameRoom::kLeastBytes);
  }
  EXPECT_EQ(stays.bytes(), FrameRoom::kMostBytes);
}

}  // namespace
}  // namespace cdgate::test
