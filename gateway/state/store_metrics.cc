#include "gateway/state/store_metrics.h"

#include <vector>

namespace cdgate::state {
namespace {

using base::Reason;

// Everything that Propose, an outcome or an event's result can say.
constexpr Reason kReasons[] = {
    Reason::kTooOld,        Reason::kIdentityConflict, Reason::kEtagMismatch,
    Reason::kAlreadyExists, Reason::kNotFound,         Reason::kDiskFull,
    Reason::kOverloaded,    Reason::kNotLeader,        Reason::kLogWriteFailed,
    Reason::kDraining,      Reason::kLogCorrupt,
};

base::Counter& Events(base::Metrics& metrics, const char* outcome) {
  return metrics.AddCounter("cdgate_log_events_total", "Events proposed to the log, by outcome.",
                            {{"outcome", outcome}});
}

}  // namespace

StoreMetrics::StoreMetrics(base::Metrics& metrics)
    : commit_seconds(metrics.AddHistogram(
          "cdgate_log_commit_seconds", "Time to make one commit durable.",
          {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1})),
      commit_events(metrics.AddHistogram("cdgate_log_commit_events", "Events in one commit.",
                                         {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048})),
      accepted(Events(metrics, "accepted")),
      duplicates(Events(metrics, "duplicate")),
      variants(Events(metrics, "variant_ignored")),
      pending_events(
          metrics.AddGauge("cdgate_log_pending_events", "Events proposed and not answered.")),
      head_sequence(metrics.AddGauge("cdgate_log_head_sequence", "Sequence of the newest event.")),
      first_sequence(
          metrics.AddGauge("cdgate_log_first_sequence", "Sequence of the oldest event kept.")),
      log_bytes(metrics.AddGauge("cdgate_log_bytes", "Bytes of the event log.")),
      free_bytes(metrics.AddGauge("cdgate_disk_free_bytes", "Free bytes where the log is.")) {
  for (const Reason reason : kReasons) {
    refusals[reason] = &metrics.AddCounter("cdgate_log_refusals_total",
                                           "Events and proposals that were refused, by reason.",
                                           {{"reason", base::ReasonLabel(reason)}});
  }
}

void StoreMetrics::Refused(const absl::Status& status) {
  const auto it = refusals.find(base::ReasonOf(status).value_or(Reason::kLogCorrupt));
  if (it != refusals.end()) it->second->Add();
}

}  // namespace cdgate::state
