#include "gateway/state/outcome_metrics.h"

namespace cdgate::state {

void OutcomeMetrics::Advance(const std::string& peer, const char* direction,
                             const std::vector<storage::v1::OutcomeCount>& counts) {
  for (const storage::v1::OutcomeCount& count : counts) {
    base::Counter& series =
        metrics_.AddCounter("cdgate_outcomes_total", "What became of events, since the log began.",
                            {{"peer", peer},
                             {"direction", direction},
                             {"state", count.state()},
                             {"reason", count.reason()}});
    const double more = static_cast<double>(count.count()) - series.Value();
    if (more > 0) series.Add(more);
  }
}

void OutcomeMetrics::Update(const std::map<std::string, PeerCounters>& counters) {
  base::MutexLock lock(mu_);
  for (const auto& [peer, counts] : counters) {
    Advance(peer, "export", counts.exported);
    Advance(peer, "import", counts.imported);
  }
}

}  // namespace cdgate::state
