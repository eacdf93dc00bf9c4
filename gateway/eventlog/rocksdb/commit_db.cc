#include "gateway/eventlog/rocksdb/commit_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/rocksdb/damage.h"
#include "gateway/eventlog/rocksdb/status.h"

namespace cdgate::eventlog {
namespace {

using base::MakeError;
using base::Reason;

absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }

rocksdb::BlockBasedTableOptions TableOptions(size_t cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_bytes);
  table.cache_index_and_filter_blocks = true;  // a large log must not mean much memory
  table.block_size = 64 << 10;
  table.checksum = rocksdb::kXXH3;
  return table;
}

// docs/log_format.md says why each of these is as it is.
rocksdb::Options DbOptions(const CommitDbOptions& options) {
  rocksdb::Options db;
  db.create_if_missing = true;
  // --- what a crash may leave
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.recycle_log_file_num = 0;
  db.paranoid_checks = true;
  db.track_and_verify_wals_in_manifest = true;
  db.verify_sst_unique_id_in_manifest = true;
  // --- files that hold consecutive commits, so that retention can drop them whole
  db.num_levels = 2;
  db.write_buffer_size = options.file_bytes;
  db.target_file_size_base = options.file_bytes;
  db.max_bytes_for_level_base = std::numeric_limits<uint64_t>::max() / 4;
  db.level0_file_num_compaction_trigger = 1;  // moved, not rewritten: nothing overlaps
  db.compression = rocksdb::kNoCompression;
  // --- one writer of large values
  db.max_write_buffer_number = 2;
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;
  db.bytes_per_sync = 1 << 20;  // the disk is not flooded when a file is closed
  db.max_open_files = 256;
  db.keep_log_file_num = 2;
  db.max_log_file_size = 1 << 20;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(options.cache_bytes)));
  return db;
}

class RocksCommitDb final : public CommitDb {
 public:
  RocksCommitDb(std::unique_ptr<rocksdb::Env> env, std::unique_ptr<rocksdb::DB> db)
      : env_(std::move(env)), db_(std::move(db)) {
    write_.sync = true;
  }

  absl::Status Put(const CommitKey& key, absl::string_view record) override;
  absl::StatusOr<event::CommitPtr> Newest() const override;
  absl::StatusOr<std::optional<CommitKey>> Oldest() const override;
  absl::StatusOr<std::vector<event::CommitPtr>> Read(const ReadFrom& from, ReadLimits limits,
                                                     uint64_t last) const override;
  absl::Status DropFilesBefore(base::Sequence keep_from) override;
  absl::Status CloseFile() override;
  uint64_t bytes() const override;

  // LOG_CORRUPT where a commit between the oldest and the newest is missing.
  absl::Status CheckComplete() const;

 private:
  std::unique_ptr<rocksdb::Iterator> NewIterator() const;
  absl::StatusOr<CommitKey> KeyOf(const rocksdb::Iterator& it) const;
  absl::StatusOr<uint64_t> CountRows() const;
  absl::Status FindGap() const;
  uint64_t Property(const std::string& name) const;

  const std::unique_ptr<rocksdb::Env> env_;  // null: the system's
  const std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  rocksdb::WriteBatch batch_;
};

std::unique_ptr<rocksdb::Iterator> RocksCommitDb::NewIterator() const {
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(rocksdb::ReadOptions()));
}

absl::StatusOr<CommitKey> RocksCommitDb::KeyOf(const rocksdb::Iterator& it) const {
  const std::optional<CommitKey> key = CommitKey::Decode(ToView(it.key()));
  if (key) return *key;
  return MakeError(Reason::kLogFormatNewer,
                   absl::StrCat("the log in ", db_->GetName(), " has rows of a newer release"));
}

absl::Status RocksCommitDb::Put(const CommitKey& key, absl::string_view record) {
  batch_.Clear();
  rocksdb::Status status = batch_.Put(key.Encode(), ToSlice(record));
  if (status.ok()) status = db_->Write(write_, &batch_);
  if (status.ok()) return absl::OkStatus();
  return MakeError(Reason::kLogWriteFailed,
                   absl::StrCat("cannot write the log in ", db_->GetName(), ": ", status.ToString(),
                                "; check the disk and start again"));
}

absl::StatusOr<event::CommitPtr> RocksCommitDb::Newest() const {
  const auto it = NewIterator();
  it->SeekToLast();
  if (!it->Valid()) {
    CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), "reading the log's newest commit"));
    return event::CommitPtr();
  }
  CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
  absl::StatusOr<event::CommitPtr> commit = event::ParseCommit(ToView(it->value()));
  if (!commit.ok()) return base::Annotate(commit.status(), absl::StrCat("commit ", key.number));
  return commit;
}

absl::StatusOr<std::optional<CommitKey>> RocksCommitDb::Oldest() const {
  const auto it = NewIterator();
  it->SeekToFirst();
  if (!it->Valid()) {
    CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), "reading the log's oldest commit"));
    return std::nullopt;
  }
  CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
  return key;
}

// Moves `it` to where a read from `from` begins, or behind the last row.
void SeekTo(const ReadFrom& from, rocksdb::Iterator* it) {
  if (from.commit != 0) {
    it->Seek(CommitKey{from.sequence, from.commit}.Encode());
    return;
  }
  // The last row that begins at or before `from`: the commit that contains it, or one
  // without events just before it.
  it->SeekForPrev(CommitKey{from.sequence, std::numeric_limits<uint64_t>::max()}.Encode());
  if (!it->Valid() && it->status().ok()) it->SeekToFirst();
}

absl::StatusOr<std::vector<event::CommitPtr>> RocksCommitDb::Read(const ReadFrom& from,
                                                                  ReadLimits limits,
                                                                  uint64_t last) const {
  const auto it = NewIterator();
  std::vector<event::CommitPtr> out;
  ReadBudget budget(limits);
  uint64_t expected = from.commit;
  for (SeekTo(from, it.get()); it->Valid(); it->Next()) {
    CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
    if (key.number > last) return out;
    if (expected != 0 && key.number != expected) return MissingCommit(expected);
    expected = key.number + 1;
    absl::StatusOr<event::CommitPtr> commit = event::ParseCommit(ToView(it->value()));
    if (!commit.ok()) return base::Annotate(commit.status(), absl::StrCat("commit ", key.number));
    if (from.commit == 0 && (*commit)->last_sequence < from.sequence) continue;
    if (!budget.Take(**commit)) return out;
    out.push_back(*std::move(commit));
  }
  CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), absl::StrCat("reading commit ", expected)));
  return out;
}

absl::Status RocksCommitDb::DropFilesBefore(base::Sequence keep_from) {
  const auto it = NewIterator();
  SeekTo({.sequence = keep_from}, it.get());
  if (!it->Valid()) return FromRocks(it->status(), "trimming the log");
  const std::string end = it->key().ToString();  // files are dropped that end before it
  const rocksdb::Slice limit(end);
  return FromRocks(rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), nullptr,
                                               &limit, /*include_end=*/false),
                   "trimming the log");
}

absl::Status RocksCommitDb::CloseFile() {
  if (Property(rocksdb::DB::Properties::kNumEntriesActiveMemTable) > 0) {
    CDGATE_RETURN_IF_ERROR(FromRocks(db_->Flush(rocksdb::FlushOptions()), "closing a log file"));
  }
  // Files that are still where new ones arrive cannot be dropped: move them on.
  return FromRocks(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr),
                   "moving log files");
}

uint64_t RocksCommitDb::Property(const std::string& name) const {
  uint64_t value = 0;
  return db_->GetIntProperty(name, &value) ? value : 0;
}

uint64_t RocksCommitDb::bytes() const {
  return Property(rocksdb::DB::Properties::kLiveSstFilesSize) +
         Property(rocksdb::DB::Properties::kCurSizeAllMemTables);
}

// Rows in files and in memory. Rows are never overwritten or deleted one by one, so this
// is the number of commits.
absl::StatusOr<uint64_t> RocksCommitDb::CountRows() const {
  rocksdb::TablePropertiesCollection tables;
  CDGATE_RETURN_IF_ERROR(
      FromRocks(db_->GetPropertiesOfAllTables(&tables), "reading the log's files"));
  uint64_t rows = Property(rocksdb::DB::Properties::kNumEntriesActiveMemTable);
  for (const auto& [file, properties] : tables) rows += properties->num_entries;
  return rows;
}

absl::Status RocksCommitDb::FindGap() const {
  const auto it = NewIterator();
  uint64_t expected = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
    if (expected != 0 && key.number != expected) return MissingCommit(expected);
    expected = key.number + 1;
  }
  return FromRocks(it->status(), absl::StrCat("reading commit ", expected));
}

absl::Status RocksCommitDb::CheckComplete() const {
  CDGATE_ASSIGN_OR_RETURN(const std::optional<CommitKey> oldest, Oldest());
  if (!oldest) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const event::CommitPtr newest, Newest());
  CDGATE_ASSIGN_OR_RETURN(const uint64_t rows, CountRows());
  if (rows == newest->number - oldest->number + 1) return absl::OkStatus();
  return FindGap();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CommitDb>> CommitDb::Open(const CommitDbOptions& options) {
  std::unique_ptr<rocksdb::Env> env;
  rocksdb::Options db_options = DbOptions(options);
  if (options.file_system != nullptr) {
    env = rocksdb::NewCompositeEnv(options.file_system);
    db_options.env = env.get();
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status opened = rocksdb::DB::Open(db_options, options.directory, &db);
  if (opened.IsCorruption()) {
    CDGATE_RETURN_IF_ERROR(CutTornTail(options.directory, opened));
    opened = rocksdb::DB::Open(db_options, options.directory, &db);
  }
  if (!opened.ok()) return Unopenable(options.directory, opened);
  auto out = std::make_unique<RocksCommitDb>(std::move(env), std::unique_ptr<rocksdb::DB>(db));
  CDGATE_RETURN_IF_ERROR(out->CheckComplete());
  return out;
}

}  // namespace cdgate::eventlog
