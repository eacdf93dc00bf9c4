#include "gateway/base/process_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gateway/eventlog/segment_files.h"
#include "tests/support/temp_dir.h"

namespace cdgate::test {
namespace {

using base::AddressRange;
using base::UnchangedFileMappings;

std::string Mapping(const std::string& head, int anonymous, int swap) {
  return absl::StrCat(head, "\nSize:   4 kB\nRss:   4 kB\nAnonymous:   ", anonymous,
                      " kB\nSwap:   ", swap, " kB\nVmFlags: rd ex mr\n");
}

constexpr char kText[] = "7f10-7f20 r-xp 00001000 fe:00 1234     /usr/lib/one.so";

size_t Found(const std::string& smaps) { return UnchangedFileMappings(smaps).size(); }

TEST(UnchangedFileMappingsTest, TextAndConstantsOfFiles) {
  const std::vector<AddressRange> found = UnchangedFileMappings(
      absl::StrCat(Mapping(kText, 0, 0), Mapping("ab000-ac000 r--p 0 fe:00 7  /opt/a file", 0, 0)));
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].begin, 0x7f10);
  EXPECT_EQ(found[0].end, 0x7f20);
  EXPECT_EQ(found[1].begin, 0xab000);
}

TEST(UnchangedFileMappingsTest, NothingThatWasChanged) {
  EXPECT_EQ(Found(Mapping(kText, 4, 0)), 0);  // relocated
  EXPECT_EQ(Found(Mapping(kText, 0, 4)), 0);  // relocated, and swapped out
}

TEST(UnchangedFileMappingsTest, NothingThatCanBeWrittenOrHasNoFile) {
  EXPECT_EQ(Found(Mapping("7f10-7f20 rw-p 0 fe:00 1 /usr/lib/one.so", 0, 0)), 0);
  EXPECT_EQ(Found(Mapping("7f10-7f20 r--s 0 fe:00 1 /usr/lib/one.so", 0, 0)), 0);
  EXPECT_EQ(Found(Mapping("7f10-7f20 r--p 00000000 00:00 0", 0, 0)), 0);
  EXPECT_EQ(Found(Mapping("7f10-7f20 r-xp 00000000 00:00 0 [vdso]", 0, 0)), 0);
}

TEST(UnchangedFileMappingsTest, NothingThatIsNotUnderstood) {
  EXPECT_EQ(Found(""), 0);
  EXPECT_EQ(Found(kText), 0);  // no figures
  EXPECT_EQ(Found(absl::StrCat(kText, "\nRss: 4 kB\n", Mapping(kText, 4, 0))), 0);
  EXPECT_EQ(Found(Mapping("7f10 r-xp 0 fe:00 1 /usr/lib/one.so", 0, 0)), 0);
  EXPECT_EQ(Found(Mapping("7g10-7f20 r-xp 0 fe:00 1 /usr/lib/one.so", 0, 0)), 0);
}

// Pages of `at` that are in memory of this process.
size_t Resident(const char* at, size_t bytes) {
  size_t resident = 0;
  const int pagemap = open("/proc/self/pagemap", O_RDONLY);
  for (size_t i = 0; i < bytes; i += 4096) {
    uint64_t entry = 0;
    const auto place = static_cast<off_t>((reinterpret_cast<uintptr_t>(at) + i) / 4096 * 8);
    EXPECT_EQ(pread(pagemap, &entry, sizeof entry, place), static_cast<ssize_t>(sizeof entry));
    resident += entry >> 63;
  }
  close(pagemap);
  return resident;
}

class ReleaseUnusedMemoryTest : public testing::Test {
 protected:
  static constexpr size_t kBytes = 64 << 10;

  ReleaseUnusedMemoryTest() { WriteBytes(path_, std::string(kBytes, 'x')); }
  ~ReleaseUnusedMemoryTest() override { munmap(at_, kBytes); }

  void Map(int protection) {
    const int fd = open(path_.c_str(), O_RDONLY);
    at_ = static_cast<char*>(mmap(nullptr, kBytes, protection, MAP_PRIVATE | MAP_POPULATE, fd, 0));
    close(fd);
    ASSERT_NE(at_, MAP_FAILED);
  }

  TempDir dir_;
  const std::string path_ = dir_.File("file");
  char* at_ = nullptr;
};

TEST_F(ReleaseUnusedMemoryTest, PagesOfAFileGoAndComeBack) {
  Map(PROT_READ);
  ASSERT_EQ(Resident(at_, kBytes), kBytes / 4096);
  base::ReleaseUnusedMemory();
  EXPECT_EQ(Resident(at_, kBytes), 0);
  EXPECT_EQ(std::string(at_, kBytes), std::string(kBytes, 'x'));
}

TEST_F(ReleaseUnusedMemoryTest, WhatWasChangedStays) {
  Map(PROT_READ | PROT_WRITE);
  at_[5000] = 'y';
  ASSERT_EQ(mprotect(at_, kBytes, PROT_READ), 0);
  base::ReleaseUnusedMemory();
  EXPECT_EQ(at_[5000], 'y');
  EXPECT_EQ(at_[5001], 'x');
}

TEST(ProcessTimeTest, GrowsWithWork) {
  const absl::Duration before = base::ProcessTime();
  while (base::ProcessTime() == before) {
  }
  EXPECT_GT(base::ProcessTime(), before);
}

}  // namespace
}  // namespace cdgate::test
