#include "gateway/app/gateway.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "auth/credentials/tls_log.h"
#include "federation/manager/invite_upkeep.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/process_memory.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

constexpr absl::Duration kUpkeepInterval = absl::Seconds(2);
// Of that, for summaries of the log.
constexpr absl::Duration kSearchBudget = absl::Milliseconds(40);
// How long a link that is ended by us has to say so before its connection is cut: freezing takes a
// second at most.
constexpr absl::Duration kLastWord = absl::Milliseconds(300);

// For webhooks to answer what is under way; what they do not answer is sent again.
constexpr absl::Duration kWebhooksDrain = absl::Seconds(3);

size_t PoolThreads() { return std::max(2u, std::thread::hardware_concurrency()); }

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// Whether an address names no host that others could dial.
bool Unspecified(const std::string& address) {
  return address.rfind("0.0.0.0:", 0) == 0 || address.rfind("[::]:", 0) == 0;
}

// The services whose health is reported by name.
constexpr const char* kServices[] = {"cdgate.events.v1.EventsService",
                                     "cdgate.admin.v1.AdminService",
                                     "cdgate.federation.v1.FederationService"};

}  // namespace

absl::string_view Software() { return "cdgate " CDGATE_VERSION; }

struct Gateway::Alive {
  base::Mutex mu;
  base::CondVar idle;
  Gateway* gateway CDGATE_GUARDED_BY(mu) = nullptr;
  int using_it CDGATE_GUARDED_BY(mu) = 0;

  // Runs `f` with the gateway unless it is going away.
  template <typename F>
  void With(F&& f) {
    Gateway* now = nullptr;
    {
      base::MutexLock lock(mu);
      if (gateway == nullptr) return;
      ++using_it;
      now = gateway;
    }
    f(*now);
    base::MutexLock lock(mu);
    if (--using_it == 0) idle.SignalAll();
  }

  void Detach() {
    base::MutexLock lock(mu);
    gateway = nullptr;
    while (using_it > 0) idle.Wait(mu);
  }
};

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const config::v1::GatewayConfig& config,
                                                        std::function<void(absl::Status)> on_fatal,
                                                        StartOptions options) {
  std::unique_ptr<Gateway> gateway(new Gateway(config, std::move(on_fatal), options));
  CDGATE_RETURN_IF_ERROR(gateway->Build());
  return gateway;
}

Gateway::Gateway(const config::v1::GatewayConfig& config,
                 std::function<void(absl::Status)> on_fatal, StartOptions options)
    : config_(config),
      on_fatal_(std::move(on_fatal)),
      options_(options),
      background_({.name = "background", .threads = 2, .max_queued = 1024, .long_turns = true}),
      pool_({.name = "work", .threads = PoolThreads(), .max_queued = 65536}),
      plan_runs_({.name = "plans", .threads = 1, .max_queued = 16}),
      trust_(ToDuration(config_.identity().crl_grace())),
      origins_(ToDuration(config_.identity().crl_grace())),
      catchup_(config_.links().catchup_cpu_share(),
               &metrics_.AddGauge("cdgate_catchup_cpu_share",
                                  "Share of the time of one processor that catching up may use "
                                  "beside newer events, as it is now.")),
      retention_watch_(absl::Seconds(config_.log().retention().seconds())),
      signing_(config_, clock_, random_),
      refusals_(std::make_shared<RefusalCounter>(metrics_)),
      alive_(std::make_shared<Alive>()) {}

Gateway::~Gateway() { Shutdown(); }

absl::Status Gateway::Build() {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(config_.data_dir(), 0700));
  CDGATE_RETURN_IF_ERROR(BuildIdentity());
  CDGATE_ASSIGN_OR_RETURN(
      storage_, Storage::Open(config_, {.clock = clock_,
                                        .random = random_,
                                        .metrics = metrics_,
                                        .timers = timers_,
                                        .background = background_,
                                        .callbacks = pool_,
                                        .on_fatal = on_fatal_,
                                        .fold_outcomes =
                                            [this](auto commits) { return FoldOutcomes(commits); },
                                        .sign_origin = signing_.signer()}));
  CDGATE_RETURN_IF_ERROR(BuildAudit());
  CDGATE_RETURN_IF_ERROR(BuildAttestors());
  CDGATE_RETURN_IF_ERROR(BuildServices());
  CDGATE_RETURN_IF_ERROR(BuildApis());
  CDGATE_RETURN_IF_ERROR(BuildRecovery());
  CDGATE_RETURN_IF_ERROR(BuildAccess());
  CDGATE_RETURN_IF_ERROR(RegisterServices());
  // Who may do what is known before anybody can ask.
  ApplyResources();
  // As is what decisions depend on, before anything can cross.
  CDGATE_RETURN_IF_ERROR(environment_->Start());
  CDGATE_RETURN_IF_ERROR(Listen());
  CDGATE_RETURN_IF_ERROR(ListenIngress());
  CDGATE_RETURN_IF_ERROR(ListenOps());
  WatchResources();
  links_->Start();
  ScheduleUpkeep();
  for (const char* service : kServices) health_.Set(service, true);
  health_.Set("", true);
  return absl::OkStatus();
}

absl::Status Gateway::BuildIdentity() {
  credentials::ObserveTlsFailures(refusals_);
  credentials::IdentityOptions options;
  options.certificate_path = config_.identity().certificate();
  options.key_path = config_.identity().key();
  options.bundle_path = config_.identity().bundle();
  options.crl_paths.assign(config_.identity().crls().begin(), config_.identity().crls().end());
  options.crl_grace = ToDuration(config_.identity().crl_grace());
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId expected,
                          trust::SpiffeId::Gateway(config_.domain(), config_.instance()));
  options.expected_id = expected.text();
  options.key_passphrase_path = config_.identity().key_passphrase_file();
  // At the start there is no audit log yet; what fails then ends the start.
  const auto not_renewed = [this](const absl::Status& why) {
    if (audit_ != nullptr) audit_->OnIdentityRefused(why, AuditTrail::kNotRenewed);
  };
  renewal_ =
      Renewal::FromConfig(config_, options, {background_, clock_, random_, metrics_, not_renewed});
  CDGATE_ASSIGN_OR_RETURN(
      identity_, renewal_ != nullptr ? renewal_->Open(trust_)
                                     : credentials::IdentityStore::Create(options, trust_, clock_));
  if (renewal_ != nullptr) renewal_->Attach(*identity_);
  return absl::OkStatus();
}

absl::Status Gateway::BuildServices() {
  CDGATE_ASSIGN_OR_RETURN(const Secrets secrets, Secrets::Load(config_.data_dir(), random_));
  state::Store& store = storage_->store();
  tokens_ = std::make_unique<TokenSource>(config_.domain(), store);
  trust_watch_ = std::make_unique<TrustWatch>(
      TrustWatchDeps{.domain = config_.domain(),
                     .trust = trust_,
                     .origins = origins_,
                     .grants = grants_,
                     .schemas = schemas_,
                     .cut = [this](const std::string& domain) { CutSoon(domain); }});
  event::AdmitLimits limits;
  if (config_.limits().max_event_bytes() != 0) {
    limits.max_event_bytes = config_.limits().max_event_bytes();
  }
  admission_ = std::make_unique<admission::Admission>(
      admission::AdmissionDeps{.domain = config_.domain(),
                               .limits = limits,
                               .store = store,
                               .grants = grants_,
                               .schemas = schemas_,
                               .clock = clock_,
                               .random = random_,
                               .metrics = metrics_,
                               .attestation = [this] { return signing_.Current(); },
                               .on_publish = [this] { catchup_.NoteLive(clock_.Monotonic()); }});
  CDGATE_RETURN_IF_ERROR(BuildEnrolment(secrets));
  CDGATE_ASSIGN_OR_RETURN(session::PseudonymKeeper keeper,
                          session::PseudonymKeeper::Create(secrets.KeyFor("pseudonym"), random_));
  pseudonyms_ = std::make_unique<session::PseudonymKeeper>(std::move(keeper));
  BuildGroups();
  CDGATE_RETURN_IF_ERROR(BuildCatalogues());
  BuildCounts();
  CDGATE_ASSIGN_OR_RETURN(links_, Links::Create({.config = config_,
                                                 .software = std::string(Software()),
                                                 .storage = *storage_,
                                                 .admission = *admission_,
                                                 .identity = *identity_,
                                                 .trust = trust_,
                                                 .groups = *groups_,
                                                 .catalogues = *catalogues_,
                                                 .counts = *counts_,
                                                 .attestor = attestors_->signer(),
                                                 .attestors = attestors_->registry(),
                                                 .observer = refusals_,
                                                 .token_key = secrets.KeyFor("token"),
                                                 .started_frozen = options_.frozen,
                                                 .pseudonyms = *pseudonyms_,
                                                 .catchup = catchup_,
                                                 .sign_origin = signing_.signer(),
                                                 .clock = clock_,
                                                 .random = random_,
                                                 .timers = timers_,
                                                 .pool = pool_,
                                                 .metrics = metrics_}));
  return absl::OkStatus();
}

absl::Status Gateway::BuildEnrolment(const Secrets& secrets) {
  CDGATE_ASSIGN_OR_RETURN(crypto::SivSealer sealer,
                          crypto::SivSealer::Create(secrets.KeyFor("invite")));
  invite_sealer_ = std::make_unique<crypto::SivSealer>(std::move(sealer));
  enrol_dialer_ = std::make_unique<ChannelEnrolDialer>(*identity_, refusals_, clock_, timers_);
  enrolment_ = std::make_unique<manager::Enrolment>(manager::EnrolmentDeps{
      .domain = config_.domain(),
      .store = storage_->store(),
      .executor = pool_,
      .identity = *identity_,
      .clock = clock_,
      .random = random_,
      .sealer = *invite_sealer_,
      .dialer = *enrol_dialer_,
      .peers_endpoint =
          [this] { return Advertised(authz::Listener::kPeers, config_.advertise().peers()); },
      .enrolment_endpoint =
          [this] {
            return Advertised(authz::Listener::kEnrolment, config_.advertise().enrolment());
          }});
  return absl::OkStatus();
}

void Gateway::ApplyResources() {
  const state::ResourceSnapshotPtr resources = storage_->store().Resources();
  trust_watch_->Apply(*resources);
  signing_.OnResources(*resources);
}

void Gateway::CutSoon(const std::string& domain) {
  timers_.At(clock_.Monotonic() + kLastWord, [alive = alive_, domain] {
    alive->With([&domain](Gateway& gateway) {
      gateway.server_->CutConnections(
          [&domain](const authz::Principal& p) { return p.domain == domain; });
    });
  });
}

void Gateway::WatchResources() {
  {
    base::MutexLock lock(alive_->mu);
    alive_->gateway = this;
  }
  watch_ = storage_->store().Watch([alive = alive_](const state::ResourceSnapshotPtr& resources) {
    alive->With([&resources](Gateway& gateway) {
      gateway.trust_watch_->Apply(*resources);
      gateway.signing_.OnResources(*resources);
      gateway.audit_->OnResources(resources);
      gateway.environment_->Refresh();
      gateway.links_->Reconcile(resources);
      gateway.webhooks_->Reconcile(resources);
    });
  });
}

void Gateway::ScheduleUpkeep() {
  timers_.At(clock_.Monotonic() + kUpkeepInterval, [alive = alive_] {
    alive->With([&alive](Gateway& gateway) {
      static_cast<void>(gateway.background_.TryPost(  // a full pool skips a turn
          [alive] { alive->With([](Gateway& g) { g.Upkeep(); }); }));
      gateway.ScheduleUpkeep();
    });
  });
}

void Gateway::Upkeep() {
  if (identity_->FilesChanged()) {
    const absl::Status reloaded = identity_->Reload();
    if (reloaded.ok()) {
      base::Log(base::LogLevel::kInfo, "certificate reloaded",
                {{"serial", identity_->Current()->serial}});
    } else {
      base::LogError(base::LogLevel::kError, "certificate not reloaded; the last good one stays",
                     reloaded);
      audit_->OnIdentityRefused(reloaded);
    }
  }
  if (renewal_ != nullptr) renewal_->Tick();
  attestors_->Upkeep();
  audit_->Tick();
  health_.Set("audit", audit_->log().health().ok());
  identity_keys_->Tick();
  environment_->Refresh();
  trust_upkeep_.Look(health_);
  links_->CheckServers();
  agreements_->Upkeep();
  catalogues_->Upkeep();
  letter_expiry_->Tick();
  if (const absl::Status advanced = search_index_->Advance(kSearchBudget); !advanced.ok()) {
    base::LogError(base::LogLevel::kWarning, "the search index stands still; it is tried again",
                   advanced);
  }
  HourlyUpkeep();
  WatchRetention();
  for (const auto& peer : storage_->store().Resources()->List(state::kPeerKind)) {
    health_.Set(absl::StrCat("peer:", peer->name),
                policy_upkeep_->StateOf(peer->name).ok() && links_->IsUp(peer->name));
  }
  TrimWhereIdle();
}

void Gateway::TrimWhereIdle() {
  {
    base::MutexLock lock(mu_);
    if (!idle_trim_.IsDue(clock_.Monotonic(), base::ProcessTime())) return;
  }
  base::ReleaseUnusedMemory();
}

void Gateway::WatchRetention() {
  {
    base::MutexLock lock(mu_);
    const absl::Duration now = clock_.Monotonic();
    if (now < retention_due_) return;
    retention_due_ = now + absl::Minutes(1);
  }
  const state::Store& store = storage_->store();
  for (const auto& peer : store.Resources()->List(state::kPeerKind)) {
    const api::ExportLag lag = links_->LagOf(peer->name);
    retention_watch_.Look({.peer = peer->name,
                           .waiting = lag.events,
                           .loss = lag.loss_expected,
                           .lost = api::LostEvents(store.Counters(peer->name))},
                          clock_.Now());
  }
}

void Gateway::HourlyUpkeep() {
  {
    base::MutexLock lock(mu_);
    const absl::Duration now = clock_.Monotonic();
    if (now < hourly_due_) return;
    hourly_due_ = now + absl::Hours(1);
  }
  const absl::Status queued = manager::RemoveOldInvites(storage_->store(), clock_.Now());
  if (!queued.ok()) base::LogError(base::LogLevel::kWarning, "old invites kept for now", queued);
  const absl::Status plans = api::RemoveStalePlans(storage_->store(), *plan_book_);
  if (!plans.ok()) base::LogError(base::LogLevel::kWarning, "stale plans kept for now", plans);
  policy_upkeep_->RenewKeys();
}

void Gateway::UpdateGauges() {
  metrics_
      .AddGauge("cdgate_certificate_expiry_timestamp_seconds",
                "When the gateway's own certificate expires, seconds since the Unix epoch.")
      .Set(absl::ToDoubleSeconds(identity_->Current()->not_after - absl::UnixEpoch()));
  attestors_->UpdateGauges();
  trust_upkeep_.UpdateGauges();
  identity_keys_->UpdateGauges();
  links_->UpdateGauges();
  agreements_->UpdateGauges();
  storage_->UpdateMetrics();
}

std::vector<std::string> Gateway::Problems() const {
  std::vector<std::string> out = CertificateProblems(
      *identity_->Current(), renewal_.get(), clock_.Now(), credentials::IdentityUse::kConnections);
  for (std::string& problem : attestors_->Problems()) out.push_back(std::move(problem));
  for (std::string& problem : trust_upkeep_.Problems()) out.push_back(std::move(problem));
  for (std::string& problem : audit_->log().problems()) out.push_back(std::move(problem));
  for (std::string& problem : agreements_->Problems()) out.push_back(std::move(problem));
  for (std::string& problem : identity_keys_->Problems()) out.push_back(std::move(problem));
  for (std::string& problem : retention_watch_.Problems()) out.push_back(std::move(problem));
  const auto resources = storage_->store().Resources();
  for (const auto& peer : resources->List(state::kPeerKind)) {
    if (const absl::Status policy = policy_upkeep_->StateOf(peer->name); !policy.ok()) {
      out.push_back(
          absl::StrCat(policy.message(), ": nothing crosses; apply one with cdgate policy apply"));
    }
    const admin::v1::LinkStatus link = links_->StatusOf(peer->name);
    // A try that is under way has not mended it yet.
    const bool trying = link.state() == admin::v1::LINK_STATE_CONNECTING && !link.reason().empty();
    if (link.state() == admin::v1::LINK_STATE_DOWN || trying) {
      out.push_back(absl::StrCat("the link to ", peer->name, " is down: ", link.message()));
    }
  }
  return out;
}

std::string Gateway::Advertised(authz::Listener kind, const std::string& configured) const {
  if (!configured.empty()) return configured;
  const std::string bound = BoundAddress(kind);
  return Unspecified(bound) ? "" : bound;
}

absl::Status Gateway::Reload(const config::v1::GatewayConfig& config) {
  bool known = false;
  const base::LogLevel level = base::ParseLogLevel(config.logging().level(), &known);
  if (known) base::SetLogLevel(level);
  absl::Status certificates = identity_->Reload();
  if (!certificates.ok()) audit_->OnIdentityRefused(certificates);
  // Each is taken over without the others.
  certificates.Update(attestors_->Reload());
  const absl::Status providers = ReloadProviders(config.identity_providers());
  if (certificates.ok()) return providers;
  if (!providers.ok()) base::LogError(base::LogLevel::kError, "not reloaded", providers);
  return certificates;
}

absl::Status Gateway::ReloadProviders(const IdentityKeys::Configs& providers) {
  IdentityKeys::Configs before;
  {
    base::MutexLock lock(mu_);
    before = providers_;
  }
  const absl::Status reloaded = identity_keys_->Reload(providers);
  if (reloaded.ok()) {
    base::MutexLock lock(mu_);
    providers_ = providers;
  }
  audit_->OnProviders(before, providers, reloaded);
  return reloaded;
}

void Gateway::Shutdown() {
  {
    base::MutexLock lock(mu_);
    if (stopped_) return;
    stopped_ = true;
  }
  const absl::Duration limit =
      config_.has_drain_timeout() ? ToDuration(config_.drain_timeout()) : absl::Seconds(10);
  const absl::Duration end = clock_.Monotonic() + limit;
  if (renewal_ != nullptr) renewal_->Stop();
  if (attestors_ != nullptr) attestors_->Stop();
  if (ingress_ != nullptr) ingress_->Drain();
  if (server_ != nullptr) server_->Shutdown(limit);
  if (recovery_ != nullptr) recovery_->Shutdown();
  if (ingress_ != nullptr) {
    ingress_->Shutdown(std::max(end - clock_.Monotonic(), absl::ZeroDuration()));
  }
  if (webhooks_ != nullptr) {
    const absl::Duration left = std::max(end - clock_.Monotonic(), absl::ZeroDuration());
    webhooks_->Shutdown(std::min(left, kWebhooksDrain));
  }
  if (links_ != nullptr) links_->Shutdown();
  if (watch_ != 0) storage_->store().Unwatch(watch_);
  alive_->Detach();
  ops_.reset();
  if (storage_ != nullptr) {
    storage_->feed().Shutdown();
    storage_->store().Shutdown();
  }
  refusals_->Tell(nullptr);
  if (audit_ != nullptr) audit_->Shutdown();
  plan_runs_.Shutdown();
  if (agreements_ != nullptr) agreements_->Shutdown();
  pool_.Shutdown();
  background_.Shutdown();
  if (catalogues_ != nullptr) catalogues_->Shutdown();
}

}  // namespace cdgate::app
