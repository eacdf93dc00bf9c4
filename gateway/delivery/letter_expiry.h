// Forgets dead letters of subscriptions once they are as old as each subscription keeps them.
//
//   LetterExpiry expiry(store, clock, metrics);
//   expiry.Tick();                                  // every few seconds, on a pool
//
// Every minute it goes through all subscriptions, in steps: one Tick() looks at 256 subscriptions
// and forgets 1,000 dead letters at the most, in one commit, and the next goes on where it ended.
// What is forgotten is counted (cdgate_subscription_dead_letters_expired_total) and logged by
// subscription.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::delivery {

class LetterExpiry {
 public:
  static constexpr size_t kMostSubscriptions = 256;
  static constexpr size_t kMostLetters = 1000;
  static constexpr absl::Duration kInterval = absl::Minutes(1);

  // All outlive it; the store may end later than it.
  LetterExpiry(state::Store& store, base::Clock& clock, base::Metrics& metrics);

  // (blocks) The next step, where one is due and the one before is on disk. What goes wrong is
  // logged and tried again with the next round. Thread-safe.
  void Tick();

 private:
  // The store may answer when we are gone.
  struct Turn {
    base::Mutex mu;
    bool taken CDGATE_GUARDED_BY(mu) = false;  // a step is made, or on its way to the disk

    bool Take() {
      base::MutexLock lock(mu);
      return !std::exchange(taken, true);
    }
    void GiveBack() {
      base::MutexLock lock(mu);
      taken = false;
    }
  };
  struct Step {
    state::Proposal proposal;
    std::map<std::string, uint64_t> forgotten;  // by subscription
  };

  // Whether a round is under way, or due.
  bool IsDue();
  absl::Status Collect(Step* step);
  void Propose(Step step);

  state::Store& store_;
  base::Clock& clock_;
  base::Counter& expired_;
  const std::shared_ptr<Turn> turn_ = std::make_shared<Turn>();
  // --- of whoever has the turn
  bool in_round_ = false;
  std::string after_;  // subscriptions up to this name are done
  absl::Duration due_;
};

}  // namespace cdgate::delivery
