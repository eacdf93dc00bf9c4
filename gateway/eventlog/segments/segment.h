// One file of the log: a header and the entries of consecutive commits, each durable
// before the next is written.
//
//   CDGATE_ASSIGN_OR_RETURN(auto segment, Segment::Create(directory, header, room, disk));
//   CDGATE_RETURN_IF_ERROR(segment->Append(key, record));
//   CDGATE_ASSIGN_OR_RETURN(const auto cursor, segment->Find({.sequence = from},
//   BlockReader::Way::kStream)); CDGATE_ASSIGN_OR_RETURN(auto entry, cursor.Read());
//
// One thread appends; any number read at the same time, each over a descriptor of its
// own, so that a long log costs none. A sparse index (one point for each kIndexBytes) is
// kept in memory; that of a file from before the start is made when it is first read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/mutex.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/segments/block_reader.h"
#include "gateway/eventlog/segments/block_writer.h"
#include "gateway/eventlog/segments/disk.h"
#include "gateway/eventlog/segments/entry.h"

namespace cdgate::eventlog {

inline constexpr size_t kIndexBytes = 256 << 10;

// LOG_CORRUPT, with the place and what to do.
absl::Status Corrupt(absl::string_view where, absl::string_view what);

class Segment {
 public:
  // Reads entries, one behind the other, up to the end that the segment had when it was
  // made. Movable; for one thread.
  class Cursor {
   public:
    // At the end: none.
    absl::StatusOr<std::optional<EntryHeader>> Peek();
    // The record of the entry that Peek() gave. LOG_CORRUPT.
    absl::StatusOr<event::OwnedBytes> Read(const EntryHeader& header);
    void Pass(const EntryHeader& header) { offset_ = header.end(offset_); }
    uint64_t offset() const { return offset_; }

   private:
    friend class Segment;
    Cursor(const Segment& segment, BlockReader file, uint64_t offset);
    std::string path_;
    BlockReader file_;
    uint64_t end_;
    uint64_t offset_;
  };

  // Makes an empty one, durably, with `room` bytes reserved where the file system can.
  // An error is an errno's text.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(const std::string& directory,
                                                         const SegmentHeader& header, size_t room,
                                                         Disk& disk);
  // One that is there, with all that its file holds, to be read; no file stays open.
  // Unless it was closed, bytes() is right only after Recover(). None:
  // a file that was begun when the machine stopped, and never used. LOG_CORRUPT,
  // LOG_FORMAT_NEWER, FILE_UNREADABLE.
  static absl::StatusOr<std::shared_ptr<Segment>> Open(const std::string& path, Disk& disk);

  // For the last file of a log, before its first Append: walks over all entries, cuts a
  // torn last one, finds the newest and makes sure that it is on disk. LOG_CORRUPT where
  // something legible comes after the first damage, or, where all of it is known to have
  // been durable (`whole`), for any damage; FILE_UNREADABLE, FILE_UNWRITABLE.
  absl::Status Recover(bool whole);

  // Durable on return; an error is the system's, what is in the file then unknown, and
  // nothing may be appended any more.
  absl::Status Append(const CommitKey& key, absl::string_view record);
  // Gives back what was reserved and filled up, durably: the file is bytes() long. No
  // Append after it.
  absl::Status Close();

  // At the last entry that begins at or before `from` (at `from.commit`, where that is
  // set); at the first where there is none. `way`: kStream where much is read from there on.
  absl::StatusOr<Cursor> Find(const ReadFrom& from, BlockReader::Way way) const;
  // After Append or Recover; none where it is empty.
  absl::StatusOr<std::optional<event::OwnedBytes>> Newest() const;

  const SegmentHeader& header() const { return header_; }
  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_.load(std::memory_order_acquire); }
  bool empty() const { return bytes() == kSegmentHeaderBytes; }

 private:
  struct Point {
    CommitKey key;
    uint64_t offset;
  };

  Segment(std::string path, const SegmentHeader& header, uint64_t bytes, Disk& disk);
  absl::StatusOr<Cursor> OpenAt(uint64_t offset, BlockReader::Way way) const;
  void Index(const CommitKey& key, uint64_t offset) const CDGATE_REQUIRES(mu_);
  absl::Status MakeIndex() const;
  absl::StatusOr<uint64_t> Walk(uint64_t* commits);
  absl::StatusOr<bool> IsTorn(uint64_t offset, uint64_t commits, bool whole) const;
  absl::Status CutTail(uint64_t offset, bool torn);
  // All from `offset` on.
  absl::StatusOr<std::string> Tail(uint64_t offset) const;
  absl::Status SettleNewest();

  const std::string path_;
  const SegmentHeader header_;
  BlockWriter writer_;           // the appending thread's; open in the last file of a log only
  std::atomic<uint64_t> bytes_;  // of whole entries, and the header
  uint64_t newest_ = 0;          // offset of the newest entry; the appending thread's

  mutable base::Mutex mu_;
  mutable std::vector<Point> index_ CDGATE_GUARDED_BY(mu_);
  mutable bool indexed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::eventlog
