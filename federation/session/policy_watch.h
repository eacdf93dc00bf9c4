// What decides the events of one peer as the store has it at the moment: our policy for it,
// compiled, the groups and labels in force, and the keys of its pseudonyms.
//
//   PolicyWatch policy(store, keeper, "beta.example");
//   if (policy.Refresh()) Use(policy.current());
//
// Whoever decides an event refreshes first: what the log has, its readers have, so an
// event is never decided by a policy that was replaced before the event was accepted.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "federation/session/session_types.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class PolicyWatch {
 public:
  // Both outlive the watch.
  PolicyWatch(const state::Store& store, const PseudonymKeeper& keeper, std::string peer)
      : store_(store), keeper_(keeper), peer_(std::move(peer)), current_(NoPolicy()) {}

  // Looks at the store; true where current() is another now. Costs next to nothing where
  // no resource changed.
  bool Refresh();

  // NoPolicy() where none is in force, or one that this release does not take.
  const PeerPolicy& current() const { return current_; }

 private:
  // Of policy, environment and keys; 0: there is none.
  using Versions = std::array<uint64_t, 3>;
  Versions VersionsIn(const state::ResourceSnapshot& resources) const;
  PeerPolicy Compile(const state::ResourceSnapshot& resources) const;

  const state::Store& store_;
  const PseudonymKeeper& keeper_;
  const std::string peer_;
  PeerPolicy current_;
  Versions versions_ = {};    // of current_
  uint64_t seen_commit_ = 0;  // of the snapshot looked at last
};

}  // namespace cdgate::session
