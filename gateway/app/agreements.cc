#include "gateway/app/agreements.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/session/export_stop.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/app/peer_probe.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/timestamp.h"

namespace cdgate::app {
namespace {

using admin::v1::Peer;

constexpr absl::string_view kFrozenText =
    "this gateway was started frozen: no link is made until cdgate export resume --all";

std::string StoppedText(const admin::v1::ExportSwitch& exports) {
  const std::string why = exports.reason().empty() ? "" : absl::StrCat(" (", exports.reason(), ")");
  return absl::StrCat("all exports are stopped since ",
                      base::FormatRfc3339(exports.change_time().seconds(), 0), " by ",
                      exports.changed_by(), why, "; cdgate export resume --all lets them go on");
}

}  // namespace

Agreements::Agreements(AgreementsDeps deps)
    : deps_(std::move(deps)),
      frozen_(deps_.started_frozen),
      agreement_api_(deps_.storage.store(), deps_.storage.log(), deps_.gate, deps_.clock,
                     deps_.pool),
      export_api_({.store = deps_.storage.store(),
                   .gate = deps_.gate,
                   .pool = deps_.pool,
                   .started_frozen = [this] { return frozen_.load(); },
                   .unfreeze = [this] { Unfreeze(); }}),
      peering_api_(
          deps_.storage.store(), deps_.clock, deps_.pool,
          {.started_frozen = [this] { return frozen_.load(); },
           .import_stall =
               [this](absl::string_view peer) { return deps_.links.ImportStallOf(peer); }}) {
  if (frozen_) base::Log(base::LogLevel::kWarning, kFrozenText);
}

absl::Status Agreements::Register(rpc::Router& router) {
  CDGATE_RETURN_IF_ERROR(agreement_api_.Register(router));
  CDGATE_RETURN_IF_ERROR(export_api_.Register(router));
  CDGATE_RETURN_IF_ERROR(peering_api_.Register(router));
  return RegisterDoctor(router);
}

absl::Status Agreements::RegisterDoctor(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  return router.Register(api::OnPool<DoctorPeerRequest, DoctorPeerResponse>(
      "/cdgate.admin.v1.AgreementService/DoctorPeer", doctor_,
      [this](const rpc::Call&, const auto& request) { return Examine(request.domain()); }));
}

std::vector<Peer> Agreements::Peers() const {
  std::vector<Peer> out;
  for (const auto& resource : deps_.storage.store().Resources()->List(state::kPeerKind)) {
    auto peer = resource->As<Peer>();  // one that is damaged is logged by the links
    if (peer.ok()) out.push_back(*std::move(peer));
  }
  return out;
}

void Agreements::Unfreeze() {
  if (!frozen_.exchange(false)) return;
  base::Log(base::LogLevel::kInfo, "the frozen start is over; links are made");
  deps_.links.Unfreeze();
}

void Agreements::Upkeep() {
  const absl::Time now = deps_.clock.Now();
  std::vector<manager::EndNotice> due;
  {
    base::MutexLock lock(mu_);
    due = notices_.Due(Peers(), now);
  }
  for (const manager::EndNotice& notice : due) {
    const bool ended = notice.stage == manager::EndStage::kEnded;
    base::Log(ended ? base::LogLevel::kError : base::LogLevel::kWarning,
              ended ? "agreement has ended" : "agreement ends soon",
              {{"peer", notice.domain},
               {"end", base::FormatRfc3339(absl::ToUnixSeconds(notice.end), 0)},
               {"detail", manager::EndText(notice.domain, notice.end, now)}});
  }
}

void Agreements::UpdateGauges() {
  const auto gauge = [this](const std::string& peer) -> base::Gauge& {
    return deps_.metrics.AddGauge("cdgate_agreement_expiry_seconds",
                                  "Seconds until the agreement ends on our side; negative after.",
                                  {{"peer", peer}});
  };
  const absl::Time now = deps_.clock.Now();
  std::set<std::string> seen;
  for (const Peer& peer : Peers()) {
    gauge(peer.domain()).Set(absl::ToDoubleSeconds(manager::EndOf(peer) - now));
    seen.insert(peer.domain());
  }
  const auto exports = api::ExportSwitchOf(*deps_.storage.store().Resources());
  deps_.metrics
      .AddGauge("cdgate_exports_stopped", "1 while all exports of the gateway are stopped.")
      .Set(!exports.ok() || exports->stopped() || frozen_ ? 1 : 0);
  base::MutexLock lock(mu_);
  measured_.swap(seen);
  for (const std::string& peer : seen) {  // those before
    if (measured_.contains(peer)) continue;
    // No alarm about an agreement that is gone.
    gauge(peer).Set(std::numeric_limits<double>::infinity());
  }
}

std::vector<std::string> Agreements::Problems() const {
  std::vector<std::string> out;
  if (frozen_) out.emplace_back(kFrozenText);
  const auto exports = api::ExportSwitchOf(*deps_.storage.store().Resources());
  if (!exports.ok()) {
    out.push_back(absl::StrCat("all exports are stopped: ", exports.status().message()));
  } else if (exports->stopped()) {
    out.push_back(StoppedText(*exports));
  }
  const absl::Time now = deps_.clock.Now();
  for (const Peer& peer : Peers()) {
    const absl::Time end = manager::EndOf(peer);
    if (peer.state() != admin::v1::PEER_STATE_APPROVED ||
        manager::StageOf(end, now) == manager::EndStage::kDistant) {
      continue;
    }
    out.push_back(manager::EndText(peer.domain(), end, now));
  }
  return out;
}

absl::StatusOr<admin::v1::DoctorPeerResponse> Agreements::Examine(const std::string& domain) const {
  const auto stored = deps_.storage.store().Resources()->Find(state::kPeerKind, domain);
  if (stored == nullptr) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("there is no peer ", base::Shorten(domain),
                                        "; cdgate peer list shows the peers"),
                           {{"peer", domain}});
  }
  CDGATE_ASSIGN_OR_RETURN(const Peer peer, stored->As<Peer>());
  api::PeerPathFacts facts = FactsHere(peer);
  if (peer.dial() && !peer.endpoint().empty()) {
    facts.dial = ProbePeer({.identity = deps_.identity,
                            .trust = deps_.trust,
                            .observer = deps_.observer,
                            .clock = deps_.clock,
                            .timers = deps_.timers},
                           peer);
  }
  return api::Diagnose(facts);
}

api::PeerPathFacts Agreements::FactsHere(const Peer& peer) const {
  const auto resources = deps_.storage.store().Resources();
  api::PeerPathFacts facts;
  facts.own_domain = deps_.domain;
  facts.now = deps_.clock.Now();
  facts.own_until = deps_.identity.Current()->not_after;
  facts.peer = peer;
  facts.started_frozen = frozen_;
  facts.exports_stopped = session::ExportsStopped(*resources);
  if (const auto stored = resources->Find(state::kPolicyKind, peer.domain())) {
    facts.has_policy = true;
    const auto policy = stored->As<admin::v1::Policy>();
    facts.exports_something = policy.ok() && api::ExportsSomething(*policy);
    facts.imports_something = policy.ok() && api::ImportsSomething(*policy);
  }
  facts.link = deps_.links.StatusOf(peer.domain());
  const api::ExportLag lag = deps_.links.LagOf(peer.domain());
  facts.lag_events = lag.events;
  facts.lag_age = lag.age;
  facts.import_stall = deps_.links.ImportStallOf(peer.domain());
  if (const auto refused = deps_.refused.LastOf(peer.domain())) {
    facts.refused = {.when = refused->when,
                     .reason = base::ReasonLabel(refused->reason),
                     .detail = refused->detail};
  }
  return facts;
}

}  // namespace cdgate::app
