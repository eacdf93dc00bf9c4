#include "gateway/eventlog/segments/commit_db.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/dropped_file.h"

namespace cdgate::eventlog {
namespace {

using base::MakeError;
using base::MutexLock;
using base::Reason;

// Who may take so much is about to read on. Who takes less would read most of a step again the next
// time, which the cache spares.
constexpr size_t kStreamBytes = 1 << 20;

absl::Status MissingCommit(uint64_t number) {
  return Corrupt(absl::StrCat("commit ", number), "of the log is missing");
}

// Is what `from` asks for at `key`, or behind it?
bool Reaches(const CommitKey& key, const ReadFrom& from) {
  return from.commit != 0 ? key.number <= from.commit : key.first_sequence <= from.sequence;
}

absl::Status Misplaced(const Segment& segment, const ReadFrom& from) {
  return Corrupt(segment.path(),
                 absl::StrCat("is damaged before sequence ", from.sequence.value()));
}

absl::Status JustTrimmed() {
  return MakeError(Reason::kTrimmed, "retention has just removed the events");
}

// Sorted.
absl::StatusOr<std::vector<std::string>> PathsIn(const std::string& directory,
                                                 absl::string_view extension) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == std::string(extension)) paths.push_back(it->path().string());
  }
  if (error) {
    return MakeError(Reason::kFileUnreadable,
                     absl::StrCat("cannot read ", directory, ": ", error.message()),
                     {{"path", directory}});
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::Status Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return MakeError(Reason::kFileUnwritable,
                   absl::StrCat("cannot remove ", path, ": ", std::strerror(errno)),
                   {{"path", path}});
}

// A file that is shorter or another than when the next one was begun is damage.
absl::Status CheckFollows(const Segment& before, const Segment& segment) {
  const SegmentHeader& header = segment.header();
  if (header.previous != before.header().first.number) {
    return Corrupt(segment.path(), absl::StrCat("does not follow ", before.path(), ": the file of ",
                                                "commit ", header.previous, " is missing"));
  }
  if (header.previous_bytes == before.bytes()) return absl::OkStatus();
  return Corrupt(before.path(),
                 absl::StrCat("has ", before.bytes(), " bytes, and had ", header.previous_bytes));
}

}  // namespace

CommitDb::CommitDb(const CommitDbOptions& options)
    : options_(options), disk_(options.disk == nullptr ? SystemDisk() : *options.disk) {}

absl::StatusOr<std::unique_ptr<CommitDb>> CommitDb::Open(const CommitDbOptions& options) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(options.directory, 0700));
  std::unique_ptr<CommitDb> db(new CommitDb(options));
  std::string begun;
  CDGATE_RETURN_IF_ERROR(db->OpenSegments(&begun));
  CDGATE_RETURN_IF_ERROR(db->RecoverLast(std::move(begun)));
  db->sound_ = true;
  return db;
}

// Nothing but tidiness: a log that was not closed is opened as well.
CommitDb::~CommitDb() {
  const SegmentPtr last = Last();
  if (last != nullptr && sound_) last->Close().IgnoreError();
}

absl::Status CommitDb::OpenSegments(std::string* begun) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<std::string> paths,
                          PathsIn(options_.directory, ".segment"));
  MutexLock lock(mu_);
  for (const std::string& path : paths) {
    CDGATE_ASSIGN_OR_RETURN(SegmentPtr segment, Segment::Open(path, disk_));
    if (segment == nullptr) {
      if (&path != &paths.back()) return Corrupt(path, "does not begin as a segment does");
      *begun = path;
      return absl::OkStatus();
    }
    if (!segments_.empty()) CDGATE_RETURN_IF_ERROR(CheckFollows(*segments_.back(), *segment));
    segments_.push_back(std::move(segment));
  }
  return absl::OkStatus();
}

absl::Status CommitDb::RecoverLast(std::string begun) {
  MutexLock lock(mu_);
  std::vector<std::string> unused;
  if (!begun.empty()) unused.push_back(std::move(begun));
  while (!segments_.empty()) {
    // A file is begun only once all of the one before is durable.
    CDGATE_RETURN_IF_ERROR(segments_.back()->Recover(/*whole=*/!unused.empty()));
    if (!segments_.back()->empty()) break;
    // Its first commit was never acknowledged: the file before is the last.
    unused.push_back(segments_.back()->path());
    segments_.pop_back();
  }
  // Last, since they are what says that the file before is whole.
  for (const std::string& path : unused) CDGATE_RETURN_IF_ERROR(Remove(path));
  CDGATE_ASSIGN_OR_RETURN(const auto dropped, PathsIn(options_.directory, kDroppedExtension));
  for (const std::string& path : dropped) CDGATE_RETURN_IF_ERROR(Remove(path));
  return SyncDirectory(options_.directory);
}

CommitDb::SegmentPtr CommitDb::Last() const {
  MutexLock lock(mu_);
  return segments_.empty() ? nullptr : segments_.back();
}

absl::Status CommitDb::Put(const CommitKey& key, absl::string_view record) {
  if (record.size() > kMaxRecordBytes) {
    return MakeError(Reason::kLogWriteFailed, "a commit record is too large to be written");
  }
  SegmentPtr last = Last();
  bool roll = last == nullptr;
  if (last != nullptr && !last->empty()) {
    MutexLock lock(mu_);
    roll = std::exchange(close_, false) ||
           last->bytes() + kEntryHeaderBytes + record.size() > options_.file_bytes;
  }
  absl::Status status;
  if (roll) status = Roll(key);
  if (status.ok()) status = Last()->Append(key, record);
  if (status.ok()) return status;
  sound_ = false;
  return MakeError(Reason::kLogWriteFailed,
                   absl::StrCat(status.message(), "; check the disk and start again"));
}

absl::Status CommitDb::Roll(const CommitKey& first) {
  const SegmentPtr last = Last();
  SegmentHeader header{.first = first};
  if (last != nullptr) {
    header.previous = last->header().first.number;
    header.previous_bytes = last->bytes();
    CDGATE_RETURN_IF_ERROR(last->Close());
  }
  CDGATE_ASSIGN_OR_RETURN(SegmentPtr segment,
                          Segment::Create(options_.directory, header, options_.file_bytes, disk_));
  MutexLock lock(mu_);
  segments_.push_back(std::move(segment));
  return absl::OkStatus();
}

absl::StatusOr<event::CommitPtr> CommitDb::Newest() const {
  const SegmentPtr last = Last();
  if (last == nullptr) return event::CommitPtr();
  CDGATE_ASSIGN_OR_RETURN(std::optional<event::OwnedBytes> record, last->Newest());
  if (!record) return event::CommitPtr();
  return event::ParseCommit(*std::move(record));
}

std::optional<CommitKey> CommitDb::Oldest() const {
  MutexLock lock(mu_);
  if (segments_.empty() || segments_.front()->empty()) return std::nullopt;
  return segments_.front()->header().first;
}

// The segments that a read from `from` goes through.
std::vector<CommitDb::SegmentPtr> CommitDb::From(const ReadFrom& from) const {
  MutexLock lock(mu_);
  const auto after = std::partition_point(
      segments_.begin(), segments_.end(),
      [&](const SegmentPtr& segment) { return Reaches(segment->header().first, from); });
  const auto begin = after == segments_.begin() ? after : std::prev(after);
  return {begin, segments_.end()};
}

absl::StatusOr<std::vector<event::CommitPtr>> CommitDb::Read(const ReadFrom& from,
                                                             ReadLimits limits,
                                                             uint64_t last) const {
  std::vector<event::CommitPtr> out;
  if (from.commit > last) return out;
  ReadBudget budget(limits);
  const std::vector<SegmentPtr> segments = From(from);
  const auto way =
      limits.max_bytes < kStreamBytes ? BlockReader::Way::kLookup : BlockReader::Way::kStream;
  // The caller looked at the first commit before files were dropped.
  if (!segments.empty() && !Reaches(segments.front()->header().first, from)) return JustTrimmed();
  uint64_t expected = from.commit;
  for (const SegmentPtr& segment : segments) {
    CDGATE_ASSIGN_OR_RETURN(Segment::Cursor cursor, segment->Find(from, way));
    for (;;) {
      CDGATE_ASSIGN_OR_RETURN(const std::optional<EntryHeader> header, cursor.Peek());
      if (!header) break;
      if (!budget.MayFit(header->size)) return out;
      // Its numbers count only once the checksum, which covers them, was seen to fit.
      CDGATE_ASSIGN_OR_RETURN(event::OwnedBytes record, cursor.Read(*header));
      cursor.Pass(*header);
      const uint64_t number = header->key.number;
      if (expected != 0 && number != expected) return MissingCommit(expected);
      // A damaged header can lead Find() astray, but not unnoticed.
      if (expected == 0 && !Reaches(header->key, from)) return Misplaced(*segment, from);
      if (number > last) return out;
      expected = number + 1;
      absl::StatusOr<event::CommitPtr> commit = event::ParseCommit(std::move(record));
      if (!commit.ok()) return base::Annotate(commit.status(), absl::StrCat("commit ", number));
      if (from.commit == 0 && (*commit)->last_sequence < from.sequence) continue;
      if (!budget.Take(**commit)) return out;
      out.push_back(*std::move(commit));
    }
  }
  return out;
}

// None where the oldest file has to stay.
CommitDb::SegmentPtr CommitDb::OldestBefore(base::Sequence keep_from) const {
  MutexLock lock(mu_);
  const bool drop =
      segments_.size() > 1 && segments_[1]->header().first.first_sequence <= keep_from;
  return drop ? segments_.front() : nullptr;
}

// One by one, oldest first, each durably: whenever this ends, or the machine does, what
// is left has no gap.
absl::Status CommitDb::DropFilesBefore(base::Sequence keep_from) {
  while (SegmentPtr oldest = OldestBefore(keep_from)) {
    CDGATE_RETURN_IF_ERROR(SetAside(oldest->path()));
    MutexLock lock(mu_);
    if (segments_.front() != oldest) continue;
    segments_.erase(segments_.begin());
    dropped_.push_back(std::move(oldest));
  }
  return RemoveDropped();
}

// Empty where all that were dropped are read still.
std::string CommitDb::TakeUnread() {
  MutexLock lock(mu_);
  // Readers take them from segments_, so that none is added.
  const auto it = std::find_if(dropped_.begin(), dropped_.end(),
                               [](const SegmentPtr& segment) { return segment.use_count() == 1; });
  if (it == dropped_.end()) return "";
  std::string path = (*it)->path();
  dropped_.erase(it);
  return path;
}

// What is read waits for the next time, or the next start.
absl::Status CommitDb::RemoveDropped() {
  for (std::string path = TakeUnread(); !path.empty(); path = TakeUnread()) {
    CDGATE_RETURN_IF_ERROR(RemoveSetAside(path));
  }
  return absl::OkStatus();
}

void CommitDb::CloseFile() {
  MutexLock lock(mu_);
  close_ = !segments_.empty() && !segments_.back()->empty();
}

uint64_t CommitDb::bytes() const {
  MutexLock lock(mu_);
  uint64_t bytes = 0;
  for (const SegmentPtr& segment : segments_) bytes += segment->bytes();
  return bytes;
}

FileEnd CommitDb::End() const {
  const SegmentPtr last = Last();
  return last == nullptr ? FileEnd() : FileEnd{last->path(), last->bytes()};
}

// Names of files are in the order of the log.
std::vector<FileEnd> CommitDb::FilesUpTo(const FileEnd& end) const {
  std::vector<FileEnd> files;
  MutexLock lock(mu_);
  for (const SegmentPtr& segment : segments_) {
    if (segment->path() >= end.path) break;
    files.push_back({segment->path(), segment->bytes()});
  }
  if (!end.path.empty()) files.push_back(end);
  return files;
}

}  // namespace cdgate::eventlog
