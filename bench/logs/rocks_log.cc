#include "bench/logs/rocks_log.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/epoch.h"

namespace cdgate::bench {

using base::MakeError;
using base::MutexLock;
using base::Reason;
using eventlog::Head;
using eventlog::HeadAfter;

RocksLog::RocksLog(std::unique_ptr<eventlog::DirectoryLock> directory,
                   std::unique_ptr<eventlog::HeadFile> head_file, std::unique_ptr<CommitRows> rows)
    : directory_(std::move(directory)), head_file_(std::move(head_file)), rows_(std::move(rows)) {}

absl::StatusOr<std::unique_ptr<RocksLog>> RocksLog::Open(CommitRowsOptions options,
                                                         base::Clock& clock, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(auto directory, eventlog::DirectoryLock::Take(options.directory));
  CDGATE_ASSIGN_OR_RETURN(auto head_file,
                          eventlog::HeadFile::Open(base::JoinPath(options.directory, "head")));
  options.directory = base::JoinPath(options.directory, "commits");
  CDGATE_ASSIGN_OR_RETURN(auto rows, CommitRows::Open(options));
  std::unique_ptr<RocksLog> log(
      new RocksLog(std::move(directory), std::move(head_file), std::move(rows)));
  CDGATE_RETURN_IF_ERROR(log->Begin(clock, random));
  return log;
}

// Does the log end before what it had acknowledged?
bool RocksLog::Regressed(const Head& newest) const {
  const std::optional<uint64_t> acknowledged = head_file_->Read();
  if (!acknowledged || *acknowledged <= newest.commit) return false;
  base::Log(
      base::LogLevel::kError, "the log lost acknowledged commits: regression",
      {{"acknowledged", absl::StrCat(*acknowledged)}, {"found", absl::StrCat(newest.commit)}});
  return true;
}

// Finds both ends, and begins an epoch where one has to begin.
absl::Status RocksLog::Begin(base::Clock& clock, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(const event::CommitPtr newest, rows_->Newest());
  Head head;
  if (newest != nullptr) head = HeadAfter(*newest);
  if (newest == nullptr || Regressed(head)) {
    const event::CommitPtr begin = eventlog::MakeEpochCommit(
        eventlog::NewEpoch(random), head.commit + 1, head.sequence.Next(), clock.Now());
    CDGATE_RETURN_IF_ERROR(Write(*begin));
    head = HeadAfter(*begin);
  }
  head_file_->Write(head.commit);
  {
    MutexLock lock(mu_);
    head_ = head;
  }
  return FindFirst();
}

absl::Status RocksLog::FindFirst() {
  CDGATE_ASSIGN_OR_RETURN(const std::optional<CommitKey> oldest, rows_->Oldest());
  MutexLock lock(mu_);
  if (oldest) first_ = {.commit = oldest->number, .sequence = oldest->first_sequence};
  return absl::OkStatus();
}

absl::Status RocksLog::Write(const event::Commit& commit) {
  return rows_->Put({.first_sequence = commit.first_sequence, .number = commit.number},
                    commit.bytes);
}

absl::Status RocksLog::Check(const event::Commit& commit) const {
  MutexLock lock(mu_);
  if (failed_) return MakeError(Reason::kLogWriteFailed, "an earlier write of the log failed");
  return eventlog::CheckContinues(commit, head_);
}

absl::Status RocksLog::AppendNow(const event::CommitPtr& commit) {
  CDGATE_RETURN_IF_ERROR(Check(*commit));
  observers_.Announce(commit);
  const absl::Status written = Write(*commit);
  {
    MutexLock lock(mu_);
    failed_ = !written.ok();
    if (written.ok()) head_ = HeadAfter(*commit);
  }
  if (!written.ok()) return written;
  head_file_->Write(commit->number);
  observers_.Publish(commit);
  return absl::OkStatus();
}

void RocksLog::Append(event::CommitPtr commit, Appended done) { done(AppendNow(commit)); }

absl::StatusOr<std::vector<event::CommitPtr>> RocksLog::Read(eventlog::ReadFrom from,
                                                             eventlog::ReadLimits limits) const {
  const Head newest = head();
  CDGATE_RETURN_IF_ERROR(eventlog::CheckReadFrom(from, newest, first()));
  return rows_->Read(from, limits, newest.commit);
}

absl::Status RocksLog::Trim(base::Sequence keep_from) {
  if (keep_from <= first().sequence) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(rows_->DropBefore(keep_from));
  return FindFirst();
}

Head RocksLog::head() const {
  MutexLock lock(mu_);
  return head_;
}

eventlog::First RocksLog::first() const {
  MutexLock lock(mu_);
  return first_;
}

}  // namespace cdgate::bench
