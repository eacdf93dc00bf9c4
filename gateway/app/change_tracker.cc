#include "gateway/app/change_tracker.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cdgate::app {
namespace {

// What peers send by itself, and what follows from it: not an act of administration. The
// reasons are in the ADR about the audit log.
bool IsAudited(const state::StoredResource& resource) {
  return resource.kind != state::kInterestKind && resource.kind != state::kReplayKind &&
         resource.kind != state::kEnvironmentKind;
}

}  // namespace

void ChangeTracker::Start(const state::ResourceSnapshotPtr& snapshot, uint64_t recorded_commit,
                          const Recorded& recorded) {
  seen_ = snapshot;
  for (const state::ResourcePtr& after : snapshot->ChangedAfter(recorded_commit)) {
    if (!IsAudited(*after) || recorded.contains({after->kind, after->name, after->version})) {
      continue;
    }
    pending_.push_back({.before = nullptr, .after = after});
  }
}

void ChangeTracker::Observe(const state::ResourceSnapshotPtr& snapshot) {
  if (snapshot->commit() <= seen_->commit()) return;
  for (const state::ResourcePtr& after : snapshot->ChangedAfter(seen_->commit())) {
    if (!IsAudited(*after)) continue;
    pending_.push_back({.before = seen_->Latest(after->kind, after->name), .after = after});
  }
  seen_ = snapshot;
}

void ChangeTracker::BeginCall(const std::string& author) { ++calls_[author]; }

std::vector<AuditedChange> ChangeTracker::EndCall(const std::string& author,
                                                  const state::ResourceSnapshotPtr& snapshot,
                                                  const Mentions& mentions) {
  Observe(snapshot);
  const auto calls = calls_.find(author);
  const bool alone = calls->second == 1;
  if (--calls->second == 0) calls_.erase(calls);
  std::vector<AuditedChange> out;
  std::erase_if(pending_, [&](const AuditedChange& change) {
    if (change.after->author != author || !(alone || mentions(*change.after))) return false;
    out.push_back(change);
    return true;
  });
  for (const AuditedChange& change : out) Hand(change);
  return out;
}

std::vector<AuditedChange> ChangeTracker::TakeOrphans() {
  std::vector<AuditedChange> out;
  std::erase_if(pending_, [&](const AuditedChange& change) {
    if (calls_.contains(change.after->author)) return false;
    out.push_back(change);
    return true;
  });
  for (const AuditedChange& change : out) Hand(change);
  return out;
}

void ChangeTracker::Hand(const AuditedChange& change) { handed_out_.insert(change.after->commit); }

void ChangeTracker::Done(const std::vector<AuditedChange>& changes) {
  for (const AuditedChange& change : changes) {
    const auto it = handed_out_.find(change.after->commit);
    if (it != handed_out_.end()) handed_out_.erase(it);
  }
}

void ChangeTracker::GiveBack(const std::vector<AuditedChange>& changes) {
  Done(changes);
  pending_.insert(pending_.end(), changes.begin(), changes.end());
}

uint64_t ChangeTracker::recorded_commit() const {
  uint64_t commit = seen_ == nullptr ? 0 : seen_->commit();
  for (const AuditedChange& change : pending_) {
    commit = std::min(commit, change.after->commit - 1);
  }
  if (!handed_out_.empty()) commit = std::min(commit, *handed_out_.begin() - 1);
  return commit;
}

}  // namespace cdgate::app
