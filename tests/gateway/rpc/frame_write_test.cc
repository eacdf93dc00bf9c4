#include "gateway/rpc/frame_write.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace cdgate::rpc {
namespace {

TEST(FrameWriteTest, NobodyIsToldOfAFrameThatNobodyWaitsFor) {
  FrameWrite write;
  write.Begin();
  EXPECT_FALSE(write.Take());
  EXPECT_FALSE(write.Finish());
  EXPECT_TRUE(write.Take());
  EXPECT_FALSE(write.Take());
}

TEST(FrameWriteTest, WhoWaitsIsToldOnce) {
  FrameWrite write;
  write.Begin();
  EXPECT_TRUE(write.Await());
  EXPECT_TRUE(write.Await());  // still
  EXPECT_TRUE(write.Finish());
  EXPECT_TRUE(write.Take());
  EXPECT_FALSE(write.Take());
  write.Begin();
  EXPECT_FALSE(write.Finish());
}

TEST(FrameWriteTest, WhatLeftIsNotWaitedFor) {
  FrameWrite write;
  write.Begin();
  EXPECT_FALSE(write.Finish());
  EXPECT_FALSE(write.Await());
  EXPECT_TRUE(write.Take());
}

// Each frame is told or found by who waits for it, whatever comes first.
TEST(FrameWriteTest, NoFrameIsMissed) {
  constexpr int kFrames = 2000;
  FrameWrite write;
  std::atomic<int> begun{0}, told{0};
  std::thread transport([&] {
    for (int i = 1; i <= kFrames; ++i) {
      while (begun < i) std::this_thread::yield();
      if (write.Finish()) ++told;
    }
  });
  for (int i = 1; i <= kFrames; ++i) {
    const int told_before = told;
    write.Begin();
    ++begun;
    if (write.Await()) {
      while (told == told_before) std::this_thread::yield();
    }
    EXPECT_TRUE(write.Take());
  }
  transport.join();
}

}  // namespace
}  // namespace cdgate::rpc
