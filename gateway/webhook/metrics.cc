#include "gateway/webhook/metrics.h"

#include <vector>

namespace cdgate::webhook {
namespace {

using base::Reason;

constexpr char kRequests[] = "cdgate_webhook_requests_total";
constexpr char kRequestsHelp[] = "Requests with an event to webhooks that ended, by result.";
constexpr char kHandshakes[] = "cdgate_webhook_handshakes_total";
constexpr char kHandshakesHelp[] = "Webhooks asked whether they want events, by outcome.";

// Those that a request can end with.
constexpr Reason kReasons[] = {
    Reason::kWebhookAddressRefused, Reason::kWebhookUnreachable,   Reason::kWebhookTlsFailed,
    Reason::kWebhookTimedOut,       Reason::kWebhookRedirected,    Reason::kWebhookRejected,
    Reason::kWebhookAskedToWait,    Reason::kWebhookAnswerInvalid, Reason::kWebhookAnswerTooLarge,
    Reason::kWebhookGone,           Reason::kFileUnreadable,       Reason::kOverloaded,
};

const std::vector<double>& SecondsBounds() {
  static const auto* const bounds = new std::vector<double>{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return *bounds;
}

}  // namespace

TargetMetrics::TargetMetrics(base::Metrics& metrics, const std::string& target)
    : taken_(
          metrics.AddCounter(kRequests, kRequestsHelp, {{"target", target}, {"result", "taken"}})),
      retries_(metrics.AddCounter("cdgate_webhook_retries_total",
                                  "Requests with an event that had been sent before.",
                                  {{"target", target}})),
      granted_(metrics.AddCounter(kHandshakes, kHandshakesHelp,
                                  {{"target", target}, {"outcome", "granted"}})),
      not_granted_(metrics.AddCounter(kHandshakes, kHandshakesHelp,
                                      {{"target", target}, {"outcome", "not_granted"}})),
      openings_(metrics.AddCounter("cdgate_webhook_breaker_openings_total",
                                   "How often a webhook was left alone as it failed again and "
                                   "again, by target.",
                                   {{"target", target}})),
      open_(metrics.AddGauge("cdgate_webhook_breakers_open",
                             "Webhooks that are left alone now as they failed again and again.",
                             {{"target", target}})),
      in_flight_(metrics.AddGauge("cdgate_webhook_requests_in_flight",
                                  "Requests with an event to webhooks that are under way.",
                                  {{"target", target}})),
      seconds_(metrics.AddHistogram("cdgate_webhook_request_seconds",
                                    "How long requests with an event to webhooks took, whatever "
                                    "their result.",
                                    SecondsBounds(), {{"target", target}})) {
  for (const Reason reason : kReasons) {
    failed_[reason] = &metrics.AddCounter(
        kRequests, kRequestsHelp, {{"target", target}, {"result", base::ReasonLabel(reason)}});
  }
}

void TargetMetrics::OnSent(uint32_t attempt) {
  in_flight_.Add(1);
  if (attempt > 1) retries_.Add();
}

void TargetMetrics::OnAnswer(const absl::Status& result, absl::Duration took) {
  in_flight_.Add(-1);
  seconds_.Observe(absl::ToDoubleSeconds(took));
  if (result.ok()) return taken_.Add();
  const auto counter = failed_.find(base::ReasonOf(result).value_or(Reason::kWebhookRejected));
  (counter == failed_.end() ? failed_.at(Reason::kWebhookRejected) : counter->second)->Add();
}

void TargetMetrics::OnHandshake(const absl::Status& result) {
  (result.ok() ? granted_ : not_granted_).Add();
}

void TargetMetrics::OnBreaker(bool open) {
  open_.Add(open ? 1 : -1);
  if (open) openings_.Add();
}

}  // namespace cdgate::webhook
