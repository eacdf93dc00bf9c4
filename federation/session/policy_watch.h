// Our policy for one peer, compiled, as the store has it at the moment.
//
//   PolicyWatch policy(store, "beta.example");
//   if (policy.Refresh()) Use(policy.current());
//
// Whoever decides an event refreshes first: what the log has, its readers have, so an
// event is never decided by a policy that was replaced before the event was accepted.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "federation/session/session_types.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class PolicyWatch {
 public:
  PolicyWatch(const state::Store& store, std::string peer)
      : store_(store), peer_(std::move(peer)), current_(NoPolicy()) {}

  // Looks at the store; true where current() is another now. Costs next to nothing where
  // no resource changed.
  bool Refresh();

  // NoPolicy() where none is in force, or one that this release does not take.
  const PeerPolicy& current() const { return current_; }

 private:
  const state::Store& store_;
  const std::string peer_;
  PeerPolicy current_;
  uint64_t version_ = 0;      // of current_; 0: none
  uint64_t seen_commit_ = 0;  // of the snapshot looked at last
};

}  // namespace cdgate::session
