#include "gateway/state/outcome_metrics.h"

namespace cdgate::state {

void OutcomeMetrics::Set(const std::string& peer, const char* direction,
                         const std::vector<storage::v1::OutcomeCount>& counts) {
  for (const storage::v1::OutcomeCount& count : counts) {
    metrics_
        .AddGauge("cdgate_outcomes", "What became of events since the log began, as it stands.",
                  {{"peer", peer},
                   {"direction", direction},
                   {"state", count.state()},
                   {"reason", count.reason()}})
        .Set(static_cast<double>(count.count()));
  }
}

void OutcomeMetrics::Update(const std::map<std::string, PeerCounters>& counters) {
  for (const auto& [peer, counts] : counters) {
    Set(peer, "export", counts.exported);
    Set(peer, "import", counts.imported);
  }
}

}  // namespace cdgate::state
