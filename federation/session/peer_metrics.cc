#include "federation/session/peer_metrics.h"

namespace cdgate::session {
namespace {

PeerMetrics::Direction MakeDirection(base::Metrics& metrics, const std::string& peer,
                                     const std::string& direction) {
  const base::Labels labels = {{"peer", peer}, {"direction", direction}};
  PeerMetrics::Direction out;
  out.lag_events = &metrics.AddGauge(
      "cdgate_link_lag_events", "Events that the other side does not have on disk yet.", labels);
  out.lag_seconds =
      &metrics.AddGauge("cdgate_link_lag_seconds", "Age of the oldest event that waits.", labels);
  out.events = &metrics.AddCounter("cdgate_link_events_total", "Events that crossed.", labels);
  out.refusals = &metrics.AddCounter("cdgate_link_refusals_total",
                                     "Events that crossed and were not taken.", labels);
  for (const base::ReasonInfo& info : base::AllReasons()) {
    base::Labels with_reason = labels;
    with_reason["reason"] = base::ReasonLabel(info.reason);
    out.decisions.push_back(&metrics.AddCounter("cdgate_decisions_total",
                                                "Decisions of policies by reason.", with_reason));
  }
  return out;
}

}  // namespace

PeerMetrics::PeerMetrics(base::Metrics& metrics, const std::string& peer)
    : up(metrics.AddGauge("cdgate_link_up", "1 while the link carries events.", {{"peer", peer}})),
      reconnects(metrics.AddCounter("cdgate_link_reconnects_total", "Links that came up.",
                                    {{"peer", peer}})),
      disputes(metrics.AddCounter("cdgate_link_disputes_total",
                                  "Times that the peer signed for something else than it was sent.",
                                  {{"peer", peer}})),
      suspensions(metrics.AddCounter("cdgate_link_suspensions_total",
                                     "Times that the peer was not heard for a while.",
                                     {{"peer", peer}})),
      loss(metrics.AddGauge("cdgate_link_loss_expected_timestamp_seconds",
                            "When retention removes the oldest event that the peer has not got, "
                            "seconds since the Unix epoch; 0: it has all.",
                            {{"peer", peer}})),
      exports(MakeDirection(metrics, peer, "export")),
      imports(MakeDirection(metrics, peer, "import")) {}

void PeerMetrics::Direction::ClearLag() const {
  lag_events->Set(0);
  lag_seconds->Set(0);
}

void DecisionTally::Flush(const PeerMetrics::Direction& direction) {
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    direction.decisions[i]->Add(counts_[i]);
    counts_[i] = 0;
  }
}

}  // namespace cdgate::session
