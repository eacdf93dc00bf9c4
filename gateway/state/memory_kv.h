// Rows in memory, for tests. MemoryKvStorage is its disk: what was flushed there is what
// a store opened on it later begins with.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "gateway/base/mutex.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

using MemoryTables = std::array<std::map<std::string, std::string, std::less<>>, kTables>;

struct MemoryKvStorage {
  base::Mutex mu;
  MemoryTables tables CDGATE_GUARDED_BY(mu);
};

class MemoryKv final : public KvStore {
 public:
  explicit MemoryKv(std::shared_ptr<MemoryKvStorage> storage = nullptr);

  std::unique_ptr<KvBatch> NewBatch() const override;
  absl::Status Write(KvBatch& batch) override;
  absl::Status WriteSorted(Table table, NextRow next) override;
  absl::StatusOr<bool> Get(Table table, absl::string_view key, std::string* value) const override;
  absl::Status MultiGet(Table table, absl::Span<const absl::string_view> keys,
                        std::vector<std::string>* values, std::vector<bool>* found) const override;
  absl::Status Scan(Table table, absl::string_view begin, absl::string_view end,
                    Row row) const override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Last(
      Table table, absl::string_view key) const override;
  absl::Status Flush() override;

  // Every write from now on fails as with a broken disk, or none any more.
  void FailWrites(bool fail = true);

 private:
  const std::shared_ptr<MemoryKvStorage> storage_;  // null: nothing outlives this object
  mutable base::Mutex mu_;
  MemoryTables tables_ CDGATE_GUARDED_BY(mu_);
  bool failed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::state
