#include "bench/logs/commit_rows.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/table.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/logs/damage.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/segments/segment.h"

namespace cdgate::bench {
namespace {

using base::MakeError;
using base::Reason;

absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }

void AppendBigEndian(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

rocksdb::BlockBasedTableOptions TableOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  table.cache_index_and_filter_blocks = true;  // a large log must not mean much memory
  table.block_size = 64 << 10;
  table.checksum = rocksdb::kXXH3;
  return table;
}

// What a crash may leave is told apart, and what is damaged is refused.
void SetSafety(rocksdb::Options* db) {
  db->wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db->recycle_log_file_num = 0;
  db->paranoid_checks = true;
  db->track_and_verify_wals_in_manifest = true;
  db->verify_sst_unique_id_in_manifest = true;
}

// Files hold consecutive commits, so that retention can drop them whole; they are moved from where
// they arrive to where they can be dropped without being rewritten, as nothing overlaps.
void SetFiles(const CommitRowsOptions& options, rocksdb::Options* db) {
  db->num_levels = 2;
  db->write_buffer_size = options.file_bytes;
  db->target_file_size_base = options.file_bytes;
  db->max_bytes_for_level_base = std::numeric_limits<uint64_t>::max() / 4;
  db->level0_file_num_compaction_trigger = 1;
  db->compression = rocksdb::kNoCompression;
  db->table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions()));
  db->enable_blob_files = options.blob_files;
  db->blob_file_size = options.file_bytes;
}

// Files that are dropped are given back a MiB at a time, as fast as the disk takes it: it is busy
// with 64 at once for so long that the writer's sync waits.
std::shared_ptr<rocksdb::SstFileManager> GiveBackInPieces() {
  constexpr int64_t kBytesPerSecond = int64_t{2} << 30;
  constexpr double kAlways = 1e6;  // whatever part of the log that is dropped
  return std::shared_ptr<rocksdb::SstFileManager>(rocksdb::NewSstFileManager(
      rocksdb::Env::Default(), nullptr, "", kBytesPerSecond, true, nullptr, kAlways, 1 << 20));
}

rocksdb::Options DbOptions(const CommitRowsOptions& options) {
  rocksdb::Options db;
  db.create_if_missing = true;
  SetSafety(&db);
  SetFiles(options, &db);
  db.sst_file_manager = GiveBackInPieces();
  // One writer of large values, which does not wait for a memtable to be written.
  db.max_write_buffer_number = 4;
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;
  // What is not read again passes by the page cache, as segments do: written back from there, it
  // keeps the writer waiting.
  db.use_direct_io_for_flush_and_compaction = true;
  db.max_open_files = 256;
  db.keep_log_file_num = 2;
  db.max_log_file_size = 1 << 20;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

absl::StatusOr<event::CommitPtr> ParseRow(const CommitKey& key, const rocksdb::Iterator& it) {
  absl::StatusOr<event::CommitPtr> commit =
      event::ParseCommit(event::OwnedBytes(ToView(it.value())));
  if (!commit.ok()) return base::Annotate(commit.status(), absl::StrCat("commit ", key.number));
  return commit;
}

// Moves `it` to the last row that begins at or before what `from` asks for.
void SeekTo(const eventlog::ReadFrom& from, rocksdb::Iterator* it) {
  const uint64_t number = from.commit != 0 ? from.commit : std::numeric_limits<uint64_t>::max();
  it->SeekForPrev(EncodeKey({from.sequence, number}));
}

}  // namespace

std::string EncodeKey(const CommitKey& key) {
  std::string out;
  AppendBigEndian(key.first_sequence.value(), &out);
  AppendBigEndian(key.number, &out);
  return out;
}

std::optional<CommitKey> DecodeKey(absl::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  return CommitKey{.first_sequence = base::Sequence(ReadBigEndian(bytes)),
                   .number = ReadBigEndian(bytes.substr(8))};
}

CommitRows::CommitRows(const CommitRowsOptions& options) : options_(options) { write_.sync = true; }

absl::StatusOr<std::unique_ptr<CommitRows>> CommitRows::Open(const CommitRowsOptions& options) {
  std::unique_ptr<CommitRows> rows(new CommitRows(options));
  CDGATE_RETURN_IF_ERROR(rows->OpenDb());
  CDGATE_RETURN_IF_ERROR(rows->CheckBlobFiles());
  CDGATE_RETURN_IF_ERROR(rows->CheckComplete());
  return rows;
}

absl::Status CommitRows::OpenDb() {
  rocksdb::Options options = DbOptions(options_);
  if (options_.file_system != nullptr) {
    env_ = rocksdb::NewCompositeEnv(options_.file_system);
    options.env = env_.get();
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status opened = rocksdb::DB::Open(options, options_.directory, &db);
  if (opened.IsCorruption()) {
    CDGATE_RETURN_IF_ERROR(CutTornTail(options_.directory, opened));
    opened = rocksdb::DB::Open(options, options_.directory, &db);
  }
  if (!opened.ok()) return Unopenable(options_.directory, opened);
  db_.reset(db);
  return absl::OkStatus();
}

// ------------------------------------------------------------------- reading

std::unique_ptr<rocksdb::Iterator> CommitRows::NewIterator() const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // what is read is not read again soon
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options));
}

absl::StatusOr<CommitKey> CommitRows::KeyOf(const rocksdb::Iterator& it) const {
  const std::optional<CommitKey> key = DecodeKey(ToView(it.key()));
  if (key) return *key;
  return MakeError(Reason::kLogFormatNewer,
                   absl::StrCat("the log in ", db_->GetName(), " has rows of a newer release"));
}

absl::StatusOr<event::CommitPtr> CommitRows::Newest() const {
  const auto it = NewIterator();
  it->SeekToLast();
  if (!it->Valid()) {
    CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), "reading the log's newest commit"));
    return event::CommitPtr();
  }
  CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
  return ParseRow(key, *it);
}

absl::StatusOr<std::optional<CommitKey>> CommitRows::Oldest() const {
  const auto it = NewIterator();
  it->SeekToFirst();
  if (!it->Valid()) {
    CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), "reading the log's oldest commit"));
    return std::nullopt;
  }
  CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
  return key;
}

absl::StatusOr<std::vector<event::CommitPtr>> CommitRows::Read(const eventlog::ReadFrom& from,
                                                               eventlog::ReadLimits limits,
                                                               uint64_t last) const {
  const auto it = NewIterator();
  std::vector<event::CommitPtr> out;
  eventlog::ReadBudget budget(limits);
  SeekTo(from, it.get());
  if (!it->Valid() && it->status().ok()) {
    return MakeError(Reason::kTrimmed, "retention has just removed the events");
  }
  for (uint64_t expected = 0; it->Valid(); it->Next(), ++expected) {
    CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
    if (key.number > last) return out;
    if (expected == 0) expected = key.number;
    if (key.number != expected) return MissingCommit(expected);
    if (key.number < from.commit) continue;
    CDGATE_ASSIGN_OR_RETURN(event::CommitPtr commit, ParseRow(key, *it));
    if (from.commit == 0 && commit->last_sequence < from.sequence) continue;
    if (!budget.Take(*commit)) return out;
    out.push_back(std::move(commit));
  }
  CDGATE_RETURN_IF_ERROR(FromRocks(it->status(), "reading a commit"));
  return out;
}

// ------------------------------------------------------------------- writing

absl::Status CommitRows::Put(const CommitKey& key, absl::string_view record) {
  const rocksdb::Status status = db_->Put(write_, EncodeKey(key), ToSlice(record));
  if (status.ok()) return absl::OkStatus();
  return MakeError(Reason::kLogWriteFailed,
                   absl::StrCat("cannot write the log in ", db_->GetName(), ": ", status.ToString(),
                                "; check the disk and start again"));
}

// Files in which rows arrive cannot be dropped; the others are consecutive, and not rewritten, so
// that dropping leaves no gap.
absl::Status CommitRows::DropBefore(base::Sequence keep_from) {
  const auto it = NewIterator();
  SeekTo({.sequence = keep_from}, it.get());
  if (!it->Valid()) return FromRocks(it->status(), "trimming the log");
  const std::string end = it->key().ToString();
  const rocksdb::Slice limit(end);
  if (options_.delete_ranges) CDGATE_RETURN_IF_ERROR(DropRows(limit));
  return FromRocks(rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), nullptr,
                                               &limit, /*include_end=*/false),
                   "trimming the log");
}

// Not synced: where it is lost, retention comes again.
absl::Status CommitRows::DropRows(const rocksdb::Slice& limit) {
  const auto it = NewIterator();
  it->SeekToFirst();
  if (!it->Valid()) return FromRocks(it->status(), "trimming the log");
  const std::string begin = it->key().ToString();
  if (rocksdb::Slice(begin).compare(limit) >= 0) return absl::OkStatus();
  return FromRocks(
      db_->DeleteRange(rocksdb::WriteOptions(), db_->DefaultColumnFamily(), begin, limit),
      "trimming the log");
}

absl::Status CommitRows::CloseFile() {
  if (Property(rocksdb::DB::Properties::kNumEntriesActiveMemTable) > 0) {
    CDGATE_RETURN_IF_ERROR(FromRocks(db_->Flush(rocksdb::FlushOptions()), "closing a log file"));
  }
  return FromRocks(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr),
                   "moving log files");
}

uint64_t CommitRows::Property(const std::string& name) const {
  uint64_t value = 0;
  return db_->GetIntProperty(name, &value) ? value : 0;
}

uint64_t CommitRows::bytes() const {
  return Property(rocksdb::DB::Properties::kLiveSstFilesSize) +
         Property(rocksdb::DB::Properties::kLiveBlobFileSize) +
         Property(rocksdb::DB::Properties::kCurSizeAllMemTables);
}

// ------------------------------------------------------------------- opening

// RocksDB finds out when it reads what is in them.
absl::Status CommitRows::CheckBlobFiles() const {
  rocksdb::ColumnFamilyMetaData family;
  db_->GetColumnFamilyMetaData(&family);
  for (const rocksdb::BlobMetaData& file : family.blob_files) {
    uint64_t size = 0;
    const std::string path = options_.directory + file.blob_file_name;
    if (!db_->GetEnv()->GetFileSize(path, &size).ok() || size != file.blob_file_size) {
      return eventlog::Corrupt(path, "is missing, or not as long as it was");
    }
  }
  return absl::OkStatus();
}

// Rows in files and in memory. Where they are not deleted one by one this is the number of commits.
absl::StatusOr<uint64_t> CommitRows::CountRows() const {
  rocksdb::TablePropertiesCollection tables;
  CDGATE_RETURN_IF_ERROR(
      FromRocks(db_->GetPropertiesOfAllTables(&tables), "reading the log's files"));
  uint64_t rows = Property(rocksdb::DB::Properties::kNumEntriesActiveMemTable);
  for (const auto& [file, properties] : tables) rows += properties->num_entries;
  return rows;
}

// LOG_CORRUPT where a commit between the oldest and the newest is missing.
absl::Status CommitRows::CheckComplete() const {
  CDGATE_ASSIGN_OR_RETURN(const std::optional<CommitKey> oldest, Oldest());
  if (!oldest) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const event::CommitPtr newest, Newest());
  CDGATE_ASSIGN_OR_RETURN(const uint64_t rows, CountRows());
  if (rows == newest->number - oldest->number + 1) return absl::OkStatus();
  return FindGap();
}

absl::Status CommitRows::FindGap() const {
  const auto it = NewIterator();
  uint64_t expected = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    CDGATE_ASSIGN_OR_RETURN(const CommitKey key, KeyOf(*it));
    if (expected != 0 && key.number != expected) return MissingCommit(expected);
    expected = key.number + 1;
  }
  return FromRocks(it->status(), absl::StrCat("reading commit ", expected));
}

}  // namespace cdgate::bench
