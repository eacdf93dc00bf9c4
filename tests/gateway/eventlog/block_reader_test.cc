#include "gateway/eventlog/segments/block_reader.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using eventlog::BlockReader;
using Way = BlockReader::Way;

// Longer than two steps, and not whole blocks.
constexpr size_t kBytes = 700'001;

std::string Text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

class BlockReaderTest : public testing::TestWithParam<Way> {
 protected:
  BlockReaderTest() { WriteBytes(path_, text_); }

  BlockReader Open() {
    BlockReader reader;
    EXPECT_EQ(reader.Open(path_, GetParam()), 0);
    return reader;
  }

  // "none" where it is not there.
  static std::string Read(BlockReader& reader, uint64_t offset, size_t size) {
    std::string out(size, '-');
    return reader.Read(offset, size, out.data()) ? out : "none";
  }

  TempDir dir_;
  const std::string path_ = dir_.File("file");
  const std::string text_ = Text(kBytes);
};

TEST_P(BlockReaderTest, PiecesOfEverySizeOneBehindTheOther) {
  BlockReader reader = Open();
  size_t at = 0;
  for (const size_t size : {1, 40, 4055, 4096, 100'000, 0, 262'144, 300'000, 29'665}) {
    EXPECT_EQ(Read(reader, at, size), text_.substr(at, size)) << "at " << at;
    at += size;
  }
  EXPECT_EQ(at, kBytes);
}

TEST_P(BlockReaderTest, AnyPlace) {
  BlockReader reader = Open();
  for (const size_t at : {699'990, 5, 262'140, 4095, 524'287, 0}) {
    EXPECT_EQ(Read(reader, at, 11), text_.substr(at, 11)) << "at " << at;
  }
}

TEST_P(BlockReaderTest, NothingBehindTheEnd) {
  BlockReader reader = Open();
  EXPECT_EQ(Read(reader, kBytes, 1), "none");
  EXPECT_EQ(Read(reader, kBytes - 1, 2), "none");
  EXPECT_EQ(Read(reader, 10'000'000, 1), "none");
  EXPECT_EQ(Read(reader, kBytes - 1, 1), text_.substr(kBytes - 1));
}

TEST_P(BlockReaderTest, WhatComesLaterIsReadWhenItIsReached) {
  BlockReader reader = Open();
  EXPECT_EQ(Read(reader, kBytes - 3, 3), text_.substr(kBytes - 3));
  std::ofstream(path_, std::ios::binary | std::ios::app) << std::string(5000, 'n');
  EXPECT_EQ(Read(reader, kBytes, 5000), std::string(5000, 'n'));
}

TEST_P(BlockReaderTest, GoesOnWhereItIsMovedTo) {
  BlockReader reader = Open();
  EXPECT_EQ(Read(reader, 100, 3), text_.substr(100, 3));
  BlockReader other = std::move(reader);
  EXPECT_EQ(Read(other, 103, 3), text_.substr(103, 3));
  EXPECT_EQ(Read(other, 600'000, 3), text_.substr(600'000, 3));
}

TEST_P(BlockReaderTest, SaysWhyItCannotOpen) {
  BlockReader reader;
  EXPECT_EQ(reader.Open(dir_.File("none"), GetParam()), ENOENT);
}

INSTANTIATE_TEST_SUITE_P(Ways, BlockReaderTest, testing::Values(Way::kLookup, Way::kStream),
                         [](const auto& way) {
                           return way.param == Way::kStream ? "Stream" : "Lookup";
                         });

}  // namespace
}  // namespace cdgate::test
