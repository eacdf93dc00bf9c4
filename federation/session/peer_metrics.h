// What is counted of one peer's link. All series exist at 0 from the moment the peer is
// known, whether its link is up or not.
//
//   cdgate_link_up{peer}                                1 while the link carries events
//   cdgate_link_lag_events{peer,direction}              export: of our log, not acknowledged;
//                                                       import: received, not committed
//   cdgate_link_lag_seconds{peer,direction}             how old the oldest of them is
//   cdgate_link_events_total{peer,direction}            events that crossed
//   cdgate_link_refusals_total{peer,direction}          of those, not taken by the receiver
//   cdgate_link_reconnects_total{peer}                  links that came up
//   cdgate_link_disputes_total{peer}                    times that the peer signed for something
//                                                       else than it was sent
//   cdgate_link_suspensions_total{peer}                 times that the peer was not heard for a
//                                                       while, for breaking the protocol
//   cdgate_link_loss_expected_timestamp_seconds{peer}   when retention removes the oldest event
//   that
//                                                       the peer has not got; 0: it has all
//   cdgate_decisions_total{peer,direction,reason}       decisions by outcome
//
// Thread-safe; lives as long as the Metrics it was made from.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "federation/policy/policy.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"

namespace cdgate::session {

class PeerMetrics {
 public:
  PeerMetrics(base::Metrics& metrics, const std::string& peer);

  // One direction of the link.
  struct Direction {
    base::Gauge* lag_events;
    base::Gauge* lag_seconds;
    base::Counter* events;
    base::Counter* refusals;
    std::vector<base::Counter*> decisions;  // by Reason

    // Back to what a link that is down has.
    void ClearLag() const;
  };

  base::Gauge& up;
  base::Counter& reconnects;
  base::Counter& disputes;
  base::Counter& suspensions;
  base::Gauge& loss;
  Direction exports;
  Direction imports;
};

// Decisions of one batch, counted in one go.
class DecisionTally {
 public:
  void Add(base::Reason reason) { ++counts_[static_cast<size_t>(reason)]; }
  // Adds what was counted to `direction` and begins at 0 again.
  void Flush(const PeerMetrics::Direction& direction);
  // What was counted did not happen.
  void Clear() { std::fill(counts_.begin(), counts_.end(), 0); }

 private:
  std::vector<uint32_t> counts_ = std::vector<uint32_t>(base::AllReasons().size());
};

}  // namespace cdgate::session
