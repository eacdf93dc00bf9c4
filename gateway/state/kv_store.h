// Where the fold keeps its rows: ordered tables of bytes. A batch is applied as a whole;
// nothing is durable before Flush returns, and after a crash the store is as it was
// between two batches at or after the last Flush.
//
// Backends: MemoryKv (tests), RocksKv. One contract suite,
// tests/gateway/state/kv_store_contract.h. Thread-safe, except that one thread at a time
// calls Write, and one, maybe another, WriteSorted. Errors: LOG_CORRUPT, LOG_WRITE_FAILED.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gateway/base/clock.h"

namespace cdgate::state {

// docs/log_format.md describes the rows of each.
enum class Table {
  kMeta,
  kIdentity,
  kCursor,
  kResource,
  kHistory,
  kLedger,
  kRefusal,
  kDeadLetter,
  kOutcome,
  kOutcomeSequence,
};
inline constexpr size_t kTables = 10;

// Rows that may be dropped when a store tidies up, sooner or later or never. Thread-safe.
using RowExpired = std::function<bool(Table table, absl::string_view value)>;

class KvBatch {
 public:
  virtual ~KvBatch() = default;
  virtual void Put(Table table, absl::string_view key, absl::string_view value) = 0;
  virtual void Delete(Table table, absl::string_view key) = 0;
  virtual void Clear() = 0;
  virtual bool empty() const = 0;
};

class KvStore {
 public:
  virtual ~KvStore() = default;

  // A batch for this store; reuse it, its memory stays.
  virtual std::unique_ptr<KvBatch> NewBatch() const = 0;
  virtual absl::Status Write(KvBatch& batch) = 0;

  // Puts many rows: `next` gives them in ascending order of their keys, each once, and
  // false at the end. A reader may see some before others, and some may be durable
  // before Flush. Blocks; not for rows that Write puts as well.
  using NextRow = absl::FunctionRef<bool(absl::string_view* key, absl::string_view* value)>;
  virtual absl::Status WriteSorted(Table table, NextRow next) = 0;

  // False: no row; `value` is untouched.
  virtual absl::StatusOr<bool> Get(Table table, absl::string_view key,
                                   std::string* value) const = 0;
  // found[i] says whether keys[i] has a row; values[i] is set where it has.
  virtual absl::Status MultiGet(Table table, absl::Span<const absl::string_view> keys,
                                std::vector<std::string>* values,
                                std::vector<bool>* found) const = 0;
  // Calls `row` for the rows with begin <= key < end (empty end: to the last) in order,
  // until it returns false. The views are good for the call.
  using Row = absl::FunctionRef<bool(absl::string_view key, absl::string_view value)>;
  virtual absl::Status Scan(Table table, absl::string_view begin, absl::string_view end,
                            Row row) const = 0;
  // The last row with key <= `key`; none where there is none.
  virtual absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      Table table, absl::string_view key) const = 0;

  // Makes everything written before durable. Blocks; may run beside Write.
  virtual absl::Status Flush() = 0;
};

}  // namespace cdgate::state
