#include "gateway/eventlog/segments/block_writer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using eventlog::BlockWriter;
using eventlog::Disk;
using eventlog::kBlockBytes;
using eventlog::kMostZeros;
using eventlog::SystemDisk;

// A disk on which writes past the cache are refused, as by sectors that are too large.
class CachedOnlyDisk final : public Disk {
 public:
  int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    if (refusals-- > 0) return EINVAL;
    return SystemDisk().Write(fd, offset, pieces);
  }
  int Sync(int fd) override { return SystemDisk().Sync(fd); }

  int refusals = 1;
};

// Counts what is written, and has room for so many bytes.
class SmallDisk final : public Disk {
 public:
  int Write(int fd, uint64_t offset, absl::Span<const absl::string_view> pieces) override {
    written = 0;
    for (const absl::string_view piece : pieces) written += piece.size();
    if (offset + written > room) return ENOSPC;
    return SystemDisk().Write(fd, offset, pieces);
  }
  int Sync(int fd) override { return SystemDisk().Sync(fd); }

  size_t room = SIZE_MAX;
  size_t written = 0;  // by the last Write()
};

class BlockWriterTest : public testing::Test {
 protected:
  // What comes after `whole` in its file: zeros.
  void ExpectFile(const std::string& whole) {
    const std::string bytes = ReadBytes(path_);
    EXPECT_EQ(bytes.size() % kBlockBytes, 0u);
    EXPECT_LT(bytes.size(), whole.size() + kMostZeros);
    EXPECT_EQ(bytes.substr(0, whole.size()), whole);
    EXPECT_EQ(bytes.find_first_not_of('\0', whole.size()), std::string::npos);
  }

  static std::string Text(size_t size, char first) {
    std::string text(size, first);
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(first + i % 23);
    return text;
  }

  TempDir dir_;
  const std::string path_ = dir_.File("file");
  BlockWriter writer_{SystemDisk()};
};

TEST_F(BlockWriterTest, PiecesOfEverySizeComeOneBehindTheOther) {
  ASSERT_EQ(writer_.Make(path_, 1 << 20), 0);
  std::string whole;
  for (const size_t size : {1, 30, 4065, 4096, 4095, 1, 8192, 100'000, 0, 3, 1 << 20, 3'000'000}) {
    const std::string one = Text(size / 2, 'a');
    const std::string other = Text(size - size / 2, 'A');
    ASSERT_EQ(writer_.Append({one, other}), 0) << size;
    whole += one + other;
    ExpectFile(whole);
  }
}

// So that the next ones change neither the file's size nor the map of its blocks.
TEST_F(BlockWriterTest, SmallAppendsAreWrittenIntoZerosThatAreThere) {
  SmallDisk disk;
  BlockWriter writer(disk);
  ASSERT_EQ(writer.Make(path_, 1 << 20), 0);
  ASSERT_EQ(writer.Append({Text(1000, 'a')}), 0);
  const size_t size = ReadBytes(path_).size();
  EXPECT_GT(size, 100'000u);
  EXPECT_EQ(disk.written, size);
  std::string whole = Text(1000, 'a');
  while (whole.size() + 5000 < size) {
    ASSERT_EQ(writer.Append({Text(5000, 'A')}), 0);
    whole += Text(5000, 'A');
    EXPECT_LE(disk.written, 3 * kBlockBytes);
  }
  EXPECT_EQ(ReadBytes(path_).size(), size);
  ExpectFile(whole);
  ASSERT_EQ(writer.Append({Text(5000, 'b')}), 0);
  EXPECT_GT(ReadBytes(path_).size(), size) << "and there are more";
  ExpectFile(whole + Text(5000, 'b'));
}

// They would be written twice.
TEST_F(BlockWriterTest, LargeAppendsLeaveTheirBlockFull) {
  ASSERT_EQ(writer_.Make(path_, 1 << 20), 0);
  ASSERT_EQ(writer_.Append({Text(100'001, 'a')}), 0);
  EXPECT_EQ(ReadBytes(path_).size(), 25 * kBlockBytes);
  ExpectFile(Text(100'001, 'a'));
}

TEST_F(BlockWriterTest, ADiskWithoutRoomForZerosTakesWhatIsAppended) {
  SmallDisk disk;
  disk.room = 2 * kBlockBytes;
  BlockWriter writer(disk);
  ASSERT_EQ(writer.Make(path_, 0), 0);
  ASSERT_EQ(writer.Append({Text(5000, 'a')}), 0);
  ASSERT_EQ(writer.Append({Text(3000, 'b')}), 0);
  ExpectFile(Text(5000, 'a') + Text(3000, 'b'));
  EXPECT_EQ(writer.Append({Text(3000, 'c')}), ENOSPC);
}

TEST_F(BlockWriterTest, GoesOnWithinABlock) {
  ASSERT_EQ(writer_.Make(path_, 0), 0);
  const std::string before = Text(10'000, 'a');
  ASSERT_EQ(writer_.Append({before}), 0);
  writer_.Close();
  for (const size_t at : {9'999, 5'000, 4'096, 4'095, 0}) {
    BlockWriter writer(SystemDisk());
    ASSERT_EQ(writer.Open(path_), 0);
    ASSERT_EQ(writer.Seek(at), 0);
    ASSERT_EQ(writer.Append({"more"}), 0);
    ASSERT_EQ(writer.Cut(), 0);
    EXPECT_EQ(ReadBytes(path_), before.substr(0, at) + "more");
  }
}

TEST_F(BlockWriterTest, ASeekBehindTheEndIsAnError) {
  ASSERT_EQ(writer_.Make(path_, 0), 0);
  ASSERT_EQ(writer_.Append({"abc"}), 0);
  ASSERT_EQ(writer_.Cut(), 0);
  EXPECT_NE(writer_.Seek(100), 0);
}

TEST_F(BlockWriterTest, ACutFileIsAsLongAsWhatWasAppended) {
  ASSERT_EQ(writer_.Make(path_, 1 << 20), 0);
  ASSERT_EQ(writer_.Append({Text(5000, 'a')}), 0);
  ASSERT_EQ(writer_.Cut(), 0);
  EXPECT_EQ(ReadBytes(path_), Text(5000, 'a'));
  ASSERT_EQ(writer_.Append({"b"}), 0) << "and can go on";
  ExpectFile(Text(5000, 'a') + "b");
}

TEST_F(BlockWriterTest, AFileIsMadeOnce) {
  ASSERT_EQ(writer_.Make(path_, 0), 0);
  EXPECT_EQ(BlockWriter(SystemDisk()).Make(path_, 0), EEXIST);
  EXPECT_EQ(BlockWriter(SystemDisk()).Open(dir_.File("none")), ENOENT);
}

// A log has a writer for each of its files.
TEST_F(BlockWriterTest, OneThatIsClosedHoldsNothing) {
  ASSERT_EQ(writer_.Make(path_, 0), 0);
  ASSERT_EQ(writer_.Append({"abc"}), 0);
  EXPECT_GT(writer_.held_bytes(), 0u);
  ASSERT_EQ(writer_.Cut(), 0);
  writer_.Close();
  EXPECT_EQ(writer_.held_bytes(), 0u);
  EXPECT_EQ(writer_.Append({"d"}), EBADF);
  ASSERT_EQ(writer_.Open(path_), 0);
  ASSERT_EQ(writer_.Seek(3), 0);
  ASSERT_EQ(writer_.Append({"d"}), 0) << "and can go on";
  ExpectFile("abcd");
}

TEST_F(BlockWriterTest, WritesThroughTheCacheWhereItCannotBePassedBy) {
  CachedOnlyDisk disk;
  BlockWriter writer(disk);
  ASSERT_EQ(writer.Make(path_, 0), 0);
  ASSERT_EQ(writer.Append({Text(5000, 'a')}), 0);
  ASSERT_EQ(writer.Append({"b"}), 0);
  ExpectFile(Text(5000, 'a') + "b");
}

}  // namespace
}  // namespace cdgate::test
