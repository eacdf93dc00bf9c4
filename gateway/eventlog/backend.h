// What every backend of the log needs.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "gateway/base/mutex.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

// TRIMMED or EPOCH_REGRESSED, as EventLog::Read says.
absl::Status CheckReadFrom(const ReadFrom& from, const Head& head, const First& first);

// NOT_LEADER where `commit` is not the one that comes after `head`.
absl::Status CheckContinues(const event::Commit& commit, const Head& head);

Head HeadAfter(const event::Commit& commit);

// Counts what a read gives against its limits.
class ReadBudget {
 public:
  explicit ReadBudget(ReadLimits limits) : limits_(limits) {}
  // True where `commit` still fits, and counts it. The first one always fits.
  bool Take(const event::Commit& commit);
  // False where no commit whose record has `bytes` bytes fits any more: it need not be read.
  bool MayFit(size_t bytes) const { return empty_ || bytes_ + bytes <= limits_.max_bytes; }

 private:
  const ReadLimits limits_;
  size_t events_ = 0;
  size_t bytes_ = 0;
  bool empty_ = true;
};

// The observers of a log. What tells them is called by one thread at a time.
class ObserverList {
 public:
  void Add(CommitObserver* observer);
  // Returns when no call of `observer` runs any more.
  void Remove(CommitObserver* observer);
  void Announce(const event::CommitPtr& commit) { Tell(commit, &CommitObserver::OnAppend); }
  void Publish(const event::CommitPtr& commit) { Tell(commit, &CommitObserver::OnCommit); }

 private:
  void Tell(const event::CommitPtr& commit,
            void (CommitObserver::*what)(const event::CommitPtr& commit));

  base::Mutex mu_;
  base::CondVar idle_;
  std::vector<CommitObserver*> observers_ CDGATE_GUARDED_BY(mu_);
  bool publishing_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::eventlog
