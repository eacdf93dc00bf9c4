// What signs statements for the gateway, and whose statements count: our own attestor from the
// files of the configuration, read again when they change and renewed before it ends, and the
// registry that has it together with those of others.
//
//   CDGATE_ASSIGN_OR_RETURN(auto attestors, Attestors::Open({...}));
//   ...every few seconds, on the background pool:
//   attestors->Upkeep();
//   ...who signs, where anything does:
//   if (const credentials::StatementSigner* signer = attestors->signer()) ...
//   ...who verifies:
//   attestors->registry().Find(domain, key_id, sign_time);
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/attestor.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/config/v1/config.pb.h"
#include "federation/session/attestor_registry.h"
#include "gateway/app/renewal.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/state/store.h"

namespace cdgate::app {

// All outlive it.
struct AttestorsDeps {
  const config::v1::GatewayConfig& config;
  state::Store& store;
  const trust::TrustRegistry& trust;
  const trust::TrustRegistry& origins;  // of domains that the first does not have
  const base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  base::Executor& background;
  // Told of what could not be taken over or renewed, on whichever thread tried.
  static constexpr char kRefused[] = "attestor refused";
  static constexpr char kNotRenewed[] = "attestor not renewed";
  std::function<void(const absl::Status& why, absl::string_view event)> on_refused;
};

// Thread-safe. The background executor is shut down before it goes.
class Attestors {
 public:
  // (blocks) Errors of credentials::AttestorStore::Create, where one is configured.
  static absl::StatusOr<std::unique_ptr<Attestors>> Open(AttestorsDeps deps);
  Attestors(const Attestors&) = delete;
  Attestors& operator=(const Attestors&) = delete;

  // Null: none is configured, and nothing is signed.
  const credentials::StatementSigner* signer() const { return own_.get(); }
  session::AttestorRegistry& registry() { return *registry_; }

  // (blocks) Reads changed files, renews what is due, stores what could not be stored before.
  void Upkeep();
  // (blocks) Reads our attestor's files again. On an error the last good one stays in use.
  absl::Status Reload();

  // Why our attestor is older than it should be, or could not be taken over; empty where it is
  // as it should be.
  std::vector<std::string> Problems() const;
  // cdgate_attestor_expiry_timestamp_seconds.
  void UpdateGauges();
  // Ends a renewal that runs, and starts none.
  void Stop();

 private:
  explicit Attestors(AttestorsDeps deps) : deps_(std::move(deps)) {}
  absl::Status OpenOwn();

  const AttestorsDeps deps_;
  std::unique_ptr<session::AttestorRegistry> registry_;
  std::unique_ptr<credentials::AttestorStore> own_;
  std::unique_ptr<Renewal> renewal_;  // null: somebody else renews
};

}  // namespace cdgate::app
