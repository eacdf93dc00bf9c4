#include "gateway/eventlog/segments/segment_log.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/epoch.h"
#include "gateway/eventlog/segments/commit_db.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/head_file.h"

namespace cdgate::eventlog {

using base::MakeError;
using base::MutexLock;
using base::Reason;

class SegmentLog::Impl {
 public:
  Impl(std::unique_ptr<DirectoryLock> directory, std::unique_ptr<HeadFile> head_file,
       std::unique_ptr<CommitDb> db, base::Clock& clock, absl::Duration file_age)
      : directory_(std::move(directory)),
        head_file_(std::move(head_file)),
        db_(std::move(db)),
        clock_(clock),
        file_age_(file_age),
        file_closed_(clock.Monotonic()) {}

  // Finds both ends, and begins an epoch where one has to begin.
  absl::Status Begin(bool new_epoch, base::Random& random);
  absl::Status Append(const event::CommitPtr& commit);
  absl::StatusOr<std::vector<event::CommitPtr>> Read(const ReadFrom& from, ReadLimits limits) const;
  absl::Status Trim(base::Sequence keep_from);
  Head head() const;
  First first() const;
  uint64_t bytes() const { return db_->bytes(); }
  LogFiles Files() const;

  ObserverList observers;

 private:
  bool Regressed(const event::CommitPtr& newest) const;
  absl::Status Write(const event::Commit& commit);
  absl::Status FindFirst();
  bool FileIsOld();

  const std::unique_ptr<DirectoryLock> directory_;
  const std::unique_ptr<HeadFile> head_file_;
  const std::unique_ptr<CommitDb> db_;
  base::Clock& clock_;
  const absl::Duration file_age_;

  mutable base::Mutex mu_;
  Head head_ CDGATE_GUARDED_BY(mu_);
  FileEnd end_ CDGATE_GUARDED_BY(mu_);  // of head_
  First first_ CDGATE_GUARDED_BY(mu_);
  bool failed_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Duration file_closed_ CDGATE_GUARDED_BY(mu_);
};

// Does the log end before what it had acknowledged?
bool SegmentLog::Impl::Regressed(const event::CommitPtr& newest) const {
  const std::optional<uint64_t> acknowledged = head_file_->Read();
  const uint64_t last = newest == nullptr ? 0 : newest->number;
  if (!acknowledged || *acknowledged <= last) return false;
  base::Log(base::LogLevel::kError, "the log lost acknowledged commits: regression",
            {{"acknowledged", absl::StrCat(*acknowledged)}, {"found", absl::StrCat(last)}});
  return true;
}

absl::Status SegmentLog::Impl::Begin(bool new_epoch, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(const event::CommitPtr newest, db_->Newest());
  Head head;
  if (newest != nullptr) head = HeadAfter(*newest);
  if (Regressed(newest) || newest == nullptr || new_epoch) {
    const event::CommitPtr begin =
        MakeEpochCommit(NewEpoch(random), head.commit + 1, head.sequence.Next(), clock_.Now());
    CDGATE_RETURN_IF_ERROR(Write(*begin));
    base::Log(base::LogLevel::kInfo, "the log begins an epoch",
              {{"epoch", begin->epoch.value()}, {"commit", absl::StrCat(begin->number)}});
    head = HeadAfter(*begin);
  }
  head_file_->Write(head.commit);
  {
    MutexLock lock(mu_);
    head_ = head;
    end_ = db_->End();
  }
  return FindFirst();
}

absl::Status SegmentLog::Impl::FindFirst() {
  const std::optional<CommitKey> oldest = db_->Oldest();
  MutexLock lock(mu_);
  if (oldest) first_ = {.commit = oldest->number, .sequence = oldest->first_sequence};
  return absl::OkStatus();
}

absl::Status SegmentLog::Impl::Write(const event::Commit& commit) {
  return db_->Put({.first_sequence = commit.first_sequence, .number = commit.number}, commit.bytes);
}

absl::Status SegmentLog::Impl::Append(const event::CommitPtr& commit) {
  {
    MutexLock lock(mu_);
    if (failed_) return MakeError(Reason::kLogWriteFailed, "an earlier write of the log failed");
    CDGATE_RETURN_IF_ERROR(CheckContinues(*commit, head_));
  }
  observers.Announce(commit);
  const absl::Status written = Write(*commit);
  {
    MutexLock lock(mu_);
    failed_ = !written.ok();
    if (written.ok()) {
      head_ = HeadAfter(*commit);
      end_ = db_->End();
    }
  }
  if (!written.ok()) return written;
  head_file_->Write(commit->number);
  observers.Publish(commit);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<event::CommitPtr>> SegmentLog::Impl::Read(const ReadFrom& from,
                                                                     ReadLimits limits) const {
  const Head newest = head();
  CDGATE_RETURN_IF_ERROR(CheckReadFrom(from, newest, first()));
  return db_->Read(from, limits, newest.commit);
}

// True once every file_age_: the file that is being filled is then closed.
bool SegmentLog::Impl::FileIsOld() {
  MutexLock lock(mu_);
  const absl::Duration now = clock_.Monotonic();
  if (now - file_closed_ < file_age_) return false;
  file_closed_ = now;
  return true;
}

absl::Status SegmentLog::Impl::Trim(base::Sequence keep_from) {
  if (FileIsOld()) db_->CloseFile();
  if (keep_from <= first().sequence) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(db_->DropFilesBefore(keep_from));
  return FindFirst();
}

Head SegmentLog::Impl::head() const {
  MutexLock lock(mu_);
  return head_;
}

First SegmentLog::Impl::first() const {
  MutexLock lock(mu_);
  return first_;
}

LogFiles SegmentLog::Impl::Files() const {
  LogFiles out;
  FileEnd end;
  {
    MutexLock lock(mu_);
    out.head = head_;
    end = end_;
  }
  for (FileEnd& file : db_->FilesUpTo(end)) {
    out.files.push_back({std::move(file.path), file.bytes});
  }
  return out;
}

SegmentLog::SegmentLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SegmentLog::~SegmentLog() = default;

absl::StatusOr<std::unique_ptr<SegmentLog>> SegmentLog::Open(const SegmentLogOptions& options,
                                                             base::Clock& clock,
                                                             base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(auto directory, DirectoryLock::Take(options.directory));
  CDGATE_ASSIGN_OR_RETURN(auto head_file,
                          HeadFile::Open(base::JoinPath(options.directory, "head")));
  CDGATE_ASSIGN_OR_RETURN(auto db,
                          CommitDb::Open({.directory = base::JoinPath(options.directory, "commits"),
                                          .file_bytes = options.file_bytes,
                                          .disk = options.disk}));
  auto impl = std::make_unique<Impl>(std::move(directory), std::move(head_file), std::move(db),
                                     clock, options.file_age);
  CDGATE_RETURN_IF_ERROR(impl->Begin(options.new_epoch, random));
  CDGATE_RETURN_IF_ERROR(SyncDirectory(options.directory));
  return std::unique_ptr<SegmentLog>(new SegmentLog(std::move(impl)));
}

void SegmentLog::Append(event::CommitPtr commit, Appended done) { done(impl_->Append(commit)); }

absl::StatusOr<std::vector<event::CommitPtr>> SegmentLog::Read(ReadFrom from,
                                                               ReadLimits limits) const {
  return impl_->Read(from, limits);
}

Head SegmentLog::head() const { return impl_->head(); }
First SegmentLog::first() const { return impl_->first(); }
absl::Status SegmentLog::Trim(base::Sequence keep_from) { return impl_->Trim(keep_from); }
void SegmentLog::AddObserver(CommitObserver* observer) { impl_->observers.Add(observer); }
void SegmentLog::RemoveObserver(CommitObserver* observer) { impl_->observers.Remove(observer); }
Stats SegmentLog::stats() const { return {.bytes = impl_->bytes()}; }
LogFiles SegmentLog::Files() const { return impl_->Files(); }

}  // namespace cdgate::eventlog
