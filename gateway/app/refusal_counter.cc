#include "gateway/app/refusal_counter.h"

#include <utility>

#include "gateway/base/logging.h"

namespace cdgate::app {
namespace {

constexpr char kName[] = "cdgate_handshake_refusals_total";
constexpr char kHelp[] = "Connections refused during the handshake, by side and reason.";

// What a handshake can be refused for.
constexpr base::Reason kReasons[] = {base::Reason::kTlsHandshakeFailed,
                                     base::Reason::kPeerClosedHandshake,
                                     base::Reason::kCertificateMissing,
                                     base::Reason::kCertificateExpired,
                                     base::Reason::kCertificateNotYetValid,
                                     base::Reason::kCertificateUntrusted,
                                     base::Reason::kCertificateRevoked,
                                     base::Reason::kCertificateDenied,
                                     base::Reason::kRevocationListStale,
                                     base::Reason::kCertificateWrongUse,
                                     base::Reason::kCertificateMalformed,
                                     base::Reason::kUnknownTrustDomain,
                                     base::Reason::kWrongPeer,
                                     base::Reason::kInternal};

}  // namespace

RefusalCounter::RefusalCounter(base::Metrics& metrics, const base::Clock& clock) : clock_(clock) {
  for (const base::Reason reason : kReasons) {
    const std::string label = base::ReasonLabel(reason);
    server_[reason] = &metrics.AddCounter(kName, kHelp, {{"side", "server"}, {"reason", label}});
    client_[reason] = &metrics.AddCounter(kName, kHelp, {{"side", "client"}, {"reason", label}});
  }
}

void RefusalCounter::OnRefused(const credentials::Refusal& refusal) {
  const bool server = refusal.side == credentials::Side::kServer;
  const auto& counters = server ? server_ : client_;
  auto it = counters.find(refusal.reason);
  if (it == counters.end()) it = counters.find(base::Reason::kInternal);
  it->second->Add();
  memory_.Note(refusal, clock_.Now());
  base::Log(base::LogLevel::kWarning, "connection refused",
            {{"side", server ? "server" : "client"},
             {"reason", base::ReasonLabel(refusal.reason)},
             {"claimed", refusal.claimed_id},
             {"address", refusal.address},
             {"detail", refusal.message}});
  Listener listener;
  {
    base::MutexLock lock(mu_);
    listener = listener_;
  }
  if (listener) listener(refusal);
}

void RefusalCounter::Tell(Listener listener) {
  base::MutexLock lock(mu_);
  listener_ = std::move(listener);
}

}  // namespace cdgate::app
