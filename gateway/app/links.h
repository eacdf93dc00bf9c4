// The links of the gateway: the manager, what it dials with, and what the rest of the
// gateway asks about links.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/config/v1/config.pb.h"
#include "federation/manager/group_exchange.h"
#include "federation/manager/link_manager.h"
#include "federation/manager/trust_exchange.h"
#include "federation/session/catchup_share.h"
#include "federation/session/outcomes.h"
#include "federation/session/registry_directory.h"
#include "federation/session/siv_token_sealer.h"
#include "gateway/admission/admission.h"
#include "gateway/api/peer_api.h"
#include "gateway/app/catalogues.h"
#include "gateway/app/counts.h"
#include "gateway/app/storage.h"
#include "gateway/rpc/call.h"

namespace cdgate::app {

// All but the strings outlive the Links.
struct LinksDeps {
  const config::v1::GatewayConfig& config;
  std::string software;
  Storage& storage;
  admission::Admission& admission;
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  manager::GroupExchange& groups;
  Catalogues& catalogues;
  Counts& counts;
  const credentials::StatementSigner* attestor;  // null: nothing is signed
  session::AttestorRegistry& attestors;
  std::shared_ptr<credentials::VerificationObserver> observer;
  std::string token_key;
  bool started_frozen = false;  // no link is made until Unfreeze()
  const session::PseudonymKeeper& pseudonyms;
  session::CatchupShare& catchup;
  session::StatementSource::SignOrigin sign_origin;
  base::Clock& clock;
  base::Random& random;
  base::TimerQueue& timers;
  base::Executor& pool;
  base::Metrics& metrics;
};

// Thread-safe.
class Links {
 public:
  static absl::StatusOr<std::unique_ptr<Links>> Create(LinksDeps deps);
  ~Links();

  // Begins to dial.
  void Start();
  void Reconcile(state::ResourceSnapshotPtr resources);
  void Accept(rpc::ServerStreamPtr stream);
  // Ends links that we dialled to gateways whose certificate has ended or is not trusted any
  // more. (Those who dialled us the server looks after.) For every few seconds: it costs half
  // a millisecond for each link after trust has changed, else nothing.
  void CheckServers();
  void Unfreeze();
  void Drain();
  void Shutdown();

  bool IsUp(absl::string_view peer) const;
  // As LinkManager has them.
  bool SendCount(absl::string_view peer, federation::v1::Frame frame) const;
  bool KnowsCounts(absl::string_view peer) const;
  admin::v1::LinkStatus StatusOf(absl::string_view peer) const;
  // (blocks) How far the peer is behind our log.
  api::ExportLag LagOf(absl::string_view peer) const;
  // Why what came from the peer waits; OK: it does not.
  absl::Status ImportStallOf(absl::string_view peer) const;
  session::LinkFacts FactsOf(absl::string_view peer) const;
  // (blocks) Brings lag gauges up to date.
  void UpdateGauges();

 private:
  class Dialer;
  explicit Links(LinksDeps deps);

  const LinksDeps deps_;
  std::unique_ptr<session::SivTokenSealer> sealer_;
  manager::TrustExchange trust_;
  policy::SharedDecisions shared_;
  session::RegistryDirectory directory_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<manager::LinkManager> manager_;
};

}  // namespace cdgate::app
