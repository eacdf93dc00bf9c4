// What has to be looked at from time to time about policies: whether those in force let
// anything cross, and the age of the keys of pseudonyms.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::app {

// Thread-safe. What it is given outlives it.
class PolicyUpkeep {
 public:
  // `key_period`: how often a peer's key changes; zero: never by itself.
  PolicyUpkeep(state::Store& store, const session::PseudonymKeeper& keeper,
               const base::Clock& clock, absl::Duration key_period)
      : store_(store), keeper_(keeper), clock_(clock), key_period_(key_period) {}

  // OK where the policy in force for the peer can be used and has a rule that allows something;
  // otherwise why nothing crosses: NO_POLICY, INVALID_POLICY, LOG_CORRUPT.
  absl::Status StateOf(absl::string_view peer);

  // (blocks) Gives peers a new key whose period is over, and forgets keys of events that
  // retention removed.
  void RenewKeys();

 private:
  // As long as both are what they were: a version alone comes again after a removal, and a
  // policy means something else where groups and labels do.
  struct Judged {
    state::ResourcePtr policy, environment;
    absl::Status status;
  };

  state::Store& store_;
  const session::PseudonymKeeper& keeper_;
  const base::Clock& clock_;
  const absl::Duration key_period_;
  base::Mutex mu_;
  std::map<std::string, Judged, std::less<>> judged_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app
