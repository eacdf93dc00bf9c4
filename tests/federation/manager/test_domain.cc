#include "tests/federation/manager/test_domain.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/random.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {
namespace {

constexpr char kAuthor[] = "spiffe://DOMAIN/user/ann";

}  // namespace

// ---------------------------------------------------------------- the network

void TestEnrolNetwork::Enrol(const std::string& /*endpoint*/, const std::string& domain,
                             const federation::v1::EnrolRequest& request, Done done) {
  ++dials_;
  const auto inviter = domains_.find(domain);
  const auto accepter = domains_.find(request.party().domain());
  if (inviter == domains_.end() || accepter == domains_.end()) {
    return done(base::MakeError(base::Reason::kUnreachable, "nobody listens there"));
  }
  inviter->second->enrolment().HandleEnrol(
      accepter->second->Certificate(), request,
      [tamper = tamper_, done](absl::StatusOr<federation::v1::EnrolResponse> response) {
        if (response.ok() && tamper) tamper(*response);
        done(std::move(response));
      });
}

void TestEnrolNetwork::Add(TestDomain& domain) { domains_[domain.name()] = &domain; }
void TestEnrolNetwork::Remove(const TestDomain& domain) { domains_.erase(domain.name()); }

// ----------------------------------------------------------------- the domain

TestDomain::TestDomain(const std::string& domain, FakeClock& clock, TestEnrolNetwork& network)
    : clock_(clock),
      network_(network),
      ca_(domain, clock.Now()),
      leaf_(ca_.Leaf({absl::StrCat("spiffe://", domain, "/gateway/gw1")}, clock.Now(),
                     absl::Hours(24 * 90))),
      sealer_(crypto::SivSealer::Create(std::string(64, domain[0])).value()),
      log_disk_(std::make_shared<eventlog::MemoryLogStorage>()),
      fold_disk_(std::make_shared<state::MemoryKvStorage>()),
      peers_endpoint_(absl::StrCat("gw.", domain, ":7442")),
      enrolment_endpoint_(absl::StrCat("gw.", domain, ":7443")) {
  InstallIdentity(ca_.bundle_pem());
  identity_ = credentials::IdentityStore::Create({.certificate_path = dir_.File("tls.crt"),
                                                  .key_path = dir_.File("tls.key"),
                                                  .key_passphrase_path = {},
                                                  .bundle_path = dir_.File("bundle.pem"),
                                                  .crl_paths = {},
                                                  .expected_id = {},
                                                  .publish_under = {}},
                                                 trust_, clock_)
                  .value();
  run_ = std::make_unique<Run>(*this);
  network_.Add(*this);
}

TestDomain::~TestDomain() { network_.Remove(*this); }

TestDomain::Run::Run(TestDomain& domain)
    : pool({.name = "domain", .threads = 1, .max_queued = 4096}),
      log(domain.log_disk_, domain.clock_, base::SystemRandom()) {
  state::StoreDeps deps{.log = log,
                        .clock = domain.clock_,
                        .random = base::SystemRandom(),
                        .metrics = metrics,
                        .background = pool};
  store =
      state::Store::Open({}, deps, std::make_unique<state::MemoryKv>(domain.fold_disk_)).value();
  enrolment = std::make_unique<manager::Enrolment>(manager::EnrolmentDeps{
      .domain = domain.name(),
      .store = *store,
      .executor = pool,
      .identity = *domain.identity_,
      .clock = domain.clock_,
      .random = base::SystemRandom(),
      .sealer = domain.sealer_,
      .dialer = domain.network_,
      .peers_endpoint = [&domain] { return domain.peers_endpoint_; },
      .enrolment_endpoint = [&domain] { return domain.enrolment_endpoint_; }});
}

TestDomain::Run::~Run() {
  store->Shutdown();
  pool.Shutdown();
}

void TestDomain::Restart() {
  run_.reset();
  run_ = std::make_unique<Run>(*this);
}

// Written without waiting for the disk, which on a busy machine takes longer than all else.
void TestDomain::InstallIdentity(const std::string& bundle_pem) {
  for (const auto& [name, content] : {std::pair("tls.crt", leaf_.certificate_pem),
                                      {"tls.key", leaf_.key_pem},
                                      {"bundle.pem", bundle_pem}}) {
    std::ofstream(dir_.File(name)) << content;
    std::filesystem::permissions(
        dir_.File(name), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
}

void TestDomain::AddRoot() {
  const TestCa next(name(), clock_.Now());
  InstallIdentity(absl::StrCat(ca_.bundle_pem(), next.bundle_pem()));
  CDGATE_EXPECT_OK(identity_->Reload());
}

std::string TestDomain::fingerprint() const {
  return base::Fingerprint(identity_->Current()->bundle_digest);
}

std::shared_ptr<void> TestDomain::HoldCommits() {
  struct Gate {
    base::Mutex mu;
    base::CondVar changed;
    bool reached CDGATE_GUARDED_BY(mu) = false;
    bool open CDGATE_GUARDED_BY(mu) = false;
  };
  const auto gate = std::make_shared<Gate>();
  state::Proposal proposal;
  proposal.resources.push_back({.kind = "test", .name = "gate", .value = "x"});
  // The store's thread tells what became of a proposal, and commits nothing meanwhile.
  CDGATE_EXPECT_OK(store().Propose(std::move(proposal), [gate](const state::Outcome&) {
    base::MutexLock lock(gate->mu);
    gate->reached = true;
    gate->changed.SignalAll();
    while (!gate->open) gate->changed.Wait(gate->mu);
  }));
  {
    base::MutexLock lock(gate->mu);
    while (!gate->reached) gate->changed.Wait(gate->mu);
  }
  return std::shared_ptr<void>(gate.get(), [gate](void*) {
    base::MutexLock lock(gate->mu);
    gate->open = true;
    gate->changed.SignalAll();
  });
}

// ---------------------------------------------------------------------- calls

absl::StatusOr<admin::v1::CreateInviteResponse> TestDomain::Invite(
    const admin::v1::CreateInviteRequest& request) {
  const Answer<admin::v1::CreateInviteResponse> answer;
  enrolment().CreateInvite(kAuthor, request, answer.Taker());
  return answer.Wait();
}

absl::StatusOr<admin::v1::CreateInviteResponse> TestDomain::InviteOffline() {
  admin::v1::CreateInviteRequest request;
  request.set_offline(true);
  request.set_purpose("shared releases");
  return Invite(request);
}

absl::Status TestDomain::Revoke(const std::string& invite_id) {
  admin::v1::RevokeInviteRequest request;
  request.set_invite_id(invite_id);
  const Answer<admin::v1::RevokeInviteResponse> answer;
  enrolment().RevokeInvite(kAuthor, request, answer.Taker());
  return answer.Wait().status();
}

absl::StatusOr<admin::v1::AcceptInviteResponse> TestDomain::Accept(const std::string& token,
                                                                   bool offline) {
  admin::v1::AcceptInviteRequest request;
  request.set_token(token);
  request.set_purpose("the same, in our words");
  request.add_contacts("ops@beta.example");
  request.set_offline(offline);
  const Answer<admin::v1::AcceptInviteResponse> answer;
  enrolment().Accept(kAuthor, request, answer.Taker());
  return answer.Wait();
}

absl::StatusOr<admin::v1::Peer> TestDomain::Approve(const std::string& domain,
                                                    const std::string& fingerprint) {
  admin::v1::ApprovePeerRequest request;
  request.set_domain(domain);
  request.set_fingerprint(fingerprint);
  const Answer<admin::v1::Peer> answer;
  enrolment().Approve(kAuthor, request, answer.Taker());
  return answer.Wait();
}

absl::StatusOr<admin::v1::Peer> TestDomain::ApproveReply(const std::string& code,
                                                         const std::string& fingerprint) {
  admin::v1::ApprovePeerRequest request;
  request.set_reply_code(code);
  request.set_fingerprint(fingerprint);
  const Answer<admin::v1::Peer> answer;
  enrolment().Approve(kAuthor, request, answer.Taker());
  return answer.Wait();
}

absl::StatusOr<federation::v1::EnrolResponse> TestDomain::HandleEnrol(
    const federation::v1::EnrolRequest& request) {
  const Answer<federation::v1::EnrolResponse> answer;
  network_.Enrol("", name(), request, answer.Taker());
  return answer.Wait();
}

// ---------------------------------------------------------------------- facts

trust::VerifiedPeer TestDomain::Certificate() const {
  return {.id = trust::SpiffeId::Gateway(name(), "gw1").value(),
          .not_after = clock_.Now() + absl::Hours(1),
          .serial = "1",
          .leaf_pem = leaf_.certificate_pem,
          .chain_pem = ""};
}

federation::v1::EnrolRequest TestDomain::RequestFor(const std::string& token) const {
  const invite::Token read = invite::DecodeToken(token).value();
  federation::v1::EnrolRequest request;
  request.set_invite_id(read.invite_id);
  request.mutable_party()->set_domain(name());
  request.mutable_party()->set_bundle_pem(ca_.bundle_pem());
  request.mutable_party()->set_endpoint(peers_endpoint_);
  request.set_proof(
      invite::AccepterProof(read.secret, invite::BindingOf(read), request.party()).value());
  return request;
}

std::optional<admin::v1::Peer> TestDomain::PeerOf(const TestDomain& other) {
  const auto stored = store().Resources()->Find(state::kPeerKind, other.name());
  if (stored == nullptr) return std::nullopt;
  return stored->As<admin::v1::Peer>().value();
}

std::optional<admin::v1::Invite> TestDomain::InviteOf(const std::string& invite_id) {
  const auto stored = store().Resources()->Find(state::kInviteKind, invite_id);
  if (stored == nullptr) return std::nullopt;
  return stored->As<admin::v1::Invite>().value();
}

void TestDomain::RemovePeer(const TestDomain& other) {
  state::Proposal proposal;
  proposal.resources.push_back({.kind = state::kPeerKind, .name = other.name(), .deleted = true});
  const Answer<uint64_t> answer;
  CDGATE_EXPECT_OK(
      store().Propose(std::move(proposal), [done = answer.Taker()](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return done(outcome.status);
        done(outcome.commit);
      }));
  CDGATE_EXPECT_OK(answer.Wait());
}

}  // namespace cdgate::test
