// What is counted of the requests to one entry of webhooks.targets (docs/operations.md).
//
//   TargetMetrics counted(metrics, "ci");
//   counted.OnAnswer(status, duration, attempt);
//
// Thread-safe.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"

namespace cdgate::webhook {

class TargetMetrics {
 public:
  // Adds its series. `metrics` outlives it.
  TargetMetrics(base::Metrics& metrics, const std::string& target);

  // A request with an event leaves: its 1st attempt, or a later one.
  void OnSent(uint32_t attempt);
  // It ended; OK: the target took the event.
  void OnAnswer(const absl::Status& result, absl::Duration took);
  // It was given up before that.
  void OnAbandoned() { in_flight_.Add(-1); }
  void OnHandshake(const absl::Status& result);
  // The breaker of one of its addresses opened, or closed.
  void OnBreaker(bool open);

 private:
  base::Counter& taken_;
  std::map<base::Reason, base::Counter*> failed_;
  base::Counter& retries_;
  base::Counter& granted_;
  base::Counter& not_granted_;
  base::Counter& openings_;
  base::Gauge& open_;
  base::Gauge& in_flight_;
  base::Histogram& seconds_;
};

}  // namespace cdgate::webhook
