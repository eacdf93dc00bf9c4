#include "gateway/app/links.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/credentials/credentials.h"
#include "auth/trust/verify.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/client_channel.h"

namespace cdgate::app {
namespace {

constexpr char kLinkMethod[] = "/cdgate.federation.v1.FederationService/Link";
// How long sessions may take to say goodbye after the server is done.
constexpr absl::Duration kGoodbye = absl::Seconds(3);

absl::Duration ToDuration(const google::protobuf::Duration& duration, absl::Duration otherwise) {
  const absl::Duration out =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return out > absl::ZeroDuration() ? out : otherwise;
}

}  // namespace

// Each link has a channel of its own: nothing is shared between peers.
class Links::Dialer final : public manager::LinkDialer {
 public:
  explicit Dialer(const LinksDeps& deps) : deps_(deps) {}

  rpc::FrameStreamPtr Dial(const admin::v1::Peer& peer) override {
    const auto server = std::make_shared<credentials::VerifiedServer>();
    rpc::ClientChannel channel(
        peer.endpoint(),
        credentials::PeerChannelCredentials(
            deps_.identity, deps_.trust, peer.domain(),
            credentials::WithAddress(deps_.observer, peer.endpoint()), deps_.clock, server),
        {.clock = deps_.clock, .timers = deps_.timers});
    {
      base::MutexLock lock(mu_);
      servers_[peer.domain()] = {server, 0};
    }
    return channel.OpenStream(kLinkMethod);
  }

  // Why the gateway that was dialled last for each domain may not stay connected; once each.
  std::vector<std::pair<std::string, absl::Status>> Unfit() {
    const auto trust = deps_.trust.Current();
    std::vector<std::pair<std::string, absl::Status>> out;
    base::MutexLock lock(mu_);
    for (auto it = servers_.begin(); it != servers_.end();) {
      absl::Status fit = Check(*trust, &it->second);
      const auto here = it++;
      if (fit.ok()) continue;
      out.emplace_back(here->first, std::move(fit));
      servers_.erase(here);
    }
    return out;
  }

 private:
  struct Dialled {
    std::shared_ptr<credentials::VerifiedServer> server;
    uint64_t verified_under;  // version of trust; 0: never again yet
  };

  absl::Status Check(const trust::TrustSnapshot& trust, Dialled* dialled) const {
    const auto peer = dialled->server->Get();
    if (!peer) return absl::OkStatus();  // no handshake yet
    const absl::Time now = deps_.clock.Now();
    if (now >= peer->not_after) {
      return base::MakeError(base::Reason::kCertificateExpired,
                             absl::StrCat("the certificate of ", peer->id.text(), " has ended"));
    }
    if (dialled->verified_under == trust.version()) return absl::OkStatus();
    dialled->verified_under = trust.version();
    return trust::VerifyEstablished(trust, peer->leaf_pem, peer->chain_pem,
                                    crypto::Purpose::kServer, now)
        .status();
  }

  const LinksDeps& deps_;
  base::Mutex mu_;
  std::map<std::string, Dialled> servers_ CDGATE_GUARDED_BY(mu_);
};

Links::Links(LinksDeps deps)
    : deps_(std::move(deps)),
      trust_({.store = deps_.storage.store(),
              .identity = deps_.identity,
              .trust = deps_.trust,
              .clock = deps_.clock,
              .crl_grace = absl::Seconds(deps_.config.identity().crl_grace().seconds())}),
      shared_(deps_.config.domain()),
      directory_(deps_.attestors),
      dialer_(std::make_unique<Dialer>(deps_)) {}

Links::~Links() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Links>> Links::Create(LinksDeps deps) {
  std::unique_ptr<Links> links(new Links(std::move(deps)));
  const LinksDeps& own = links->deps_;
  CDGATE_ASSIGN_OR_RETURN(session::SivTokenSealer sealer,
                          session::SivTokenSealer::Create(own.token_key, own.random));
  links->sealer_ = std::make_unique<session::SivTokenSealer>(std::move(sealer));
  manager::LinkManagerDeps manager{.session = {.domain = own.config.domain(),
                                               .instance = own.config.instance(),
                                               .software = own.software,
                                               .store = own.storage.store(),
                                               .feed = own.storage.feed(),
                                               .admission = own.admission,
                                               .sealer = *links->sealer_,
                                               .attestor = own.attestor,
                                               .attestors = &links->directory_,
                                               .sign_origin = own.sign_origin,
                                               .pseudonyms = own.pseudonyms,
                                               .shared = links->shared_,
                                               .catchup = &own.catchup,
                                               .given = &own.catalogues.given(),
                                               .executor = own.pool,
                                               .timers = own.timers,
                                               .clock = own.clock,
                                               .random = own.random},
                                   .metrics = own.metrics,
                                   .dialer = *links->dialer_};
  manager.groups_of = [&groups = own.groups](absl::string_view peer) {
    return groups.ListsFor(peer);
  };
  manager.on_groups = [&groups = own.groups](absl::string_view peer,
                                             const federation::v1::Groups& received) {
    groups.OnReceived(peer, received);
  };
  manager.catalogue_of = [&catalogues = own.catalogues.exchange()](absl::string_view peer) {
    return catalogues.For(peer);
  };
  manager.on_catalogue = [&catalogues = own.catalogues.exchange()](
                             absl::string_view peer, federation::v1::Catalogue received) {
    catalogues.OnReceived(peer, std::move(received));
  };
  manager.on_count_request = [&counts = own.counts.exchange()](
                                 absl::string_view peer,
                                 const federation::v1::CountRequest& request) {
    counts.OnRequest(peer, request);
  };
  manager.on_count_answer = [&counts = own.counts.exchange()](
                                absl::string_view peer, const federation::v1::CountAnswer& answer) {
    counts.OnAnswer(peer, answer);
  };
  manager.own_trust = [&trust = links->trust_] { return trust.Own(); };
  manager.on_trust = [&trust = links->trust_](absl::string_view peer,
                                              const federation::v1::TrustUpdate& update) {
    trust.OnReceived(peer, update);
  };
  manager.on_attestors = [&attestors = own.attestors](absl::string_view peer,
                                                      const federation::v1::Attestors& received) {
    attestors.Take(peer, received).IgnoreError();  // it is logged there
  };
  manager.frozen = own.started_frozen;
  manager.heartbeat = ToDuration(own.config.links().heartbeat(), manager.heartbeat);
  manager.backoff.cap = ToDuration(own.config.links().max_backoff(), manager.backoff.cap);
  links->manager_ = std::make_unique<manager::LinkManager>(std::move(manager));
  return links;
}

void Links::Start() { Reconcile(deps_.storage.store().Resources()); }

void Links::Reconcile(state::ResourceSnapshotPtr resources) {
  manager_->Reconcile(std::move(resources));
}

void Links::Accept(rpc::ServerStreamPtr stream) {
  std::string peer = stream->call().principal.domain;
  manager_->Accept(std::move(peer), std::move(stream));
}

void Links::CheckServers() {
  for (const auto& [domain, why] : dialer_->Unfit()) {
    base::LogError(base::LogLevel::kWarning, "dialled gateway not trusted any more", why,
                   {{"peer", domain}});
    manager_->EndDialled(domain, base::ReasonOf(why).value_or(base::Reason::kInternal),
                         std::string(why.message()));
  }
}

void Links::Unfreeze() { manager_->Unfreeze(); }

void Links::Drain() { manager_->Drain(); }

void Links::Shutdown() {
  if (manager_ != nullptr) manager_->Shutdown(kGoodbye);
}

bool Links::IsUp(absl::string_view peer) const {
  const auto report = manager_->Report(peer);
  return report && report->status.state() == admin::v1::LINK_STATE_UP;
}

bool Links::SendCount(absl::string_view peer, federation::v1::Frame frame) const {
  return manager_->SendCount(peer, std::move(frame));
}

bool Links::KnowsCounts(absl::string_view peer) const { return manager_->KnowsCounts(peer); }

admin::v1::LinkStatus Links::StatusOf(absl::string_view peer) const {
  auto report = manager_->Report(peer);
  if (report) return std::move(report->status);
  admin::v1::LinkStatus down;
  down.set_state(admin::v1::LINK_STATE_DOWN);
  return down;
}

api::ExportLag Links::LagOf(absl::string_view peer) const {
  const auto report = manager_->Report(peer);
  const state::Store& store = deps_.storage.store();
  const uint64_t head = store.head().sequence.value();
  api::ExportLag lag;
  if (!report || report->acknowledged_through.value() >= head) return lag;
  lag.events = head - report->acknowledged_through.value();
  const auto oldest =
      store.ReadEvent(std::max(report->acknowledged_through.Next(), store.first().sequence));
  if (oldest.ok()) {
    lag.age = std::max(absl::ZeroDuration(), deps_.clock.Now() - oldest->commit->commit_time);
    lag.loss_expected =
        oldest->commit->commit_time + absl::Seconds(deps_.config.log().retention().seconds());
  }
  return lag;
}

absl::Status Links::ImportStallOf(absl::string_view peer) const {
  const auto report = manager_->Report(peer);
  return report ? report->import_stall : absl::OkStatus();
}

session::LinkFacts Links::FactsOf(absl::string_view peer) const {
  const auto report = manager_->Report(peer);
  if (!report) return {};
  return {.sent_through = report->sent_through};
}

void Links::UpdateGauges() {
  for (const auto& resource : deps_.storage.store().Resources()->List(state::kPeerKind)) {
    const api::ExportLag lag = LagOf(resource->name);
    const session::PeerMetrics metrics(deps_.metrics, resource->name);
    metrics.exports.lag_events->Set(static_cast<double>(lag.events));
    metrics.exports.lag_seconds->Set(absl::ToDoubleSeconds(lag.age));
    metrics.loss.Set(lag.loss_expected == absl::InfiniteFuture()
                         ? 0
                         : absl::ToDoubleSeconds(lag.loss_expected - absl::UnixEpoch()));
    const auto report = manager_->Report(resource->name);
    if (!report || !report->status.has_peer_caught_up_as_of()) continue;
    const absl::Time caught_up =
        absl::FromUnixSeconds(report->status.peer_caught_up_as_of().seconds());
    metrics.imports.lag_seconds->Set(
        std::max(0.0, absl::ToDoubleSeconds(deps_.clock.Now() - caught_up)));
  }
}

}  // namespace cdgate::app
