// What the trail writes of things that are no calls, read from its files as an auditor would.
#include "gateway/app/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "auth/credentials/identity_store.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using base::Reason;
using testing::HasSubstr;

class AuditTrailTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.set_domain("alpha.example");
    config_.set_instance("gw1");
    config_.set_data_dir(dir_.File("data"));
    CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("data")));
    CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File("id")));
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.File("id"), ca_.Gateway("gw1")));
    credentials::IdentityOptions files;
    files.certificate_path = dir_.File("id/tls.crt");
    files.key_path = dir_.File("id/tls.key");
    files.bundle_path = dir_.File("id/bundle.pem");
    auto identity = credentials::IdentityStore::Create(files, trust_, clock_);
    CDGATE_ASSERT_OK(identity.status());
    identity_ = *std::move(identity);
    auto trail = AuditTrail::Open(
        {.config = config_,
         .resources = [] { return std::make_shared<const state::ResourceSnapshot>(); },
         .identity = *identity_,
         .clock = clock_,
         .metrics = metrics_,
         .software = "test"});
    CDGATE_ASSERT_OK(trail.status());
    trail_ = *std::move(trail);
  }

  // The entries of a kind, once all are on disk. The trail is over then.
  std::vector<std::string> EntriesOf(const std::string& kind) {
    trail_->Shutdown();
    const auto text = base::ReadFile(dir_.File("data/audit/000000000001.jsonl"), 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    std::vector<std::string> out;
    for (const absl::string_view line : absl::StrSplit(text.value_or(""), '\n')) {
      if (audit::TextMember(line, "kind") == kind) out.emplace_back(line);
    }
    return out;
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  base::Metrics metrics_;
  const test::TestCa ca_{"alpha.example", clock_.Now()};
  trust::TrustRegistry trust_;
  config::v1::GatewayConfig config_;
  std::unique_ptr<credentials::IdentityStore> identity_;
  std::unique_ptr<AuditTrail> trail_;
};

TEST_F(AuditTrailTest, ARenewedCertificateThatIsRefusedIsAnEntry) {
  // The files are replaced by a certificate of another CA.
  const test::TestCa other("alpha.example", clock_.Now());
  const auto leaf = other.Gateway("gw1");
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("id/tls.crt"), leaf.certificate_pem));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File("id/tls.key"), leaf.key_pem, 0600));
  const std::string serial = identity_->Current()->serial;
  const absl::Status refused = identity_->Reload();
  ASSERT_THAT(refused, test::HasReason(Reason::kCredentialsInvalid));
  trail_->OnIdentityRefused(refused);
  trail_->OnIdentityRefused(base::MakeError(Reason::kCredentialsInvalid, "the PKI is closed"),
                            AuditTrail::kNotRenewed);
  trail_->Tick();  // what stays in use is no change
  const auto entries = EntriesOf("identity");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(audit::TextMember(entries[0], "event"), "certificate refused");
  EXPECT_EQ(audit::TextMember(entries[0], "outcome"), "CREDENTIALS_INVALID");
  EXPECT_NE(audit::TextMember(entries[0], "detail"), "");
  EXPECT_EQ(audit::TextMember(entries[1], "event"), "certificate not renewed");
  EXPECT_EQ(audit::TextMember(entries[1], "detail"), "the PKI is closed");
  EXPECT_EQ(identity_->Current()->serial, serial);
}

TEST_F(AuditTrailTest, ACertificateThatIsTakenOverIsOne) {
  const std::string before = identity_->Current()->serial;
  CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.File("id"), ca_.Gateway("gw1")));
  CDGATE_ASSERT_OK(identity_->Reload());
  trail_->Tick();
  trail_->Tick();
  const auto entries = EntriesOf("identity");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_THAT(entries[0], HasSubstr(before));
  EXPECT_THAT(entries[0], HasSubstr(identity_->Current()->serial));
}

TEST_F(AuditTrailTest, ARefusedHandshakeHasTheAddressWhereItIsKnown) {
  using credentials::Side;
  trail_->OnHandshakeRefused({.side = Side::kServer,
                              .reason = Reason::kCertificateExpired,
                              .claimed_id = "spiffe://alpha.example/service/ci",
                              .message = "ingress: it has ended",
                              .address = "192.0.2.7"});
  trail_->OnHandshakeRefused({.side = Side::kClient,
                              .reason = Reason::kWrongPeer,
                              .claimed_id = "spiffe://gamma.example/gateway/gw1",
                              .message = "not beta",
                              .address = "gw.beta.example:7444"});
  trail_->OnHandshakeRefused({.side = Side::kServer,
                              .reason = Reason::kCertificateUntrusted,
                              .claimed_id = "spiffe://beta.example/gateway/gw1",
                              .message = "no way to a root"});
  // Theirs to record.
  trail_->OnHandshakeRefused({.side = Side::kClient,
                              .reason = Reason::kPeerClosedHandshake,
                              .claimed_id = "",
                              .message = "gone"});
  const auto entries = EntriesOf("refusal");
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_THAT(entries[0], HasSubstr(R"("from":{"listener":"ingress","address":"192.0.2.7"})"));
  EXPECT_EQ(audit::TextMember(entries[0], "what"), "incoming handshake");
  EXPECT_THAT(entries[1], HasSubstr(R"("from":{"address":"gw.beta.example:7444"})"));
  EXPECT_EQ(audit::TextMember(entries[1], "what"), "outgoing handshake");
  EXPECT_THAT(entries[2], testing::Not(HasSubstr("\"from\"")));
  EXPECT_EQ(audit::TextMember(entries[2], "who"), "spiffe://beta.example/gateway/gw1");
}

TEST_F(AuditTrailTest, OtherIdentityProvidersAreAnEntryWithBothLists) {
  AuditTrail::Providers before;
  before.Add()->set_name("corp");
  AuditTrail::Providers after;
  after.Add()->set_name("other");
  after[0].set_issuer("https://id.example");
  trail_->OnProviders(before, before, absl::OkStatus());
  trail_->OnProviders(before, after, base::MakeError(Reason::kInvalidConfig, "no file"));
  trail_->OnProviders(before, after, absl::OkStatus());
  const auto entries = EntriesOf("gateway");
  ASSERT_EQ(entries.size(), 4u);  // started, the two, stopped
  EXPECT_EQ(audit::TextMember(entries[1], "event"), "identity providers refused");
  EXPECT_EQ(audit::TextMember(entries[1], "outcome"), "INVALID_CONFIG");
  EXPECT_EQ(audit::TextMember(entries[2], "event"), "identity providers changed");
  EXPECT_THAT(entries[2], HasSubstr(R"("before":[{"name":"corp"}])"));
  EXPECT_THAT(entries[2], HasSubstr(R"("issuer":"https://id.example")"));
}

}  // namespace
}  // namespace cdgate::app
