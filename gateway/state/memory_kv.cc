#include "gateway/state/memory_kv.h"

#include <utility>

#include "gateway/base/errors.h"

namespace cdgate::state {
namespace {

using base::MutexLock;

struct Operation {
  Table table = Table::kMeta;
  std::string key;
  std::optional<std::string> value;  // none: delete
};

class MemoryBatch final : public KvBatch {
 public:
  void Put(Table table, absl::string_view key, absl::string_view value) override {
    operations.push_back({table, std::string(key), std::string(value)});
  }
  void Delete(Table table, absl::string_view key) override {
    operations.push_back({table, std::string(key), std::nullopt});
  }
  void Clear() override { operations.clear(); }
  bool empty() const override { return operations.empty(); }

  std::vector<Operation> operations;
};

size_t IndexOf(Table table) { return static_cast<size_t>(table); }

}  // namespace

MemoryKv::MemoryKv(std::shared_ptr<MemoryKvStorage> storage) : storage_(std::move(storage)) {
  if (storage_ == nullptr) return;
  MutexLock from(storage_->mu);
  MutexLock to(mu_);
  tables_ = storage_->tables;
}

std::unique_ptr<KvBatch> MemoryKv::NewBatch() const { return std::make_unique<MemoryBatch>(); }

absl::Status MemoryKv::Write(KvBatch& batch) {
  MutexLock lock(mu_);
  if (failed_) return base::MakeError(base::Reason::kLogWriteFailed, "the state's disk is broken");
  for (const Operation& operation : static_cast<MemoryBatch&>(batch).operations) {
    auto& rows = tables_[IndexOf(operation.table)];
    if (operation.value) {
      rows[operation.key] = *operation.value;
    } else {
      rows.erase(operation.key);
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryKv::WriteSorted(Table table, NextRow next) {
  MemoryBatch batch;
  absl::string_view key;
  absl::string_view value;
  while (next(&key, &value)) batch.Put(table, key, value);
  return Write(batch);
}

absl::StatusOr<bool> MemoryKv::Get(Table table, absl::string_view key, std::string* value) const {
  MutexLock lock(mu_);
  const auto& rows = tables_[IndexOf(table)];
  const auto it = rows.find(key);
  if (it == rows.end()) return false;
  *value = it->second;
  return true;
}

absl::Status MemoryKv::MultiGet(Table table, absl::Span<const absl::string_view> keys,
                                std::vector<std::string>* values, std::vector<bool>* found) const {
  values->resize(keys.size());
  found->assign(keys.size(), false);
  for (size_t i = 0; i < keys.size(); ++i) {
    const absl::StatusOr<bool> got = Get(table, keys[i], &(*values)[i]);
    if (!got.ok()) return got.status();
    (*found)[i] = *got;
  }
  return absl::OkStatus();
}

absl::Status MemoryKv::Scan(Table table, absl::string_view begin, absl::string_view end,
                            Row row) const {
  std::vector<std::pair<std::string, std::string>> copy;  // `row` is called without the lock
  {
    MutexLock lock(mu_);
    const auto& rows = tables_[IndexOf(table)];
    const auto last = end.empty() ? rows.end() : rows.lower_bound(end);
    copy.assign(rows.lower_bound(begin), last);
  }
  for (const auto& [key, value] : copy) {
    if (!row(key, value)) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> MemoryKv::Last(
    Table table, absl::string_view key) const {
  MutexLock lock(mu_);
  const auto& rows = tables_[IndexOf(table)];
  const auto after = rows.upper_bound(key);
  if (after == rows.begin()) return std::nullopt;
  return std::pair<std::string, std::string>(*std::prev(after));
}

absl::Status MemoryKv::Flush() {
  MemoryTables copy;
  {
    MutexLock lock(mu_);
    if (failed_) return base::MakeError(base::Reason::kLogWriteFailed, "the disk is broken");
    copy = tables_;
  }
  if (storage_ == nullptr) return absl::OkStatus();
  MutexLock lock(storage_->mu);
  storage_->tables = std::move(copy);
  return absl::OkStatus();
}

void MemoryKv::FailWrites(bool fail) {
  MutexLock lock(mu_);
  failed_ = fail;
}

}  // namespace cdgate::state
