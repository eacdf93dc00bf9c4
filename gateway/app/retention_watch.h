// Says before retention removes what a peer has not got, and says it when it did.
//
//   RetentionWatch watch(retention);
//   watch.Look({.peer = "beta.example", .waiting = 7, .loss = loss, .lost = 0}, now);
//   for (const std::string& problem : watch.Problems()) Show(problem);
//
// Warns, in the log and as a problem of the gateway's health, from when three quarters of the
// retention have passed for the oldest event that waits; again only after it was caught up with.
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gateway/base/mutex.h"

namespace cdgate::app {

// One peer at a time.
struct PeerBacklog {
  std::string peer;
  uint64_t waiting = 0;                      // events of our log that it has not acknowledged
  absl::Time loss = absl::InfiniteFuture();  // when the oldest of them is removed
  uint64_t lost = 0;                         // so far
};

class RetentionWatch {
 public:
  explicit RetentionWatch(absl::Duration retention) : warn_before_(retention / 4) {}

  void Look(const PeerBacklog& backlog, absl::Time now);
  // For the gateway's health: one line for each peer that is about to lose events.
  std::vector<std::string> Problems() const;

 private:
  struct Known {
    bool warned = false;
    uint64_t lost = 0;
    std::string problem;  // empty: none
  };

  const absl::Duration warn_before_;
  mutable base::Mutex mu_;
  std::map<std::string, Known> known_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app
