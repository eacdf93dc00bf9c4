// Which changes of resources belong to which recorded call, and which to none: those that a
// peer, a timer or the gateway itself made, which become entries of their own.
//
//   tracker.BeginCall(author);
//   auto changes = tracker.EndCall(author, snapshot, mentions);   // of that call
//   ...
//   tracker.Observe(snapshot);                                    // now and then
//   for (auto& change : tracker.TakeOrphans()) Record(change);
//
// Each change is handed out once. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gateway/app/audit_text.h"
#include "gateway/state/resources.h"

namespace cdgate::app {

class ChangeTracker {
 public:
  // Whether a call's request or answer names the resource.
  using Mentions = std::function<bool(const state::StoredResource&)>;
  // What is in the log already: kind, name, version.
  using Recorded = std::set<std::tuple<std::string, std::string, uint64_t>>;

  // The first snapshot: what it has behind `recorded_commit`, and what is not in `recorded`,
  // is still to be handed out.
  void Start(const state::ResourceSnapshotPtr& snapshot, uint64_t recorded_commit,
             const Recorded& recorded);

  void Observe(const state::ResourceSnapshotPtr& snapshot);
  void BeginCall(const std::string& author);
  // Hands out the call's changes: those of its author that it names, and where the author has
  // no other call under way all of them.
  std::vector<AuditedChange> EndCall(const std::string& author,
                                     const state::ResourceSnapshotPtr& snapshot,
                                     const Mentions& mentions);
  // Hands out those whose author has no call under way.
  std::vector<AuditedChange> TakeOrphans();

  // What was handed out is in the log; or it could not be written and is handed out again.
  void Done(const std::vector<AuditedChange>& changes);
  void GiveBack(const std::vector<AuditedChange>& changes);

  // Everything up to this commit is in the log.
  uint64_t recorded_commit() const;

 private:
  void Hand(const AuditedChange& change);

  state::ResourceSnapshotPtr seen_;
  std::vector<AuditedChange> pending_;
  std::multiset<uint64_t> handed_out_;  // commits
  std::map<std::string, int> calls_;    // by author, those under way
};

}  // namespace cdgate::app
