#include "gateway/eventlog/segments/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/segments/directory.h"

namespace cdgate::eventlog {
namespace {

using base::MakeError;
using base::MutexLock;
using base::Reason;

constexpr char kRemedy[] =
    "; restore the data directory from a backup, or move it away and let peers send again";

absl::Status SystemError(Reason reason, absl::string_view what, const std::string& path,
                         int error) {
  return MakeError(reason, absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error)),
                   {{"path", path}});
}

// Whether `key` comes no later than what `from` asks for.
bool IsAtOrBefore(const CommitKey& key, const ReadFrom& from) {
  return from.commit != 0 ? key.number <= from.commit : key.first_sequence <= from.sequence;
}

// Is there a whole entry of a commit after `expected` anywhere in `bytes`?
bool HasLegibleEntry(absl::string_view bytes, uint64_t expected) {
  for (size_t at = 0; at + kEntryHeaderBytes <= bytes.size(); ++at) {
    const EntryHeader header = EntryHeader::Decode(bytes.substr(at));
    const uint64_t most = expected + bytes.size() / kEntryHeaderBytes;
    if (header.key.number < expected || header.key.number > most) continue;
    const absl::string_view rest = bytes.substr(at + kEntryHeaderBytes);
    if (header.size <= rest.size() && header.Fits(rest.substr(0, header.size))) return true;
  }
  return false;
}

// Is `tail` what a BlockWriter leaves behind what was appended last?
bool IsFilledUp(absl::string_view tail) {
  return tail.size() <= kMostZeros && tail.find_first_not_of('\0') == absl::string_view::npos;
}

// Is it what a BlockWriter leaves where the machine stops before the header is on disk?
bool IsBlank(BlockReader& file, uint64_t size) {
  if (size > kMostZeros) return false;
  std::string bytes(static_cast<size_t>(size), '\0');
  return file.Read(0, bytes.size(), bytes.data()) && IsFilledUp(bytes);
}

}  // namespace

absl::Status Corrupt(absl::string_view where, absl::string_view what) {
  return MakeError(Reason::kLogCorrupt, absl::StrCat(where, " ", what, kRemedy),
                   {{"path", std::string(where)}});
}

// ------------------------------------------------------------------- reading

Segment::Cursor::Cursor(const Segment& segment, BlockReader file, uint64_t offset)
    : path_(segment.path_), file_(std::move(file)), end_(segment.bytes()), offset_(offset) {}

absl::StatusOr<std::optional<EntryHeader>> Segment::Cursor::Peek() {
  if (offset_ >= end_) return std::nullopt;
  char bytes[kEntryHeaderBytes];
  if (offset_ + sizeof bytes > end_ || !file_.Read(offset_, sizeof bytes, bytes)) {
    return Corrupt(path_, absl::StrCat("ends within an entry at byte ", offset_));
  }
  const EntryHeader header = EntryHeader::Decode({bytes, sizeof bytes});
  if (header.size <= kMaxRecordBytes && header.end(offset_) <= end_) return header;
  return Corrupt(path_, absl::StrCat("is damaged at byte ", offset_));
}

absl::StatusOr<event::OwnedBytes> Segment::Cursor::Read(const EntryHeader& header) {
  event::OwnedBytes record({}, header.size);
  if (file_.Read(offset_ + kEntryHeaderBytes, header.size, record.Extend(header.size)) &&
      header.Fits(record)) {
    return record;
  }
  return Corrupt(path_,
                 absl::StrCat("is damaged at byte ", offset_, ", in commit ", header.key.number));
}

absl::StatusOr<Segment::Cursor> Segment::OpenAt(uint64_t offset, BlockReader::Way way) const {
  BlockReader file;
  const int error = file.Open(path_, way);
  if (error == 0) return Cursor(*this, std::move(file), offset);
  if (error == ENOENT) return MakeError(Reason::kTrimmed, "retention has just removed the events");
  return SystemError(Reason::kFileUnreadable, "open", path_, error);
}

absl::Status Segment::MakeIndex() const {
  {
    MutexLock lock(mu_);
    if (indexed_) return absl::OkStatus();
  }
  CDGATE_ASSIGN_OR_RETURN(Cursor cursor, OpenAt(kSegmentHeaderBytes, BlockReader::Way::kLookup));
  std::vector<std::pair<CommitKey, uint64_t>> entries;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const std::optional<EntryHeader> header, cursor.Peek());
    if (!header) break;
    entries.emplace_back(header->key, cursor.offset());
    cursor.Pass(*header);
  }
  MutexLock lock(mu_);
  if (indexed_) return absl::OkStatus();
  for (const auto& [key, offset] : entries) Index(key, offset);
  indexed_ = true;
  return absl::OkStatus();
}

void Segment::Index(const CommitKey& key, uint64_t offset) const {
  if (index_.empty() || offset - index_.back().offset >= kIndexBytes) {
    index_.push_back({key, offset});
  }
}

absl::StatusOr<Segment::Cursor> Segment::Find(const ReadFrom& from, BlockReader::Way way) const {
  CDGATE_RETURN_IF_ERROR(MakeIndex());
  uint64_t offset = kSegmentHeaderBytes;
  {
    MutexLock lock(mu_);
    const auto after = std::partition_point(
        index_.begin(), index_.end(), [&](const Point& p) { return IsAtOrBefore(p.key, from); });
    if (after != index_.begin()) offset = std::prev(after)->offset;
  }
  CDGATE_ASSIGN_OR_RETURN(Cursor cursor, OpenAt(offset, way));
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const std::optional<EntryHeader> here, cursor.Peek());
    if (!here) return cursor;
    const uint64_t stay = cursor.offset();
    cursor.Pass(*here);
    CDGATE_ASSIGN_OR_RETURN(const std::optional<EntryHeader> next, cursor.Peek());
    if (next && IsAtOrBefore(next->key, from)) continue;
    cursor.offset_ = stay;
    return cursor;
  }
}

absl::StatusOr<std::optional<event::OwnedBytes>> Segment::Newest() const {
  if (empty()) return std::nullopt;
  CDGATE_ASSIGN_OR_RETURN(Cursor cursor, OpenAt(newest_, BlockReader::Way::kLookup));
  CDGATE_ASSIGN_OR_RETURN(const std::optional<EntryHeader> header, cursor.Peek());
  CDGATE_ASSIGN_OR_RETURN(event::OwnedBytes record, cursor.Read(*header));
  return record;
}

// ------------------------------------------------------------------- writing

Segment::Segment(std::string path, const SegmentHeader& header, uint64_t bytes, Disk& disk)
    : path_(std::move(path)), header_(header), writer_(disk), bytes_(bytes) {}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Create(const std::string& directory,
                                                         const SegmentHeader& header, size_t room,
                                                         Disk& disk) {
  // Named so that the order of names is that of the log.
  const std::string path =
      base::JoinPath(directory, absl::StrFormat("%020d.segment", header.first.number));
  std::shared_ptr<Segment> segment(new Segment(path, header, kSegmentHeaderBytes, disk));
  const std::string bytes = header.Encode();
  int error = segment->writer_.Make(path, room);
  if (error == 0) error = segment->writer_.Append({bytes});
  if (error != 0) return SystemError(Reason::kLogWriteFailed, "make", path, error);
  CDGATE_RETURN_IF_ERROR(SyncDirectory(directory));
  MutexLock lock(segment->mu_);
  segment->indexed_ = true;
  return segment;
}

absl::Status Segment::Append(const CommitKey& key, absl::string_view record) {
  const uint64_t offset = bytes();
  const EntryHeader header = EntryHeader::Of(key, record);
  const std::string head = header.Encode();
  const int error = writer_.Append({head, record});
  if (error != 0) return SystemError(Reason::kLogWriteFailed, "write", path_, error);
  {
    MutexLock lock(mu_);
    Index(key, offset);
  }
  newest_ = offset;
  bytes_.store(header.end(offset), std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Segment::Close() {
  const int error = writer_.Cut();
  writer_.Close();
  if (error == 0) return absl::OkStatus();
  return SystemError(Reason::kLogWriteFailed, "cut", path_, error);
}

// ------------------------------------------------------------------- opening

absl::StatusOr<std::shared_ptr<Segment>> Segment::Open(const std::string& path, Disk& disk) {
  BlockReader file;
  struct stat info {};
  int error = file.Open(path, BlockReader::Way::kLookup);
  if (error == 0 && fstat(file.fd(), &info) != 0) error = errno;
  if (error != 0) return SystemError(Reason::kFileUnreadable, "open", path, error);
  const auto size = static_cast<uint64_t>(info.st_size);
  std::string bytes(kSegmentHeaderBytes, '\0');
  const bool whole = size >= bytes.size() && file.Read(0, bytes.size(), bytes.data());
  const std::optional<SegmentHeader> header =
      whole ? SegmentHeader::Decode(bytes) : std::optional<SegmentHeader>();
  if (!header) {
    // Entries are written only once the header is durable.
    if (size <= kSegmentHeaderBytes || IsBlank(file, size)) return std::shared_ptr<Segment>();
    return Corrupt(path, "does not begin as a segment does");
  }
  if (header->format > kSegmentFormat) {
    return MakeError(Reason::kLogFormatNewer,
                     absl::StrCat(path, " has format ", header->format, ", this release knows ",
                                  kSegmentFormat, "; start a newer release"),
                     {{"path", path}});
  }
  return std::shared_ptr<Segment>(new Segment(path, *header, size, disk));
}

absl::Status Segment::Recover(bool whole) {
  const int error = writer_.Open(path_);
  if (error != 0) return SystemError(Reason::kFileUnwritable, "open", path_, error);
  uint64_t commits = 0;
  CDGATE_ASSIGN_OR_RETURN(const uint64_t end, Walk(&commits));
  if (end < bytes()) {
    CDGATE_ASSIGN_OR_RETURN(const bool torn, IsTorn(end, commits, whole));
    CDGATE_RETURN_IF_ERROR(CutTail(end, torn));
  }
  return SettleNewest();
}

// Where the whole entries end, and how many there are.
absl::StatusOr<uint64_t> Segment::Walk(uint64_t* commits) {
  CDGATE_ASSIGN_OR_RETURN(Cursor cursor, OpenAt(kSegmentHeaderBytes, BlockReader::Way::kStream));
  MutexLock lock(mu_);
  indexed_ = true;
  for (;; ++*commits) {
    const auto header = cursor.Peek();
    if (!header.ok() || !*header || !cursor.Read(**header).ok()) return cursor.offset();
    const CommitKey& key = (*header)->key;
    const uint64_t expected = header_.first.number + *commits;
    if (key.number != expected) {
      return Corrupt(path_, absl::StrCat("is damaged: commit ", expected, " is missing"));
    }
    Index(key, cursor.offset());
    newest_ = cursor.offset();
    cursor.Pass(**header);
  }
}

absl::StatusOr<std::string> Segment::Tail(uint64_t offset) const {
  BlockReader file;
  std::string tail(bytes() - offset, '\0');
  const int error = file.Open(path_, BlockReader::Way::kLookup);
  if (error == 0 && file.Read(offset, tail.size(), tail.data())) return tail;
  return SystemError(Reason::kFileUnreadable, "read", path_, error != 0 ? error : EIO);
}

// What is at `offset`, after `commits` whole ones: true, a write that never ended; false,
// what the last block of one that did is filled up with. LOG_CORRUPT: neither.
absl::StatusOr<bool> Segment::IsTorn(uint64_t offset, uint64_t commits, bool whole) const {
  CDGATE_ASSIGN_OR_RETURN(const std::string tail, Tail(offset));
  const uint64_t torn = header_.first.number + commits;
  if (!whole && IsFilledUp(tail)) return false;
  if (!whole && !HasLegibleEntry(tail, torn + 1)) return true;
  return Corrupt(path_, absl::StrCat("is damaged at byte ", offset, ", after ", commits,
                                     " whole commits, and not at the end of the log"));
}

absl::Status Segment::CutTail(uint64_t offset, bool torn) {
  if (torn) {
    base::Log(base::LogLevel::kWarning, "cut the torn last write of the log",
              {{"path", path_}, {"bytes", absl::StrCat(bytes() - offset)}});
  }
  int error = writer_.Seek(offset);
  if (error == 0) error = writer_.Cut();
  if (error != 0) return SystemError(Reason::kFileUnwritable, "cut", path_, error);
  bytes_.store(offset, std::memory_order_release);
  return absl::OkStatus();
}

// A process that ended between its write and the sync, or whose sync failed, leaves an
// entry that is in the system's memory only, maybe not even marked as to be written. It
// is read from now on, so it is written again, the same bytes, and synced.
absl::Status Segment::SettleNewest() {
  const uint64_t from = empty() ? bytes() : newest_;
  CDGATE_ASSIGN_OR_RETURN(const std::string entry, Tail(from));
  int error = writer_.Seek(from);
  if (error == 0 && !entry.empty()) error = writer_.Append({entry});
  if (error == 0) return absl::OkStatus();
  return SystemError(Reason::kFileUnwritable, "write", path_, error);
}

}  // namespace cdgate::eventlog
