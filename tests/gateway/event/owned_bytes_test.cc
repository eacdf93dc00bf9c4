#include "gateway/event/owned_bytes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace cdgate::event {
namespace {

void Append(absl::string_view text, OwnedBytes* bytes) {
  std::memcpy(bytes->Extend(text.size()), text.data(), text.size());
}

TEST(OwnedBytesTest, IsEmptyAtFirst) {
  const OwnedBytes bytes;
  EXPECT_EQ(bytes.view(), "");
  EXPECT_EQ(bytes.room(), 0u);
}

TEST(OwnedBytesTest, IsExtendedWhereItIs) {
  OwnedBytes bytes("ab", 4);
  const char* const at = bytes.view().data();
  Append("cd", &bytes);
  EXPECT_EQ(bytes.view(), "abcd");
  EXPECT_EQ(bytes.view().data(), at);
  EXPECT_EQ(bytes.room(), 2u);
}

TEST(OwnedBytesTest, AMoveLeavesTheBytesWhereTheyAre) {
  OwnedBytes from("abc", 1);
  const absl::string_view view = from.view();
  OwnedBytes to = std::move(from);
  EXPECT_EQ(to.view().data(), view.data());
  EXPECT_EQ(to.room(), 1u);
  OwnedBytes assigned("x");
  assigned = std::move(to);
  EXPECT_EQ(assigned.view().data(), view.data());
}

TEST(OwnedBytesTest, ACopyHasMemoryOfItsOwn) {
  OwnedBytes from("abc", 8);
  OwnedBytes copy = from;
  EXPECT_EQ(copy.room(), 0u);
  Append("d", &from);
  EXPECT_EQ(copy.view(), "abc");
  EXPECT_NE(copy.view().data(), from.view().data());
}

TEST(ByteArenaTest, WhatItGivesDoesNotOverlap) {
  ByteArena arena;
  OwnedBytes first = arena.Take(4);
  OwnedBytes second = arena.Take(4);
  Append("aaaa", &first);
  Append("bbbb", &second);
  EXPECT_EQ(first.room(), 0u);
  EXPECT_EQ(first.view(), "aaaa");
  EXPECT_EQ(second.view(), "bbbb");
}

TEST(ByteArenaTest, TakesTheNextPieceWhereOneIsFull) {
  ByteArena arena;
  std::vector<OwnedBytes> all;
  const std::string text(1000, 'x');
  for (size_t i = 0; i < 3 * ByteArena::kPieceBytes / text.size(); ++i) {
    all.push_back(arena.Take(text.size()));
    Append(text, &all.back());
  }
  for (const OwnedBytes& bytes : all) EXPECT_EQ(bytes.view(), text);
}

TEST(ByteArenaTest, ALargeOneIsAloneInItsMemory) {
  ByteArena arena;
  const OwnedBytes before = arena.Take(10);
  OwnedBytes large = arena.Take(2 * ByteArena::kPieceBytes);
  const OwnedBytes after = arena.Take(10);
  EXPECT_EQ(large.room(), 2 * ByteArena::kPieceBytes);
  Append(std::string(large.room(), 'x'), &large);
  EXPECT_EQ(after.view().data(), before.view().data() + 10);  // as if it had not been there
}

TEST(ByteArenaTest, WhatItGaveOutlivesIt) {
  OwnedBytes bytes;
  {
    ByteArena arena;
    bytes = arena.Take(3);
    Append("abc", &bytes);
  }
  EXPECT_EQ(bytes.view(), "abc");
}

}  // namespace
}  // namespace cdgate::event
