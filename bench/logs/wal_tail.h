// Tells a torn last write from damage before the end, in a RocksDB write-ahead log.
//
// Each commit is synced before the next is written, so a crash can tear only the last
// record, in any of its pages. RocksDB takes a record that ends too early for a torn one
// by itself; one with a hole or garbage inside it refuses as corrupt. Here such a record
// is recognised: nothing that is whole comes after it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace cdgate::bench {

struct WalTail {
  // Bytes of whole records from the beginning.
  size_t good_bytes = 0;
  // Whole records in them.
  size_t good_records = 0;
  // True: something legible comes after the first damage.
  bool damaged_before_end = false;
};

// Reads one log file in RocksDB's format (blocks of 32 KiB, records of fragments with
// masked CRC-32C; the kind that is never recycled).
WalTail ScanWal(absl::string_view file);

// CRC-32C (Castagnoli) as the format uses it, unmasked.
uint32_t Crc32c(absl::string_view data);

}  // namespace cdgate::bench
