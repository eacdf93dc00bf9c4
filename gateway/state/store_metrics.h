// What the store counts. Every series is there from the start, at 0.
#pragma once

#include <map>

#include "absl/status/status.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"

namespace cdgate::state {

struct StoreMetrics {
  explicit StoreMetrics(base::Metrics& metrics);

  // One proposal or event was refused with `status`.
  void Refused(const absl::Status& status);

  base::Histogram& commit_seconds;
  base::Histogram& commit_events;
  base::Counter& accepted;
  base::Counter& duplicates;
  base::Counter& variants;
  base::Gauge& pending_events;
  base::Gauge& head_sequence;
  base::Gauge& first_sequence;
  base::Gauge& log_bytes;
  base::Gauge& free_bytes;
  std::map<base::Reason, base::Counter*> refusals;  // filled once
};

}  // namespace cdgate::state
