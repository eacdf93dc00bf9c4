// What a gateway writes into its audit log: who did what, from where, with which outcome, and
// what a resource was before and after. The second gate, the TLS verifier, the ingress and the
// store tell it; handlers know nothing of it.
//
//   CDGATE_ASSIGN_OR_RETURN(auto audit, AuditTrail::Open(deps));
//   server_options.auditor = audit.get();
//
// What is recorded, what is not, and why an act waits for its entry: docs/audit.md and the ADR
// about the audit log. Thread-safe; only Open and Shutdown block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/audit/audit_log.h"
#include "auth/audit/refusal_meter.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/app/change_tracker.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/call_auditor.h"
#include "gateway/state/resources.h"

namespace cdgate::app {

// All outlive the trail.
struct AuditTrailDeps {
  const config::v1::GatewayConfig& config;
  std::function<state::ResourceSnapshotPtr()> resources;
  credentials::IdentityStore& identity;
  const base::Clock& clock;
  base::Metrics& metrics;
  std::string software;
};

class AuditTrail final : public rpc::CallAuditor {
 public:
  // Errors of audit::AuditLog::Open.
  static absl::StatusOr<std::unique_ptr<AuditTrail>> Open(AuditTrailDeps deps);
  ~AuditTrail() override;

  void OnRefused(const rpc::RefusedFacts& call, const absl::Status& why) override;
  absl::StatusOr<std::unique_ptr<rpc::CallRecord>> Begin(const rpc::CallPtr& call,
                                                         const grpc::ByteBuffer* request) override;

  // A handshake that our side refused.
  void OnHandshakeRefused(const credentials::Refusal& refusal);
  // A request on the HTTP ingress whose sender is not who or what it has to be.
  void OnRequestRefused(const std::string& address, const std::string& principal,
                        const absl::Status& why);
  // Resources changed: those that no recorded call made become entries.
  void OnResources(const state::ResourceSnapshotPtr& resources);
  // The gateway's own certificate could not be taken over, or not be renewed.
  static constexpr char kCertificateRefused[] = "certificate refused";
  static constexpr char kNotRenewed[] = "certificate not renewed";
  void OnIdentityRefused(const absl::Status& why, absl::string_view event = kCertificateRefused);
  // The configuration names other identity providers from now on; not OK: it could not be taken
  // over. Nothing where they are as before.
  using Providers = google::protobuf::RepeatedPtrField<config::v1::IdentityProvider>;
  void OnProviders(const Providers& before, const Providers& after, const absl::Status& taken);
  // Every few seconds: counted refusals, a new certificate, upkeep of the log.
  void Tick();

  const audit::AuditLog& log() const { return *log_; }
  // PEM of all roots of our own domain that checkpoints may rest on. Reads a file.
  std::string Roots() const;

  // The last entry; then nothing is recorded any more. Idempotent.
  void Shutdown();

 private:
  class Record;
  explicit AuditTrail(AuditTrailDeps deps);

  absl::Status OpenLog();
  absl::StatusOr<audit::Signer> CurrentSigner() const;
  void RecordRefusal(const audit::RefusalKey& key, audit::Members members);
  void RecordChanges(const std::vector<AuditedChange>& changes);
  void RecordIdentity();
  void RecordCounted();
  void KeepCurrentRoots() const;

  const AuditTrailDeps deps_;
  std::unique_ptr<audit::AuditLog> log_;

  mutable base::Mutex mu_;
  ChangeTracker tracker_ CDGATE_GUARDED_BY(mu_);
  audit::RefusalMeter meter_ CDGATE_GUARDED_BY(mu_);
  std::shared_ptr<const credentials::IdentityInfo> identity_ CDGATE_GUARDED_BY(mu_);
  absl::Duration counted_due_ CDGATE_GUARDED_BY(mu_);
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::app
