// cdgate_outcomes{peer,direction,state,reason}: what became of events, as it stands, from the
// counters that the fold keeps, so that a restart does not begin at 0 again. A gauge: an event
// that is offered again, or redriven, has another outcome than before.
//
//   state::OutcomeMetrics outcomes(metrics);
//   outcomes.Update(store.AllCounters());  // whenever metrics are about to be read
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/metrics.h"
#include "gateway/state/views.h"

namespace cdgate::state {

// Thread-safe. A series is there once it counts something.
class OutcomeMetrics {
 public:
  // `metrics` outlives it; one for each Metrics.
  explicit OutcomeMetrics(base::Metrics& metrics) : metrics_(metrics) {}

  // Sets every series to its count in `counters`, which are by peer.
  void Update(const std::map<std::string, PeerCounters>& counters);

 private:
  void Set(const std::string& peer, const char* direction,
           const std::vector<storage::v1::OutcomeCount>& counts);

  base::Metrics& metrics_;
};

}  // namespace cdgate::state
