// What time does to trust: revocation lists that end, and the warnings before.
//
//   TrustUpkeep upkeep(registry, clock, metrics);
//   ...every few seconds: upkeep.Look(health);
//   for (std::string& problem : upkeep.Problems()) Tell(problem);
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/health.h"

namespace cdgate::app {

// Thread-safe. What it is given outlives it.
class TrustUpkeep {
 public:
  TrustUpkeep(trust::TrustRegistry& trust, const base::Clock& clock, base::Metrics& metrics)
      : trust_(trust), clock_(clock), metrics_(metrics), looked_(clock.Now()) {}

  // Has everybody verified again where a list has become too old since it looked last, and
  // every hour. The health of "trust:DOMAIN" says whether all lists of the domain are current;
  // domains without lists have none.
  void Look(rpc::HealthRegistry& health);

  // One line for each list that is due or past its grace.
  std::vector<std::string> Problems() const;

  // cdgate_revocation_list_due_timestamp_seconds{domain}: of the list that is due first.
  void UpdateGauges() const;

 private:
  trust::TrustRegistry& trust_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  base::Mutex mu_;
  absl::Time looked_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app
