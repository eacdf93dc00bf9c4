// The services of a gateway: what its listeners serve, and where.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/session/export_stop.h"
#include "gateway/api/subscribe_api.h"
#include "gateway/api/times.h"
#include "gateway/app/gateway.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/guarded.h"
#include "gateway/rpc/reflection.h"

namespace cdgate::app {

absl::Status Gateway::BuildAudit() {
  CDGATE_ASSIGN_OR_RETURN(
      audit_, AuditTrail::Open({.config = config_,
                                .resources = [this] { return storage_->store().Resources(); },
                                .identity = *identity_,
                                .clock = clock_,
                                .metrics = metrics_,
                                .software = std::string(Software())}));
  // A handshake may end while the gateway does.
  refusals_->Tell([weak = std::weak_ptr<AuditTrail>(audit_)](const credentials::Refusal& refusal) {
    if (const auto audit = weak.lock()) audit->OnHandshakeRefused(refusal);
  });
  return absl::OkStatus();
}

absl::Status Gateway::BuildAttestors() {
  const auto on_refused = [this](const absl::Status& why, absl::string_view event) {
    audit_->OnIdentityRefused(why, event);
  };
  CDGATE_ASSIGN_OR_RETURN(attestors_, Attestors::Open({.config = config_,
                                                       .store = storage_->store(),
                                                       .trust = trust_,
                                                       .origins = origins_,
                                                       .clock = clock_,
                                                       .random = random_,
                                                       .metrics = metrics_,
                                                       .background = background_,
                                                       .on_refused = on_refused}));
  signing_.SetAttestor(attestors_->signer());  // until the store is shut down, which is before
  return absl::OkStatus();
}

void Gateway::BuildGroups() {
  state::Store& store = storage_->store();
  environment_ = std::make_unique<manager::EnvironmentKeeper>(
      manager::EnvironmentKeeperDeps{.domain = config_.domain(),
                                     .classification = config_.classification(),
                                     .store = store,
                                     .executor = pool_,
                                     .clock = clock_});
  groups_ = std::make_unique<manager::GroupExchange>(
      manager::GroupExchangeDeps{.domain = config_.domain(),
                                 .store = store,
                                 .identity = *identity_,
                                 .trust = trust_,
                                 .keeper = *environment_,
                                 .clock = clock_});
}

absl::Status Gateway::BuildCatalogues() {
  catalogues_ = std::make_unique<Catalogues>(CataloguesDeps{.data_dir = config_.data_dir(),
                                                            .store = storage_->store(),
                                                            .clock = clock_,
                                                            .random = random_,
                                                            .pool = pool_});
  return catalogues_->Open();
}

void Gateway::BuildCounts() {
  counts_ = std::make_unique<Counts>(CountsDeps{
      .config = config_,
      .storage = *storage_,
      .attestors = *attestors_,
      .pseudonyms = *pseudonyms_,
      .link_facts = [this](absl::string_view peer) { return links_->FactsOf(peer); },
      .send =
          [this](absl::string_view peer, federation::v1::Frame frame) {
            return links_->SendCount(peer, std::move(frame));
          },
      .knows_counts = [this](absl::string_view peer) { return links_->KnowsCounts(peer); },
      .clock = clock_,
      .random = random_,
      .timers = timers_,
      .pool = pool_,
      .background = background_,
      .metrics = metrics_});
}

void Gateway::BuildPublishing() {
  state::Store& store = storage_->store();
  const auto bound_of = [](const config::v1::RateConfig& rate) {
    return rpc::RateBound{.per_second = rate.per_second(), .burst = rate.burst()};
  };
  const config::v1::LimitsConfig& limits = config_.limits();
  rates_ = std::make_unique<rpc::PrincipalRates>(
      rpc::PrincipalRates::Options{.calls = bound_of(limits.principal_calls()),
                                   .events = bound_of(limits.principal_events()),
                                   .max_principals = limits.max_principals(),
                                   .clock = clock_,
                                   .metrics = metrics_});
  publish_api_ = std::make_unique<api::PublishApi>(api::PublishApiDeps{.admission = *admission_,
                                                                       .store = store,
                                                                       .pool = pool_,
                                                                       .rates = *rates_,
                                                                       .clock = clock_,
                                                                       .timers = timers_});
}

void Gateway::BuildTrustApis() {
  const api::TrustApiDeps deps{.domain = config_.domain(),
                               .store = storage_->store(),
                               .trust = trust_,
                               .origins = origins_,
                               .gate = *widening_gate_,
                               .clock = clock_,
                               .pool = pool_,
                               .applied = [this] { ApplyResources(); }};
  trust_api_ = std::make_unique<api::TrustApi>(deps);
  peer_bundle_api_ = std::make_unique<api::PeerBundleApi>(deps);
  attestor_api_ = std::make_unique<api::AttestorApi>(attestors_->registry(), clock_, pool_);
}

// Events of webhooks leave as those of links do.
absl::Status Gateway::MayLeave(const state::ResourceSnapshot& resources) const {
  if (!agreements_->frozen() && !session::ExportsStopped(resources)) return absl::OkStatus();
  return base::MakeError(base::Reason::kExportsStopped,
                         "nothing leaves this gateway: its exports are stopped, or it was started "
                         "frozen; cdgate export resume --all ends that");
}

absl::Status Gateway::BuildSubscriptions() {
  letter_expiry_ = std::make_unique<delivery::LetterExpiry>(storage_->store(), clock_, metrics_);
  live_matcher_ = std::make_unique<delivery::LiveMatcher>(storage_->feed());
  rounds_ = std::make_unique<delivery::RoundGroups>(storage_->feed(), pool_, clock_, timers_);
  shared_subscriptions_ = std::make_unique<delivery::SharedSubscriptions>(
      delivery::SharedDeps{.store = storage_->store(),
                           .feed = storage_->feed(),
                           .grants = grants_,
                           .pool = pool_,
                           .clock = clock_,
                           .timers = timers_,
                           .metrics = metrics_});
  CDGATE_ASSIGN_OR_RETURN(
      webhooks_,
      webhook::Webhooks::Start(
          {.domain = config_.domain(),
           .author = absl::StrCat("spiffe://", config_.domain(), "/gateway/", config_.instance()),
           .store = storage_->store(),
           .shared = *shared_subscriptions_,
           .hold = [this](const auto& resources) { return MayLeave(resources); },
           .deny =
               [this](const authz::Principal& principal) {
                 return trust_watch_->Denied(principal);
               },
           .clock = clock_,
           .random = random_,
           .metrics = metrics_},
          config_.webhooks()));
  subscription_api_ = std::make_unique<api::SubscriptionApi>(
      api::SubscriptionApiDeps{.store = storage_->store(),
                               .holders = subscriptions_,
                               .shared = *shared_subscriptions_,
                               .grants = grants_,
                               .webhooks = *webhooks_,
                               .clock = clock_,
                               .pool = pool_});
  return absl::OkStatus();
}

absl::Status Gateway::BuildApis() {
  state::Store& store = storage_->store();
  BuildPublishing();
  search_index_ = std::make_unique<eventlog::SearchIndex>(
      storage_->log(), clock_, eventlog::SearchIndex::kMaxBytes,
      [this](base::Sequence from, eventlog::ReadLimits limits) {
        return storage_->feed().FromTail(from, limits);
      });
  event_queries_ =
      std::make_unique<api::EventQueries>(store, storage_->log(), *search_index_, grants_, pool_);
  trace_api_ =
      std::make_unique<api::TraceApi>(store, storage_->log(), *search_index_, grants_, pool_);
  proof_api_ = std::make_unique<api::ProofApi>(config_.domain(), signing_.signer(), store,
                                               attestors_->registry(), grants_, pool_);
  describe_ = std::make_unique<api::DescribeApi>(store, pool_);
  BuildPlans();
  policy_api_ = std::make_unique<api::PolicyApi>(store, *plan_book_, pool_);
  dead_letter_api_ =
      std::make_unique<api::DeadLetterApi>(config_.domain(), store, *pseudonyms_, pool_);
  pseudonym_api_ = std::make_unique<api::PseudonymApi>(store, *pseudonyms_, pool_);
  policy_upkeep_ = std::make_unique<PolicyUpkeep>(
      store, *pseudonyms_, clock_,
      absl::Seconds(config_.policy().pseudonym_key_period().seconds()));
  grant_api_ =
      std::make_unique<api::GrantApi>(store, *widening_gate_, pool_, [this] { ApplyResources(); });
  CDGATE_RETURN_IF_ERROR(BuildSubscriptions());
  group_api_ = std::make_unique<api::GroupApi>(config_.domain(), store, *environment_,
                                               *widening_gate_, clock_, pool_);
  schema_api_ =
      std::make_unique<api::SchemaApi>(store, schemas_, pool_, [this] { ApplyResources(); });
  token_api_ = std::make_unique<api::TokenApi>(store, clock_, random_, pool_);
  BuildTrustApis();
  outcome_api_ = std::make_unique<api::OutcomeApi>(
      config_.domain(), store, *pseudonyms_,
      [this](absl::string_view peer) { return links_->FactsOf(peer); }, pool_);
  peer_api_ = std::make_unique<api::PeerApi>(api::PeerApiDeps{.domain = config_.domain(),
                                                              .instance = config_.instance(),
                                                              .software = std::string(Software()),
                                                              .start_time = start_time_,
                                                              .store = store,
                                                              .log = storage_->log(),
                                                              .enrolment = *enrolment_,
                                                              .gate = *widening_gate_,
                                                              .pool = pool_,
                                                              .facts = Facts()});
  audit_api_ = std::make_unique<api::AuditApi>(
      api::AuditApiDeps{.folder = base::JoinPath(config_.data_dir(), "audit"),
                        .bundle_pem = [this] { return audit_->Roots(); },
                        .head = [this] { return audit_->log().head(); },
                        .executor = background_});
  BuildAgreements();
  return absl::OkStatus();
}

void Gateway::BuildAgreements() {
  agreements_ = std::make_unique<Agreements>(AgreementsDeps{.domain = config_.domain(),
                                                            .started_frozen = options_.frozen,
                                                            .storage = *storage_,
                                                            .links = *links_,
                                                            .gate = *widening_gate_,
                                                            .identity = *identity_,
                                                            .trust = trust_,
                                                            .observer = refusals_,
                                                            .refused = refusals_->memory(),
                                                            .clock = clock_,
                                                            .timers = timers_,
                                                            .pool = pool_,
                                                            .metrics = metrics_});
}

absl::Status Gateway::BuildRecovery() {
  CDGATE_ASSIGN_OR_RETURN(
      recovery_, Recovery::Open({.config = config_,
                                 .software = std::string(Software()),
                                 .storage = *storage_,
                                 .links = *links_,
                                 .fetch = {.domain = config_.domain(),
                                           .store = storage_->store(),
                                           .admission = *admission_,
                                           .attestors = attestors_->registry(),
                                           .identity = *identity_,
                                           .trust = trust_,
                                           .observer = refusals_,
                                           .clock = clock_,
                                           .timers = timers_},
                                 .started_frozen = [this] { return agreements_->frozen(); },
                                 .pool = pool_}));
  return absl::OkStatus();
}

void Gateway::BuildPlans() {
  state::Store& store = storage_->store();
  api::PlanSettings settings;
  settings.domain = config_.domain();
  settings.approve_widening = config_.policy().approve_widening();
  if (config_.policy().has_plan_validity()) {
    settings.validity = api::FromProto(config_.policy().plan_validity());
  }
  settings.max_event_bytes = config_.limits().max_event_bytes();
  plan_book_ = std::make_unique<api::PlanBook>(store, clock_, settings);
  widening_gate_ = std::make_unique<api::WideningGate>(store, *plan_book_);
  plan_api_ = std::make_unique<api::PlanApi>(api::PlanApiDeps{
      .run = {.domain = config_.domain(),
              .store = store,
              .log = storage_->log(),
              .keeper = *pseudonyms_,
              .link_facts = [this](absl::string_view peer) { return links_->FactsOf(peer); }},
      .store = store,
      .book = *plan_book_,
      .pool = pool_,
      .runs = plan_runs_});
}

absl::Status Gateway::BuildAccess() {
  identity_keys_ = IdentityKeys::Create({.domain = config_.domain(),
                                         .providers = config_.identity_providers(),
                                         .clock = clock_,
                                         .metrics = metrics_,
                                         .background = background_});
  access_api_ = std::make_unique<api::AccessApi>(api::AccessApiDeps{
      .domain = config_.domain(),
      .store = storage_->store(),
      .grants = grants_,
      .deny = [this](const authz::Principal& principal) { return trust_watch_->Denied(principal); },
      .pool = pool_});
  return identity_keys_->Start();
}

absl::StatusOr<std::vector<storage::v1::OutcomeRow>> Gateway::FoldOutcomes(
    absl::Span<const event::CommitPtr> commits) {
  const state::Store& store = storage_->store();
  session::Outcomes outcomes(config_.domain(), store, *pseudonyms_,
                             [this](absl::string_view peer) { return links_->FactsOf(peer); });
  return api::FoldOutcomes(outcomes, store, commits);
}

absl::Status Gateway::RegisterServices() {
  CDGATE_RETURN_IF_ERROR(publish_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(event_queries_->Register(router_));
  CDGATE_RETURN_IF_ERROR(trace_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(proof_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(describe_->Register(router_));
  CDGATE_RETURN_IF_ERROR(plan_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(policy_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(dead_letter_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(pseudonym_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(grant_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(subscription_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(group_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(schema_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(token_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(trust_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(peer_bundle_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(attestor_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(outcome_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(peer_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(audit_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(agreements_->Register(router_));
  CDGATE_RETURN_IF_ERROR(recovery_->Register(router_));
  CDGATE_RETURN_IF_ERROR(access_api_->Register(router_));
  CDGATE_RETURN_IF_ERROR(catalogues_->Register(router_));
  CDGATE_RETURN_IF_ERROR(counts_->Register(router_));
  CDGATE_RETURN_IF_ERROR(api::RegisterSubscribe(router_, {.store = storage_->store(),
                                                          .feed = storage_->feed(),
                                                          .matcher = *live_matcher_,
                                                          .rounds = *rounds_,
                                                          .delivered = delivered_cache_,
                                                          .frame_room = frame_room_,
                                                          .grants = grants_,
                                                          .holders = subscriptions_,
                                                          .shared = *shared_subscriptions_,
                                                          .pool = pool_,
                                                          .clock = clock_,
                                                          .timers = timers_}));
  CDGATE_RETURN_IF_ERROR(router_.Register(rpc::Guarded::Bidi(
      "/cdgate.federation.v1.FederationService/Link", [this](rpc::ServerStreamPtr stream) {
        refusals_->CameThrough(stream->call().principal.domain);
        links_->Accept(std::move(stream));
      })));
  CDGATE_RETURN_IF_ERROR(rpc::RegisterHealth(router_, health_));
  return rpc::RegisterReflection(router_);
}

api::PeerFacts Gateway::Facts() {
  return {.link = [this](absl::string_view domain) { return links_->StatusOf(domain); },
          .lag = [this](absl::string_view domain) { return links_->LagOf(domain); },
          .problems = [this] { return Problems(); },
          .certificate_expiry = [this] { return identity_->Current()->not_after; }};
}

std::string Gateway::BoundAddress(authz::Listener kind) const {
  return server_ == nullptr ? "" : server_->BoundAddress(kind);
}

std::string Gateway::IngressAddress() const {
  return ingress_ == nullptr ? "" : ingress_->bound_address();
}

std::string Gateway::OpsAddress() const { return ops_ == nullptr ? "" : ops_->bound_address(); }

}  // namespace cdgate::app
