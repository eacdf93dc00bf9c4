#include "gateway/state/rocks_kv.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::state {
namespace {

using base::MakeError;
using base::Reason;

// Names of the column families, in the order of Table. The first is RocksDB's own.
constexpr std::array<const char*, kTables> kFamilies = {
    "default", "identity", "cursor",      "resource", "history",
    "ledger",  "refusal",  "dead_letter", "outcome",  "outcome_sequence"};

// Tables whose rows expire.
constexpr std::array kExpiring = {Table::kIdentity, Table::kRefusal, Table::kOutcome,
                                  Table::kOutcomeSequence};

absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }

absl::Status Unreadable(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return MakeError(Reason::kLogCorrupt,
                   absl::StrCat("the state cannot be read: ", status.ToString()));
}

absl::Status Unwritable(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return MakeError(Reason::kLogWriteFailed,
                   absl::StrCat("the state cannot be written: ", status.ToString()));
}

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(Table table, const RowExpired& expired) : table_(table), expired_(expired) {}
  bool Filter(int /*level*/, const rocksdb::Slice& /*key*/, const rocksdb::Slice& value,
              std::string* /*new_value*/, bool* /*value_changed*/) const override {
    return expired_(table_, ToView(value));
  }
  const char* Name() const override { return "cdgate.expiry"; }

 private:
  const Table table_;
  const RowExpired& expired_;
};

class Batch final : public KvBatch {
 public:
  explicit Batch(const std::vector<rocksdb::ColumnFamilyHandle*>& families) : families_(families) {}
  // Neither can fail: the batch has no size limit and no timestamps.
  void Put(Table table, absl::string_view key, absl::string_view value) override {
    (void)batch.Put(FamilyOf(table), ToSlice(key), ToSlice(value));
  }
  void Delete(Table table, absl::string_view key) override {
    (void)batch.Delete(FamilyOf(table), ToSlice(key));
  }
  void Clear() override { batch.Clear(); }
  bool empty() const override { return batch.Count() == 0; }

  rocksdb::WriteBatch batch;

 private:
  rocksdb::ColumnFamilyHandle* FamilyOf(Table table) const {
    return families_[static_cast<size_t>(table)];
  }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families_;
};

// Nearly every lookup finds nothing: filters before everything that could be searched,
// in partitions, so that a large table needs no more memory than its busy part.
rocksdb::BlockBasedTableOptions TableOptions(size_t cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.checksum = rocksdb::kXXH3;
  return table;
}

rocksdb::DBOptions DbOptions(const RocksKvOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.atomic_flush = true;
  db.paranoid_checks = true;
  db.avoid_flush_during_shutdown = !options.flush_on_close;
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;
  db.bytes_per_sync = 1 << 20;
  db.max_open_files = 128;
  db.keep_log_file_num = 2;
  db.max_log_file_size = 1 << 20;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions SmallTable(
    const std::shared_ptr<rocksdb::TableFactory>& table_factory) {
  rocksdb::ColumnFamilyOptions family;
  family.compression = rocksdb::kNoCompression;
  family.write_buffer_size = 16 << 20;  // the store flushes before it is full, as a rule
  family.max_write_buffer_number = 3;
  family.table_factory = table_factory;
  return family;
}

rocksdb::ColumnFamilyOptions& FamilyOptions(
    Table table, std::vector<rocksdb::ColumnFamilyDescriptor>* families) {
  return (*families)[static_cast<size_t>(table)].options;
}

// Files are rewritten at `tidy_period`, and whenever they are merged, through `filter`.
void LetExpire(const rocksdb::CompactionFilter* filter, absl::Duration tidy_period,
               rocksdb::ColumnFamilyOptions* family) {
  family->periodic_compaction_seconds = static_cast<uint64_t>(absl::ToInt64Seconds(tidy_period));
  family->compaction_filter = filter;
}

}  // namespace

class RocksKv::Impl {
 public:
  explicit Impl(const RocksKvOptions& options)
      : expired_(options.expired), directory_(options.directory) {
    no_wal_.disableWAL = true;
    for (const Table table : kExpiring) {
      filters_.push_back(std::make_unique<ExpiryFilter>(table, expired_));
    }
  }
  ~Impl();

  absl::Status Open(const RocksKvOptions& options);
  // Where WriteSorted makes its file.
  std::string NewFile() const { return base::JoinPath(directory_, "sorted.tmp"); }
  rocksdb::ColumnFamilyHandle* FamilyOf(Table table) const {
    return families_[static_cast<size_t>(table)];
  }
  std::unique_ptr<rocksdb::Iterator> NewIterator(Table table, bool keep = true) const {
    rocksdb::ReadOptions options;
    options.fill_cache = keep;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, FamilyOf(table)));
  }
  rocksdb::DB& db() const { return *db_; }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families() const { return families_; }
  const rocksdb::WriteOptions& no_wal() const { return no_wal_; }

 private:
  const RowExpired expired_;
  std::vector<std::unique_ptr<const ExpiryFilter>> filters_;  // in the order of kExpiring
  const std::string directory_;
  rocksdb::WriteOptions no_wal_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

RocksKv::Impl::~Impl() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    (void)db_->DestroyColumnFamilyHandle(family);  // frees it; says nothing of use at the end
  }
}

absl::Status RocksKv::Impl::Open(const RocksKvOptions& options) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory_, 0700));
  const std::shared_ptr<rocksdb::TableFactory> tables(
      rocksdb::NewBlockBasedTableFactory(TableOptions(options.cache_bytes)));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const char* name : kFamilies) descriptors.emplace_back(name, SmallTable(tables));
  // It is written in runs, each a file.
  FamilyOptions(Table::kIdentity, &descriptors).level0_file_num_compaction_trigger = 8;
  for (size_t i = 0; i < kExpiring.size(); ++i) {
    LetExpire(expired_ ? filters_[i].get() : nullptr, options.tidy_period,
              &FamilyOptions(kExpiring[i], &descriptors));
  }
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(DbOptions(options), directory_, descriptors, &families_, &db);
  if (opened.ok()) {
    db_.reset(db);
    return absl::OkStatus();
  }
  if (opened.IsIOError() || opened.IsNoSpace()) {
    return MakeError(Reason::kFileUnwritable, absl::StrCat("cannot open the state in ", directory_,
                                                           ": ", opened.ToString()));
  }
  return MakeError(Reason::kLogCorrupt,
                   absl::StrCat("the state in ", directory_, " is damaged: ", opened.ToString(),
                                "; restore the data directory from a backup"),
                   {{"path", directory_}});
}

RocksKv::RocksKv(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksKv::~RocksKv() = default;

absl::StatusOr<std::unique_ptr<RocksKv>> RocksKv::Open(const RocksKvOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  CDGATE_RETURN_IF_ERROR(impl->Open(options));
  return std::unique_ptr<RocksKv>(new RocksKv(std::move(impl)));
}

std::unique_ptr<KvBatch> RocksKv::NewBatch() const {
  return std::make_unique<Batch>(impl_->families());
}

absl::Status RocksKv::Write(KvBatch& batch) {
  return Unwritable(impl_->db().Write(impl_->no_wal(), &static_cast<Batch&>(batch).batch));
}

// Straight into a file of the table: no memtable, no log.
absl::Status RocksKv::WriteSorted(Table table, NextRow next) {
  rocksdb::ColumnFamilyHandle* const family = impl_->FamilyOf(table);
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), impl_->db().GetOptions(family), family);
  const std::string path = impl_->NewFile();
  // A crash may have left it as a second name of a file that the table has taken over:
  // opened as it is, that file would be cut to nothing.
  const rocksdb::Status removed = impl_->db().GetEnv()->DeleteFile(path);
  if (!removed.IsPathNotFound()) CDGATE_RETURN_IF_ERROR(Unwritable(removed));
  CDGATE_RETURN_IF_ERROR(Unwritable(writer.Open(path)));
  absl::string_view key;
  absl::string_view value;
  bool any = false;  // the file's size says it only once a block is full
  while (next(&key, &value)) {
    CDGATE_RETURN_IF_ERROR(Unwritable(writer.Put(ToSlice(key), ToSlice(value))));
    any = true;
  }
  if (!any) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(Unwritable(writer.Finish()));
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  ingest.write_global_seqno = false;
  return Unwritable(impl_->db().IngestExternalFile(family, {path}, ingest));
}

absl::StatusOr<bool> RocksKv::Get(Table table, absl::string_view key, std::string* value) const {
  const rocksdb::Status got =
      impl_->db().Get(rocksdb::ReadOptions(), impl_->FamilyOf(table), ToSlice(key), value);
  if (got.IsNotFound()) return false;
  CDGATE_RETURN_IF_ERROR(Unreadable(got));
  return true;
}

absl::Status RocksKv::MultiGet(Table table, absl::Span<const absl::string_view> keys,
                               std::vector<std::string>* values, std::vector<bool>* found) const {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const absl::string_view key : keys) slices.push_back(ToSlice(key));
  std::vector<rocksdb::PinnableSlice> pinned(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  impl_->db().MultiGet(rocksdb::ReadOptions(), impl_->FamilyOf(table), keys.size(), slices.data(),
                       pinned.data(), statuses.data());
  values->resize(keys.size());
  found->assign(keys.size(), false);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    CDGATE_RETURN_IF_ERROR(Unreadable(statuses[i]));
    (*values)[i].assign(pinned[i].data(), pinned[i].size());
    (*found)[i] = true;
  }
  return absl::OkStatus();
}

absl::Status RocksKv::Scan(Table table, absl::string_view begin, absl::string_view end,
                           Row row) const {
  // A walk over a whole table would push what is in use out of the cache.
  const auto it = impl_->NewIterator(table, !begin.empty() || !end.empty());
  for (it->Seek(ToSlice(begin)); it->Valid(); it->Next()) {
    if (!end.empty() && ToView(it->key()) >= end) break;
    if (!row(ToView(it->key()), ToView(it->value()))) break;
  }
  return Unreadable(it->status());
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> RocksKv::Last(
    Table table, absl::string_view key) const {
  const auto it = impl_->NewIterator(table);
  it->SeekForPrev(ToSlice(key));
  CDGATE_RETURN_IF_ERROR(Unreadable(it->status()));
  if (!it->Valid()) return std::nullopt;
  return std::pair(it->key().ToString(), it->value().ToString());
}

absl::Status RocksKv::Flush() {
  return Unwritable(impl_->db().Flush(rocksdb::FlushOptions(), impl_->families()));
}

// Without a log of its own what is in memory is written to files first.
absl::Status RocksKv::Checkpoint(const std::string& directory) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&impl_->db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(directory, /*log_size_for_flush=*/0);
  if (status.ok()) return absl::OkStatus();
  return MakeError(Reason::kFileUnwritable,
                   absl::StrCat("cannot copy the state to ", directory, ": ", status.ToString()),
                   {{"path", directory}});
}

absl::Status RocksKv::Tidy() {
  rocksdb::CompactRangeOptions all;
  all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  for (rocksdb::ColumnFamilyHandle* family : impl_->families()) {
    CDGATE_RETURN_IF_ERROR(Unwritable(impl_->db().CompactRange(all, family, nullptr, nullptr)));
  }
  return absl::OkStatus();
}

}  // namespace cdgate::state
