// A domain as far as enrolment sees it: a CA, an identity, a store that outlives restarts,
// and an Enrolment over them; and a network of enrolment listeners between several.
//
//   test::FakeClock clock;
//   test::TestEnrolNetwork network;
//   test::TestDomain alpha("alpha.example", clock, network), beta("beta.example", clock, network);
//   auto invite = alpha.Invite({});
//   auto accepted = beta.Accept(invite->token());
//
// Calls return when they are answered. One thread calls.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "auth/credentials/identity_store.h"
#include "auth/crypto/siv_sealer.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/enrolment.h"
#include "federation/manager/invite.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::test {

// An answer that comes on some other thread.
template <typename T>
class Answer {
 public:
  // To be given as `done`; may be called when the Answer is gone.
  std::function<void(absl::StatusOr<T>)> Taker() const {
    return [state = state_](absl::StatusOr<T> value) {
      base::MutexLock lock(state->mu);
      state->value = std::move(value);
      state->come.SignalAll();
    };
  }
  // Waits for it.
  absl::StatusOr<T> Wait() const {
    base::MutexLock lock(state_->mu);
    while (!state_->value) {
      if (!state_->come.WaitFor(state_->mu, absl::Minutes(1))) break;
    }
    return state_->value.value_or(absl::UnknownError("no answer came"));
  }

 private:
  struct State {
    base::Mutex mu;
    base::CondVar come;
    std::optional<absl::StatusOr<T>> value CDGATE_GUARDED_BY(mu);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

class TestDomain;

// Who can be dialled for enrolment.
class TestEnrolNetwork final : public manager::EnrolDialer {
 public:
  // Calls `domain`, as whoever dialled last said he is. UNREACHABLE where it is not there.
  void Enrol(const std::string& endpoint, const std::string& domain,
             const federation::v1::EnrolRequest& request, Done done) override;

  void Add(TestDomain& domain);
  void Remove(const TestDomain& domain);
  // What comes back is changed on its way.
  void set_tamper(std::function<void(federation::v1::EnrolResponse&)> tamper) {
    tamper_ = std::move(tamper);
  }
  size_t dials() const { return dials_; }

 private:
  std::map<std::string, TestDomain*> domains_;
  std::function<void(federation::v1::EnrolResponse&)> tamper_;
  size_t dials_ = 0;
};

class TestDomain {
 public:
  TestDomain(const std::string& domain, FakeClock& clock, TestEnrolNetwork& network);
  ~TestDomain();

  manager::Enrolment& enrolment() { return *run_->enrolment; }
  state::Store& store() { return *run_->store; }
  eventlog::EventLog& log() { return run_->log; }
  const TestCa& ca() const { return ca_; }
  const std::string& name() const { return ca_.domain(); }
  std::string fingerprint() const;
  // Empty: there is no such listener.
  void set_peers_endpoint(std::string endpoint) { peers_endpoint_ = std::move(endpoint); }
  void set_enrolment_endpoint(std::string endpoint) { enrolment_endpoint_ = std::move(endpoint); }

  // The process ends, and another begins on the same disk.
  void Restart();
  // From now on our bundle has the root of another CA as well.
  void AddRoot();
  // Until the end of the returned object's life nothing is committed: what is proposed
  // meanwhile is decided in order afterwards, each against the same state as before.
  [[nodiscard]] std::shared_ptr<void> HoldCommits();

  absl::StatusOr<admin::v1::CreateInviteResponse> Invite(
      const admin::v1::CreateInviteRequest& request);
  absl::StatusOr<admin::v1::CreateInviteResponse> InviteOffline();
  absl::Status Revoke(const std::string& invite_id);
  absl::StatusOr<admin::v1::AcceptInviteResponse> Accept(const std::string& token,
                                                         bool offline = false);
  absl::StatusOr<admin::v1::Peer> Approve(const std::string& domain,
                                          const std::string& fingerprint = "");
  absl::StatusOr<admin::v1::Peer> ApproveReply(const std::string& code,
                                               const std::string& fingerprint = "");
  absl::StatusOr<federation::v1::EnrolResponse> HandleEnrol(
      const federation::v1::EnrolRequest& request);

  // What we would show as a client.
  trust::VerifiedPeer Certificate() const;
  // What a call for the token would say.
  federation::v1::EnrolRequest RequestFor(const std::string& token) const;
  std::optional<admin::v1::Peer> PeerOf(const TestDomain& other);
  std::optional<admin::v1::Invite> InviteOf(const std::string& invite_id);
  void RemovePeer(const TestDomain& other);

 private:
  struct Run {
    explicit Run(TestDomain& domain);
    ~Run();
    base::Metrics metrics;
    base::ThreadPool pool;
    eventlog::MemoryLog log;
    std::unique_ptr<state::Store> store;
    std::unique_ptr<manager::Enrolment> enrolment;
  };
  void InstallIdentity(const std::string& bundle_pem);

  FakeClock& clock_;
  TestEnrolNetwork& network_;
  TempDir dir_;
  const TestCa ca_;
  const crypto::IssuedCertificate leaf_;
  trust::TrustRegistry trust_;
  std::unique_ptr<credentials::IdentityStore> identity_;
  const crypto::SivSealer sealer_;
  const std::shared_ptr<eventlog::MemoryLogStorage> log_disk_;
  const std::shared_ptr<state::MemoryKvStorage> fold_disk_;
  std::string peers_endpoint_;
  std::string enrolment_endpoint_;
  std::unique_ptr<Run> run_;
};

// Three domains that can dial each other, and the clock of all.
class ThreeDomains : public testing::Test {
 protected:
  static std::string IdOf(const std::string& token) {
    return invite::DecodeToken(token).value().invite_id;
  }

  FakeClock clock_;
  TestEnrolNetwork network_;
  TestDomain alpha_{"alpha.example", clock_, network_};
  TestDomain beta_{"beta.example", clock_, network_};
  TestDomain gamma_{"gamma.example", clock_, network_};
};

}  // namespace cdgate::test
