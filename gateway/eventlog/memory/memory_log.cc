#include "gateway/eventlog/memory/memory_log.h"

#include <algorithm>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/epoch.h"

namespace cdgate::eventlog {

using base::MakeError;
using base::MutexLock;
using base::Reason;

MemoryLog::MemoryLog(std::shared_ptr<MemoryLogStorage> storage, base::Clock& clock,
                     base::Random& random, Mode mode)
    : storage_(std::move(storage)), mode_(mode) {
  std::deque<std::string> stored;
  {
    MutexLock lock(storage_->mu);
    stored = storage_->commits;
  }
  {
    MutexLock lock(mu_);
    for (const std::string& bytes : stored) {
      commits_.push_back(
          *event::ParseCommit(event::OwnedBytes(bytes)));  // our own bytes, untouched
      bytes_ += commits_.back()->byte_size;
    }
  }
  if (stored.empty()) {
    Commit(MakeEpochCommit(NewEpoch(random), 1, base::Sequence(1), clock.Now()));
  }
}

absl::Status MemoryLog::Check(const event::Commit& commit) const {
  if (failed_) return MakeError(Reason::kLogWriteFailed, "the log cannot be written");
  if (!leader_) return MakeError(Reason::kNotLeader, "another instance writes the log");
  const event::Commit& last = outstanding_.empty() ? *commits_.back() : *outstanding_.back().commit;
  return CheckContinues(commit, HeadAfter(last));
}

void MemoryLog::Append(event::CommitPtr commit, Appended done) {
  absl::Status status;
  {
    MutexLock lock(mu_);
    status = Check(*commit);
    if (status.ok() && mode_ == Mode::kRemote) outstanding_.push_back({commit, done});
  }
  if (status.ok()) observers_.Announce(commit);
  if (status.ok() && mode_ == Mode::kRemote) return;
  if (status.ok()) Commit(commit);
  done(std::move(status));
}

// Makes `commit` durable and tells the observers.
void MemoryLog::Commit(const event::CommitPtr& commit) {
  {
    MutexLock lock(storage_->mu);
    storage_->commits.push_back(std::string(commit->bytes));
  }
  {
    MutexLock lock(mu_);
    commits_.push_back(commit);
    bytes_ += commit->byte_size;
  }
  observers_.Publish(commit);
}

First MemoryLog::FirstKept() const {
  return {.commit = commits_.front()->number, .sequence = commits_.front()->first_sequence};
}

// Where in commits_ a read begins; its size where there is nothing to read yet.
size_t MemoryLog::IndexOf(const ReadFrom& from) const {
  const auto before = [&](const event::CommitPtr& commit) {
    if (from.commit != 0) return commit->number < from.commit;
    return commit->last_sequence < from.sequence;
  };
  return static_cast<size_t>(std::partition_point(commits_.begin(), commits_.end(), before) -
                             commits_.begin());
}

absl::StatusOr<std::vector<event::CommitPtr>> MemoryLog::Read(ReadFrom from,
                                                              ReadLimits limits) const {
  MutexLock lock(mu_);
  CDGATE_RETURN_IF_ERROR(CheckReadFrom(from, HeadAfter(*commits_.back()), FirstKept()));
  std::vector<event::CommitPtr> out;
  ReadBudget budget(limits);
  for (size_t i = IndexOf(from); i < commits_.size() && budget.Take(*commits_[i]); ++i) {
    out.push_back(commits_[i]);
  }
  return out;
}

Head MemoryLog::head() const {
  MutexLock lock(mu_);
  return HeadAfter(*commits_.back());
}

First MemoryLog::first() const {
  MutexLock lock(mu_);
  return FirstKept();
}

absl::Status MemoryLog::Trim(base::Sequence keep_from) {
  size_t dropped = 0;
  {
    MutexLock lock(mu_);
    for (; commits_.size() > 1 && commits_.front()->last_sequence < keep_from; ++dropped) {
      bytes_ -= commits_.front()->byte_size;
      commits_.pop_front();
    }
  }
  MutexLock lock(storage_->mu);
  storage_->commits.erase(storage_->commits.begin(),
                          storage_->commits.begin() + static_cast<ptrdiff_t>(dropped));
  return absl::OkStatus();
}

Stats MemoryLog::stats() const {
  MutexLock lock(mu_);
  return {.bytes = bytes_};
}

void MemoryLog::FailWrites() {
  MutexLock lock(mu_);
  failed_ = true;
}

void MemoryLog::LoseLeadership() {
  std::deque<Outstanding> refused;
  {
    MutexLock lock(mu_);
    leader_ = false;
    refused.swap(outstanding_);
  }
  for (auto it = refused.rbegin(); it != refused.rend(); ++it) {
    it->done(MakeError(Reason::kNotLeader, "another instance writes the log"));
  }
}

void MemoryLog::GainLeadership() {
  MutexLock lock(mu_);
  leader_ = true;
}

size_t MemoryLog::outstanding() const {
  MutexLock lock(mu_);
  return outstanding_.size();
}

void MemoryLog::Complete(size_t n) {
  std::deque<Outstanding> completed;
  {
    MutexLock lock(mu_);
    n = std::min(n, outstanding_.size());
    const auto end = outstanding_.begin() + static_cast<ptrdiff_t>(n);
    std::move(outstanding_.begin(), end, std::back_inserter(completed));
    outstanding_.erase(outstanding_.begin(), end);
  }
  for (const Outstanding& one : completed) Commit(one.commit);
  for (auto it = completed.rbegin(); it != completed.rend(); ++it) it->done(absl::OkStatus());
}

}  // namespace cdgate::eventlog
