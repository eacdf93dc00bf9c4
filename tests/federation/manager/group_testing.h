// A gateway as far as groups see it: a CA and an identity, a store, the keeper of its
// environment and what it tells its peers.
//
//   test::GroupNode alpha("alpha.example", clock), beta("beta.example", clock);
//   alpha.PeerWith(beta);
//   alpha.PutGroup("core", {"alpha.example", "beta.example"});
//   CDGATE_EXPECT_OK(beta.Receive("alpha.example", alpha.exchange().ListsFor("beta.example")));
//   beta.Environment()->IsMember("core@alpha.example", "beta.example", clock.Now());
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "auth/credentials/identity_store.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/manager/environment_keeper.h"
#include "federation/manager/group_exchange.h"
#include "federation/manager/group_lists.h"
#include "federation/policy/environment.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/store.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::test {

class GroupNode {
 public:
  GroupNode(const std::string& domain, FakeClock& clock,
            config::v1::ClassificationConfig classification = {})
      : clock_(clock),
        ca_(domain, clock.Now()),
        leaf_(
            ca_.Leaf({"spiffe://" + domain + "/gateway/gw1"}, clock.Now(), absl::Hours(24 * 90))) {
    CDGATE_EXPECT_OK(ca_.WriteIdentity(dir_.path(), leaf_));
    credentials::IdentityOptions options;
    options.certificate_path = dir_.File("tls.crt");
    options.key_path = dir_.File("tls.key");
    options.bundle_path = dir_.File("bundle.pem");
    identity_ = credentials::IdentityStore::Create(options, trust_, clock).value();
    keeper_ = std::make_unique<manager::EnvironmentKeeper>(
        manager::EnvironmentKeeperDeps{.domain = domain,
                                       .classification = std::move(classification),
                                       .store = *store_,
                                       .executor = pool_,
                                       .clock = clock});
    exchange_ =
        std::make_unique<manager::GroupExchange>(manager::GroupExchangeDeps{.domain = domain,
                                                                            .store = *store_,
                                                                            .identity = *identity_,
                                                                            .trust = trust_,
                                                                            .keeper = *keeper_,
                                                                            .clock = clock});
  }
  ~GroupNode() {
    exchange_.reset();
    keeper_.reset();
    store_->Shutdown();
    pool_.Shutdown();
  }

  manager::EnvironmentKeeper& keeper() { return *keeper_; }
  manager::GroupExchange& exchange() { return *exchange_; }
  state::Store& store() { return *store_; }
  trust::TrustRegistry& trust() { return trust_; }
  const credentials::IdentityStore& identity() const { return *identity_; }
  const TestCa& ca() const { return ca_; }
  const std::string& name() const { return ca_.domain(); }
  const credentials::Material& material() { return *(material_ = identity_->CurrentMaterial()); }

  // Another certificate of the same gateway.
  void RenewIdentity() {
    CDGATE_EXPECT_OK(ca_.WriteIdentity(
        dir_.path(),
        ca_.Leaf({"spiffe://" + name() + "/gateway/gw1"}, clock_.Now(), absl::Hours(24 * 90))));
    CDGATE_EXPECT_OK(identity_->Reload());
  }

  // `other` is a peer of ours from now on.
  void PeerWith(const GroupNode& other) {
    admin::v1::Peer peer;
    peer.set_domain(other.name());
    peer.set_bundle_pem(other.ca().bundle_pem());
    CDGATE_EXPECT_OK(trust_.Replace(other.name(), other.ca().bundle_pem(), {}));
    Propose({.kind = state::kPeerKind, .name = other.name(), .value = peer.SerializeAsString()});
  }
  void EndPeeringWith(const GroupNode& other) {
    trust_.Remove(other.name());
    Propose({.kind = state::kPeerKind, .name = other.name(), .deleted = true});
  }

  static admin::v1::Group Group(const std::string& name,
                                std::initializer_list<const char*> members) {
    admin::v1::Group group;
    group.set_name(name);
    for (const char* member : members) group.add_members(member);
    return group;
  }
  // With the environment that follows. The versions of both.
  state::Outcome PutGroup(const admin::v1::Group& group) {
    return Apply({.kind = state::kGroupKind,
                  .name = group.name(),
                  .value = group.SerializeAsString(),
                  .author = "ann"});
  }
  state::Outcome PutGroup(const std::string& name, std::initializer_list<const char*> members) {
    return PutGroup(Group(name, members));
  }
  state::Outcome DeleteGroup(const std::string& name) {
    return Apply({.kind = state::kGroupKind, .name = name, .deleted = true, .author = "ann"});
  }
  state::Outcome Apply(const state::ResourceEdit& edit) {
    const Answer<state::Outcome> answer;
    keeper_->Apply(
        [edit](const state::ResourceSnapshot&) { return manager::EnvironmentKeeper::Edits{edit}; },
        answer.Taker());
    return answer.Wait().value();
  }
  // What was asked of the keeper before is done.
  void Settle() {
    const Answer<state::Outcome> answer;
    keeper_->Apply(
        [](const state::ResourceSnapshot&) { return manager::EnvironmentKeeper::Edits(); },
        answer.Taker());
    CDGATE_EXPECT_OK(answer.Wait()->status);
  }
  absl::Status Receive(const std::string& peer, const federation::v1::Groups& groups) {
    const Answer<bool> answer;
    const auto taker = answer.Taker();
    exchange_->OnReceived(peer, groups, [taker](const absl::Status& status) {
      taker(status.ok() ? absl::StatusOr<bool>(true) : status);
    });
    return answer.Wait().status();
  }

  // As decisions read it.
  policy::EnvironmentPtr Environment() {
    return policy::Environment::Make(StoredEnvironment(), EnvironmentVersion());
  }
  storage::v1::DecisionEnvironment StoredEnvironment() {
    const auto stored = store_->Resources()->Find(state::kEnvironmentKind, state::kEnvironmentName);
    return stored == nullptr ? storage::v1::DecisionEnvironment()
                             : stored->As<storage::v1::DecisionEnvironment>().value();
  }
  uint64_t EnvironmentVersion() {
    const auto stored = store_->Resources()->Find(state::kEnvironmentKind, state::kEnvironmentName);
    return stored == nullptr ? 0 : stored->version;
  }

 private:
  void Propose(state::ResourceEdit edit) {
    const Answer<state::Outcome> answer;
    state::Proposal proposal;
    proposal.resources.push_back(std::move(edit));
    CDGATE_EXPECT_OK(store_->Propose(std::move(proposal), answer.Taker()));
    CDGATE_EXPECT_OK(answer.Wait()->status);
  }

  FakeClock& clock_;
  TempDir dir_;
  const TestCa ca_;
  const crypto::IssuedCertificate leaf_;
  trust::TrustRegistry trust_;
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::shared_ptr<const credentials::Material> material_;
  base::Metrics metrics_;
  base::ThreadPool pool_{{.name = "node", .threads = 2}};
  eventlog::MemoryLog log_{std::make_shared<eventlog::MemoryLogStorage>(), clock_,
                           base::SystemRandom()};
  const std::unique_ptr<state::Store> store_ =
      state::Store::Open(
          {},
          {.log = log_,
           .clock = clock_,
           .random = base::SystemRandom(),
           .metrics = metrics_,
           .background = pool_},
          std::make_unique<state::MemoryKv>(std::make_shared<state::MemoryKvStorage>()))
          .value();
  std::unique_ptr<manager::EnvironmentKeeper> keeper_;
  std::unique_ptr<manager::GroupExchange> exchange_;
};

}  // namespace cdgate::test
