// One gateway: everything built in order of dependence, from a configuration.
//
//   CDGATE_ASSIGN_OR_RETURN(auto gateway, app::Gateway::Start(config, on_fatal));
//   ...
//   gateway->Shutdown();           // drains, within config.drain_timeout
//
// Several gateways may live in one process (tests do that); what is process-wide (TLS
// settings, logging, signals) is set up by Serve (serve.h) or the test.
//
// Members are declared in the order they are built, so they are destroyed in the order
// that lets each outlive its users.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/grants.h"
#include "auth/authz/method_table.h"
#include "auth/credentials/identity_store.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/config/v1/config.pb.h"
#include "federation/manager/enrolment.h"
#include "federation/manager/environment_keeper.h"
#include "federation/manager/group_exchange.h"
#include "federation/session/catchup_share.h"
#include "gateway/admission/admission.h"
#include "gateway/api/access_api.h"
#include "gateway/api/attestor_api.h"
#include "gateway/api/audit_api.h"
#include "gateway/api/dead_letter_api.h"
#include "gateway/api/describe_api.h"
#include "gateway/api/event_queries.h"
#include "gateway/api/grant_api.h"
#include "gateway/api/group_api.h"
#include "gateway/api/outcome_api.h"
#include "gateway/api/peer_api.h"
#include "gateway/api/peer_bundle_api.h"
#include "gateway/api/plan_api.h"
#include "gateway/api/plan_book.h"
#include "gateway/api/policy_api.h"
#include "gateway/api/proof_api.h"
#include "gateway/api/pseudonym_api.h"
#include "gateway/api/publish_api.h"
#include "gateway/api/schema_api.h"
#include "gateway/api/subscription_api.h"
#include "gateway/api/token_api.h"
#include "gateway/api/trace_api.h"
#include "gateway/api/trust_api.h"
#include "gateway/api/widening_gate.h"
#include "gateway/app/agreements.h"
#include "gateway/app/attestors.h"
#include "gateway/app/audit_trail.h"
#include "gateway/app/catalogues.h"
#include "gateway/app/counts.h"
#include "gateway/app/enrol_dialer.h"
#include "gateway/app/identity_keys.h"
#include "gateway/app/idle_trim.h"
#include "gateway/app/links.h"
#include "gateway/app/origin_signing.h"
#include "gateway/app/policy_upkeep.h"
#include "gateway/app/recovery.h"
#include "gateway/app/refusal_counter.h"
#include "gateway/app/renewal.h"
#include "gateway/app/retention_watch.h"
#include "gateway/app/secrets.h"
#include "gateway/app/storage.h"
#include "gateway/app/token_source.h"
#include "gateway/app/trust_upkeep.h"
#include "gateway/app/trust_watch.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/base/timer_queue.h"
#include "gateway/delivery/delivered_cache.h"
#include "gateway/delivery/frame_room.h"
#include "gateway/delivery/letter_expiry.h"
#include "gateway/delivery/live_matcher.h"
#include "gateway/delivery/rounds.h"
#include "gateway/delivery/subscriptions.h"
#include "gateway/eventlog/search_index.h"
#include "gateway/http/ingress_listener.h"
#include "gateway/http/ops_listener.h"
#include "gateway/rpc/health.h"
#include "gateway/rpc/principal_rates.h"
#include "gateway/rpc/router.h"
#include "gateway/rpc/server.h"
#include "gateway/webhook/webhooks.h"

namespace cdgate::app {

// "cdgate 0.1.0"
absl::string_view Software();

struct StartOptions {
  // No link is made until an operator runs `cdgate export resume --all`; for this run.
  bool frozen = false;
};

class Gateway {
 public:
  // `on_fatal`: the log can no longer be written; called once, from any thread, after
  // everything that waits was refused. The process has to end.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(const config::v1::GatewayConfig& config,
                                                        std::function<void(absl::Status)> on_fatal,
                                                        StartOptions options = {});
  // Calls Shutdown().
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Stops taking calls, says goodbye to peers and subscribers, waits for what is under
  // way within the configured limit, ends the rest, closes the log. Idempotent.
  void Shutdown();

  // Takes over what can change while running: certificates, CRLs, identity providers and the log
  // level. On an error what was in use of each stays in use.
  absl::Status Reload(const config::v1::GatewayConfig& config);

  // "127.0.0.1:40123"; empty where there is no such listener.
  std::string BoundAddress(authz::Listener kind) const;
  std::string OpsAddress() const;
  // Empty where there is no HTTP ingress.
  std::string IngressAddress() const;

 private:
  Gateway(const config::v1::GatewayConfig& config, std::function<void(absl::Status)> on_fatal,
          StartOptions options);

  absl::Status Build();
  absl::Status BuildIdentity();
  absl::Status BuildAudit();
  absl::Status BuildAttestors();
  absl::Status BuildServices();
  absl::Status BuildEnrolment(const Secrets& secrets);
  absl::StatusOr<std::vector<storage::v1::OutcomeRow>> FoldOutcomes(
      absl::Span<const event::CommitPtr> commits);
  void BuildGroups();
  absl::Status BuildCatalogues();
  void BuildCounts();
  void BuildPublishing();
  void BuildTrustApis();
  absl::Status MayLeave(const state::ResourceSnapshot& resources) const;
  absl::Status BuildSubscriptions();
  absl::Status BuildApis();
  void BuildPlans();
  void BuildAgreements();
  absl::Status BuildRecovery();
  // Identity providers, and who may do what.
  absl::Status BuildAccess();
  absl::Status ReloadProviders(const IdentityKeys::Configs& providers);
  absl::Status RegisterServices();
  absl::Status Listen();
  absl::Status ListenOps();
  absl::Status ListenIngress();
  std::vector<rpc::ListenerOptions> Listeners() const;
  rpc::ListenerOptions TcpListener(authz::Listener kind, const std::string& address) const;
  void WatchResources();
  void ApplyResources();
  // Ends the connections of a domain when its link has had the time to say why.
  void CutSoon(const std::string& domain);
  void ScheduleUpkeep();
  // Certificate files, groups that end, health of peers: every few seconds; old invites, plans
  // and keys: every hour.
  void Upkeep();
  void HourlyUpkeep();
  void WatchRetention();
  void UpdateGauges();
  void TrimWhereIdle();
  std::vector<std::string> Problems() const;
  api::PeerFacts Facts();
  std::string Advertised(authz::Listener kind, const std::string& configured) const;

  const config::v1::GatewayConfig config_;
  const std::function<void(absl::Status)> on_fatal_;
  const StartOptions options_;
  base::Clock& clock_ = base::SystemClock();
  base::Random& random_ = base::SystemRandom();
  const absl::Time start_time_ = clock_.Now();

  base::Metrics metrics_;
  delivery::FrameRoom frame_room_;  // streams leave it when the last of their tasks is gone
  base::ThreadTimerQueue timers_{clock_};
  // Blocking work that may take long: retention, flushes.
  base::ThreadPool background_;
  // Everything else: admission, decisions, sessions.
  base::ThreadPool pool_;
  // Runs of plans, which may go through all of the log; one at a time.
  base::ThreadPool plan_runs_;

  trust::TrustRegistry trust_;
  trust::TrustRegistry origins_;
  session::CatchupShare catchup_;
  RetentionWatch retention_watch_;
  OriginSigning signing_;
  std::shared_ptr<RefusalCounter> refusals_;
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::unique_ptr<Renewal> renewal_;  // null: somebody else renews
  std::unique_ptr<crypto::SivSealer> invite_sealer_;
  std::unique_ptr<session::PseudonymKeeper> pseudonyms_;
  std::unique_ptr<Storage> storage_;
  std::shared_ptr<AuditTrail> audit_;
  std::unique_ptr<Attestors> attestors_;
  authz::GrantRegistry grants_;
  schema::SchemaRegistry schemas_;
  std::unique_ptr<TokenSource> tokens_;
  std::shared_ptr<IdentityKeys> identity_keys_;
  std::unique_ptr<TrustWatch> trust_watch_;
  TrustUpkeep trust_upkeep_{trust_, clock_, metrics_};
  uint64_t watch_ = 0;

  rpc::HealthRegistry health_;
  std::unique_ptr<rpc::PrincipalRates> rates_;
  std::unique_ptr<admission::Admission> admission_;
  std::unique_ptr<delivery::LiveMatcher> live_matcher_;
  std::unique_ptr<delivery::RoundGroups> rounds_;
  delivery::DeliveredCache delivered_cache_;
  delivery::SubscriptionHolders subscriptions_;
  std::unique_ptr<delivery::SharedSubscriptions> shared_subscriptions_;
  std::unique_ptr<delivery::LetterExpiry> letter_expiry_;
  std::unique_ptr<webhook::Webhooks> webhooks_;
  std::unique_ptr<ChannelEnrolDialer> enrol_dialer_;
  std::unique_ptr<manager::Enrolment> enrolment_;
  std::unique_ptr<manager::EnvironmentKeeper> environment_;
  std::unique_ptr<manager::GroupExchange> groups_;
  std::unique_ptr<Catalogues> catalogues_;
  std::unique_ptr<Counts> counts_;
  std::unique_ptr<Links> links_;

  std::unique_ptr<api::PublishApi> publish_api_;
  std::unique_ptr<eventlog::SearchIndex> search_index_;
  std::unique_ptr<api::EventQueries> event_queries_;
  std::unique_ptr<api::TraceApi> trace_api_;
  std::unique_ptr<api::ProofApi> proof_api_;
  std::unique_ptr<api::DescribeApi> describe_;
  std::unique_ptr<PolicyUpkeep> policy_upkeep_;
  std::unique_ptr<api::PlanBook> plan_book_;
  std::unique_ptr<api::WideningGate> widening_gate_;
  std::unique_ptr<api::PlanApi> plan_api_;
  std::unique_ptr<api::PolicyApi> policy_api_;
  std::unique_ptr<api::DeadLetterApi> dead_letter_api_;
  std::unique_ptr<api::PseudonymApi> pseudonym_api_;
  std::unique_ptr<api::GrantApi> grant_api_;
  std::unique_ptr<api::SubscriptionApi> subscription_api_;
  std::unique_ptr<api::GroupApi> group_api_;
  std::unique_ptr<api::SchemaApi> schema_api_;
  std::unique_ptr<api::TokenApi> token_api_;
  std::unique_ptr<api::TrustApi> trust_api_;
  std::unique_ptr<api::AttestorApi> attestor_api_;
  std::unique_ptr<api::PeerBundleApi> peer_bundle_api_;
  std::unique_ptr<api::OutcomeApi> outcome_api_;
  std::unique_ptr<api::PeerApi> peer_api_;
  std::unique_ptr<api::AuditApi> audit_api_;
  std::unique_ptr<Agreements> agreements_;
  std::unique_ptr<Recovery> recovery_;
  std::unique_ptr<api::AccessApi> access_api_;
  rpc::Router router_;

  base::Mutex mu_;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Duration hourly_due_ CDGATE_GUARDED_BY(mu_);  // by the monotonic clock
  absl::Duration retention_due_ CDGATE_GUARDED_BY(mu_);
  IdleTrim idle_trim_ CDGATE_GUARDED_BY(mu_);
  IdentityKeys::Configs providers_ CDGATE_GUARDED_BY(mu_) = config_.identity_providers();

  // Lets timers and watchers find out that the gateway is gone.
  struct Alive;
  std::shared_ptr<Alive> alive_;

  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<http::IngressListener> ingress_;
  std::unique_ptr<http::OpsListener> ops_;
};

}  // namespace cdgate::app
