// ScanWal over anything: it ends, and what it calls good it calls good again.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "bench/logs/wal_tail.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view wal(reinterpret_cast<const char*>(data), size);
  const cdgate::bench::WalTail tail = cdgate::bench::ScanWal(wal);
  if (tail.good_bytes > size) abort();
  const cdgate::bench::WalTail again = cdgate::bench::ScanWal(wal.substr(0, tail.good_bytes));
  if (again.good_bytes != tail.good_bytes || again.good_records != tail.good_records) abort();
  if (again.damaged_before_end) abort();
  return 0;
}
