#include "gateway/eventlog/backend.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::eventlog {

using base::MakeError;
using base::MutexLock;
using base::Reason;

namespace {

absl::Status Trimmed(absl::string_view what, uint64_t wanted, uint64_t oldest) {
  return MakeError(
      Reason::kTrimmed,
      absl::StrCat(what, " ", wanted, " is older than retention; the oldest kept is ", oldest));
}

absl::Status Regressed(absl::string_view what, uint64_t wanted, uint64_t newest) {
  return MakeError(Reason::kEpochRegressed,
                   absl::StrCat(what, " ", wanted, " is beyond the head of the log, ", newest));
}

}  // namespace

absl::Status CheckReadFrom(const ReadFrom& from, const Head& head, const First& first) {
  if (from.commit != 0) {
    if (from.commit < first.commit) return Trimmed("commit", from.commit, first.commit);
    if (from.commit > head.commit + 1) return Regressed("commit", from.commit, head.commit);
    return absl::OkStatus();
  }
  const uint64_t wanted = from.sequence.value();
  if (from.sequence < first.sequence) return Trimmed("sequence", wanted, first.sequence.value());
  if (from.sequence > head.sequence.Next()) {
    return Regressed("sequence", wanted, head.sequence.value());
  }
  return absl::OkStatus();
}

absl::Status CheckContinues(const event::Commit& commit, const Head& head) {
  if (commit.epoch == head.epoch && commit.number == head.commit + 1 &&
      commit.first_sequence == head.sequence.Next()) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kNotLeader,
                   absl::StrCat("commit ", commit.number, " does not continue the log at commit ",
                                head.commit, "; another instance writes it"));
}

Head HeadAfter(const event::Commit& commit) {
  return {.epoch = commit.epoch,
          .commit = commit.number,
          .sequence = commit.last_sequence,
          .commit_time = commit.commit_time};
}

bool ReadBudget::Take(const event::Commit& commit) {
  events_ += commit.events.size();
  bytes_ += commit.byte_size;
  const bool fits = events_ <= limits_.max_events && bytes_ <= limits_.max_bytes;
  const bool taken = empty_ || fits;
  empty_ = false;
  return taken;
}

void ObserverList::Add(CommitObserver* observer) {
  MutexLock lock(mu_);
  observers_.push_back(observer);
}

void ObserverList::Remove(CommitObserver* observer) {
  MutexLock lock(mu_);
  observers_.erase(std::remove(observers_.begin(), observers_.end(), observer), observers_.end());
  while (publishing_) idle_.Wait(mu_);
}

void ObserverList::Tell(const event::CommitPtr& commit,
                        void (CommitObserver::*what)(const event::CommitPtr& commit)) {
  std::vector<CommitObserver*> observers;
  {
    MutexLock lock(mu_);
    observers = observers_;
    publishing_ = true;
  }
  for (CommitObserver* observer : observers) (observer->*what)(commit);
  MutexLock lock(mu_);
  publishing_ = false;
  idle_.SignalAll();
}

}  // namespace cdgate::eventlog
