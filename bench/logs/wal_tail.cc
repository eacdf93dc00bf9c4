#include "bench/logs/wal_tail.h"

#include <algorithm>
#include <array>
#include <optional>

namespace cdgate::bench {
namespace {

constexpr size_t kBlock = 32768;
constexpr size_t kHeader = 7;  // CRC (4), length (2), type (1)

enum Type : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Fragment {
  Type type = kZero;
  size_t end = 0;  // offset behind it
};

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}

uint32_t ReadLittleEndian(absl::string_view bytes, size_t n) {
  uint32_t value = 0;
  for (size_t i = n; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return rotated >> 17 | rotated << 15;
}

// The whole fragment at `at`; none where there is none.
std::optional<Fragment> FragmentAt(absl::string_view file, size_t at) {
  if (at + kHeader > file.size() || at % kBlock > kBlock - kHeader) return std::nullopt;
  const absl::string_view header = file.substr(at, kHeader);
  const size_t length = ReadLittleEndian(header.substr(4), 2);
  const uint8_t type = static_cast<uint8_t>(header[6]);
  if (type < kFull || type > kLast) return std::nullopt;
  if (at % kBlock + kHeader + length > kBlock) return std::nullopt;
  if (at + kHeader + length > file.size()) return std::nullopt;
  if (Crc32c(file.substr(at + 6, 1 + length)) != Unmask(ReadLittleEndian(header, 4))) {
    return std::nullopt;
  }
  return Fragment{static_cast<Type>(type), at + kHeader + length};
}

// Where the fragment after one that ends at `end` begins: a block's last bytes, too few
// for a header, are unused.
size_t NextFragment(size_t end) {
  const size_t left = kBlock - end % kBlock;
  return left < kHeader ? end + left : end;
}

// Where the whole record that begins at `at` ends; none where there is none.
std::optional<size_t> RecordAt(absl::string_view file, size_t at) {
  std::optional<Fragment> fragment = FragmentAt(file, at);
  if (!fragment) return std::nullopt;
  if (fragment->type == kFull) return fragment->end;
  if (fragment->type != kFirst) return std::nullopt;
  for (;;) {
    fragment = FragmentAt(file, NextFragment(fragment->end));
    if (!fragment || (fragment->type != kMiddle && fragment->type != kLast)) return std::nullopt;
    if (fragment->type == kLast) return fragment->end;
  }
}

// True where a whole record begins in [begin, end), at any byte: lengths near damage
// cannot be trusted.
bool AnyRecordIn(absl::string_view file, size_t begin, size_t end) {
  for (size_t at = begin; at < end; ++at) {
    if (RecordAt(file, at)) return true;
  }
  return false;
}

// True where a whole record begins in the block at `at`. A block begins with a fragment;
// from one that is whole the next can be found.
bool AnyRecordInBlock(absl::string_view file, size_t at) {
  const size_t end = at + kBlock;
  while (at < end) {
    if (RecordAt(file, at)) return true;
    const std::optional<Fragment> fragment = FragmentAt(file, at);
    if (!fragment) return false;
    at = NextFragment(fragment->end);
  }
  return false;
}

}  // namespace

uint32_t Crc32c(absl::string_view data) {
  static constexpr std::array<uint32_t, 256> kTable = MakeTable();
  uint32_t crc = 0xffffffffu;
  for (const char c : data) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

WalTail ScanWal(absl::string_view file) {
  WalTail tail;
  while (const auto end = RecordAt(file, NextFragment(tail.good_bytes))) {
    tail.good_bytes = *end;
    ++tail.good_records;
  }
  const size_t damage = NextFragment(tail.good_bytes);
  const size_t next_block = (damage / kBlock + 1) * kBlock;
  tail.damaged_before_end = AnyRecordIn(file, damage + 1, std::min(next_block, file.size()));
  for (size_t at = next_block; at < file.size() && !tail.damaged_before_end; at += kBlock) {
    tail.damaged_before_end = AnyRecordInBlock(file, at);
  }
  return tail;
}

}  // namespace cdgate::bench
