// Everything about agreements that needs the running gateway: their end and its announcements, the
// switch of all exports, a start with --frozen, what peers are told, and the doctor.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/lifetime.h"
#include "gateway/api/agreement_api.h"
#include "gateway/api/diagnosis.h"
#include "gateway/api/export_api.h"
#include "gateway/api/peering_api.h"
#include "gateway/api/widening_gate.h"
#include "gateway/app/links.h"
#include "gateway/app/refusal_memory.h"
#include "gateway/app/storage.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/router.h"

namespace cdgate::app {

// All outlive the Agreements.
struct AgreementsDeps {
  std::string domain;
  // This run makes no link until an operator resumes.
  bool started_frozen = false;
  Storage& storage;
  Links& links;
  const api::WideningGate& gate;
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  std::shared_ptr<credentials::VerificationObserver> observer;
  const RefusalMemory& refused;
  base::Clock& clock;
  base::TimerQueue& timers;
  base::Executor& pool;
  base::Metrics& metrics;
};

// Thread-safe.
class Agreements {
 public:
  explicit Agreements(AgreementsDeps deps);

  // Adds the methods of AgreementService and PeeringService, once, before the server starts.
  absl::Status Register(rpc::Router& router);
  // Every few seconds: announces ends in the log, each stage once in a run.
  void Upkeep();
  // cdgate_agreement_expiry_seconds{peer} and cdgate_exports_stopped.
  void UpdateGauges();
  // In sentences, for `cdgate status`: ends that are near, exports that are stopped.
  std::vector<std::string> Problems() const;
  // Whether this run makes no link, as it was started.
  bool frozen() const { return frozen_; }
  // Waits for a test of the way to a peer that is under way. Idempotent.
  void Shutdown() { doctor_.Shutdown(); }

 private:
  absl::Status RegisterDoctor(rpc::Router& router);
  std::vector<admin::v1::Peer> Peers() const;
  void Unfreeze();
  // (blocks, seconds)
  absl::StatusOr<admin::v1::DoctorPeerResponse> Examine(const std::string& domain) const;
  api::PeerPathFacts FactsHere(const admin::v1::Peer& peer) const;

  const AgreementsDeps deps_;
  std::atomic<bool> frozen_;
  api::AgreementApi agreement_api_;
  api::ExportApi export_api_;
  api::PeeringApi peering_api_;
  base::Mutex mu_;
  manager::EndNotices notices_ CDGATE_GUARDED_BY(mu_);
  std::set<std::string> measured_ CDGATE_GUARDED_BY(mu_);  // peers that have a gauge
  // Tests of the way to a peer block for seconds; one at a time.
  base::ThreadPool doctor_{{.name = "doctor", .threads = 1, .max_queued = 4}};
};

}  // namespace cdgate::app
