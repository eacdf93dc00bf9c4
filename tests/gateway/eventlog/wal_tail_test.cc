#include "bench/logs/wal_tail.h"

#include <gtest/gtest.h>

#include <string>

namespace cdgate::test {
namespace {

using bench::Crc32c;
using bench::ScanWal;
using bench::WalTail;

constexpr size_t kBlock = 32768;

void AppendLittleEndian(uint32_t value, size_t n, std::string* out) {
  for (size_t i = 0; i < n; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// Writes as RocksDB does.
void AppendRecord(const std::string& payload, std::string* wal) {
  size_t at = 0;
  bool first = true;
  do {
    const size_t left = kBlock - wal->size() % kBlock;
    if (left < 7) {
      wal->append(left, '\0');
      continue;
    }
    const size_t length = std::min(left - 7, payload.size() - at);
    const bool last = at + length == payload.size();
    const char type = first ? (last ? 1 : 2) : (last ? 4 : 3);
    const std::string body = type + payload.substr(at, length);
    const uint32_t crc = Crc32c(body);
    AppendLittleEndian(((crc >> 15) | (crc << 17)) + 0xa282ead8u, 4, wal);
    AppendLittleEndian(static_cast<uint32_t>(length), 2, wal);
    wal->append(body);
    at += length;
    first = false;
  } while (at < payload.size());
}

TEST(WalTailTest, CrcIsTheCastagnoliOne) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST(WalTailTest, WholeRecordsAreGood) {
  std::string wal;
  for (const size_t size : {10u, 32000u, 500u, 100'000u, 3u})
    AppendRecord(std::string(size, 'x'), &wal);
  const WalTail tail = ScanWal(wal);
  EXPECT_EQ(tail.good_bytes, wal.size());
  EXPECT_EQ(tail.good_records, 5u);
  EXPECT_FALSE(tail.damaged_before_end);
}

TEST(WalTailTest, NothingIsAWholeLog) {
  EXPECT_EQ(ScanWal("").good_bytes, 0u);
  EXPECT_FALSE(ScanWal("").damaged_before_end);
}

TEST(WalTailTest, ATornLastRecordIsNoDamageBeforeTheEnd) {
  std::string wal;
  AppendRecord(std::string(1000, 'a'), &wal);
  const size_t good = wal.size();
  AppendRecord(std::string(100'000, 'b'), &wal);
  for (size_t size = good; size < wal.size(); size += 997) {
    const WalTail tail = ScanWal(absl::string_view(wal).substr(0, size));
    ASSERT_EQ(tail.good_bytes, good) << size;
    ASSERT_FALSE(tail.damaged_before_end) << size;
  }
}

TEST(WalTailTest, PagesMissingFromTheLastRecordAreNoDamageBeforeTheEnd) {
  std::string wal;
  AppendRecord(std::string(1000, 'a'), &wal);
  const size_t good = wal.size();
  AppendRecord(std::string(100'000, 'b'), &wal);
  for (size_t page = 4096; page + 4096 < wal.size(); page += 4096) {
    std::string torn = wal;
    torn.replace(page, 4096, 4096, '\0');
    const WalTail tail = ScanWal(torn);
    ASSERT_EQ(tail.good_bytes, good) << page;
    ASSERT_FALSE(tail.damaged_before_end) << page;
  }
}

TEST(WalTailTest, ARecordBehindTheDamageIsDamageBeforeTheEnd) {
  for (const size_t size : {100u, 20'000u, 70'000u}) {
    std::string wal;
    AppendRecord("first", &wal);
    const size_t good = wal.size();
    AppendRecord(std::string(size, 'b'), &wal);
    AppendRecord("behind", &wal);
    for (const size_t at : {good + 1, good + 5, good + 6, good + 50}) {
      std::string damaged = wal;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
      const WalTail tail = ScanWal(damaged);
      EXPECT_EQ(tail.good_bytes, good);
      EXPECT_TRUE(tail.damaged_before_end) << size << " " << at;
    }
  }
}

}  // namespace
}  // namespace cdgate::test
