#include "auth/credentials/attestor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/crypto/certificate.h"
#include "auth/crypto/signature.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::credentials {
namespace {

using base::Reason;
using testing::HasSubstr;

class AttestorStoreTest : public testing::Test {
 protected:
  void SetUp() override { Install(ca_.Attestor("a1")); }
  void Install(const crypto::IssuedCertificate& leaf) {
    CDGATE_ASSERT_OK(ca_.WriteIdentity(dir_.path(), leaf));
  }
  IdentityOptions Options() const {
    IdentityOptions options;
    options.certificate_path = dir_.File("tls.crt");
    options.key_path = dir_.File("tls.key");
    options.bundle_path = dir_.File("bundle.pem");
    options.expected_domain = "alpha.example";
    return options;
  }
  absl::StatusOr<std::unique_ptr<AttestorStore>> Create() {
    return AttestorStore::Create(Options(), clock_);
  }
  void ExpectRefused(const crypto::IssuedCertificate& leaf, const std::string& why) {
    Install(leaf);
    EXPECT_THAT(Create(), test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr(why)));
  }

  test::FakeClock clock_;
  test::TempDir dir_;
  const test::TestCa ca_{"alpha.example", clock_.Now()};
};

TEST_F(AttestorStoreTest, SignsByTheKeyThatItNames) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  CDGATE_ASSERT_OK_AND_ASSIGN(const SignedBytes made, attestor->Sign("a statement"));
  const auto current = attestor->Current();
  EXPECT_EQ(current->id, "spiffe://alpha.example/attestor/a1");
  EXPECT_EQ(made.key_id, current->key_id);
  ASSERT_EQ(current->certificates.size(), 1u);
  const auto leaf = crypto::Certificate::FromDer(current->certificates[0]).value();
  EXPECT_EQ(leaf.FingerprintSha256(), made.key_id);
  EXPECT_TRUE(crypto::SignatureFits(leaf, "a statement", made.signature));
  EXPECT_FALSE(crypto::SignatureFits(leaf, "another", made.signature));
  EXPECT_EQ(current->not_after, clock_.Now() + absl::Hours(24));
  EXPECT_EQ(attestor->Info()->serial, leaf.serial());
}

TEST_F(AttestorStoreTest, RefusesWhatIsNoAttestorOfOurs) {
  const test::TestCa beta("beta.example", clock_.Now());
  const auto a1 = ca_.Attestor("a1");
  ExpectRefused(ca_.Gateway("gw1"), "it is no attestor");
  ExpectRefused(ca_.Leaf({"spiffe://alpha.example/attestor/a1"}), "could be used for TLS");
  ExpectRefused(beta.Attestor("a1"), "not of our domain, alpha.example");
  ExpectRefused({a1.certificate_pem, ca_.Attestor("a2").key_pem}, "the key is not that");
  ExpectRefused(test::TestCa("alpha.example", clock_.Now()).Attestor("a1"), "tls.crt");
  ExpectRefused(ca_.Attestor("a1", clock_.Now() - absl::Hours(2), absl::Hours(1)), "has ended");
  ExpectRefused(ca_.Attestor("a1", clock_.Now() + absl::Hours(2), absl::Hours(1)), "not valid");
}

TEST_F(AttestorStoreTest, RefusesAKeyThatEverybodyCanRead) {
  ASSERT_EQ(chmod(dir_.File("tls.key").c_str(), 0644), 0);
  EXPECT_THAT(Create(),
              test::HasReasonAndMessage(Reason::kCredentialsInvalid, HasSubstr("chmod 600")));
}

TEST_F(AttestorStoreTest, RefusesOneThatIsRevoked) {
  CDGATE_ASSERT_OK(base::WriteFileAtomically(
      dir_.File("crl.pem"), ca_.CrlRevoking(base::ReadFile(dir_.File("tls.crt")).value())));
  IdentityOptions options = Options();
  options.crl_paths = {dir_.File("crl.pem")};
  EXPECT_THAT(AttestorStore::Create(options, clock_), test::HasReason(Reason::kCredentialsInvalid));
}

TEST_F(AttestorStoreTest, TakesAnIntermediateAlongAndNoRoot) {
  const auto issuing = ca_.ca().IssueIntermediate("alpha.example", {}, clock_.Now()).value();
  const auto below =
      crypto::CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
  crypto::LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/attestor/a1"};
  request.use = crypto::LeafUse::kStatements;
  auto leaf = below.Issue(request, clock_.Now()).value();
  leaf.certificate_pem += ca_.bundle_pem();
  Install(leaf);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  EXPECT_EQ(attestor->Current()->certificates.size(), 2u);
}

TEST_F(AttestorStoreTest, SignsByTheRenewedOneOnceItIsTaken) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  const auto first = attestor->Current();
  CDGATE_ASSERT_OK(attestor->Reload());
  EXPECT_EQ(attestor->Current(), first) << "the same object for the same certificate";
  EXPECT_FALSE(attestor->FilesChanged());
  Install(ca_.Attestor("a1"));
  EXPECT_TRUE(attestor->FilesChanged());
  EXPECT_EQ(attestor->Sign("x")->key_id, first->key_id);
  CDGATE_ASSERT_OK(attestor->Reload());
  EXPECT_FALSE(attestor->FilesChanged());
  EXPECT_NE(attestor->Current()->key_id, first->key_id);
  EXPECT_EQ(attestor->Sign("x")->key_id, attestor->Current()->key_id);
}

TEST_F(AttestorStoreTest, SomebodyIsToldBeforeAKeySignsAnything) {
  std::vector<std::string> told;
  std::unique_ptr<AttestorStore> attestor;
  Install(ca_.Attestor("a1"));
  CDGATE_ASSERT_OK_AND_ASSIGN(
      attestor, AttestorStore::Create(Options(), clock_, [&](const AttestorIdentity& next) {
        if (attestor != nullptr) {
          EXPECT_NE(attestor->Current()->key_id, next.key_id);
        }
        told.push_back(next.key_id);
      }));
  const auto first = attestor->Current();
  CDGATE_ASSERT_OK(attestor->Reload());
  Install(ca_.Attestor("a1"));
  CDGATE_ASSERT_OK(attestor->Reload());
  EXPECT_THAT(told, testing::ElementsAre(first->key_id, attestor->Current()->key_id));
  // Who holds the one before goes on by it.
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, first->Sign("x"));
  const auto leaf = crypto::Certificate::FromDer(first->certificates[0]).value();
  EXPECT_TRUE(crypto::SignatureFits(leaf, "x", signature));
}

TEST_F(AttestorStoreTest, TheLastGoodOneGoesOnWhereTheNextDoesNotFit) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  const auto first = attestor->Current();
  Install(ca_.Gateway("gw1"));
  EXPECT_THAT(attestor->Reload(), test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_EQ(attestor->Current(), first);
  CDGATE_EXPECT_OK(attestor->Sign("x"));
  EXPECT_FALSE(attestor->FilesChanged()) << "a bad set is tried once";
  EXPECT_THAT(attestor->LastReload(), test::HasReason(Reason::kCredentialsInvalid));
  Install(ca_.Attestor("a1"));
  CDGATE_ASSERT_OK(attestor->Reload());
  CDGATE_EXPECT_OK(attestor->LastReload());
}

TEST_F(AttestorStoreTest, SignsNothingOnceItHasEnded) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  clock_.Advance(absl::Hours(24));
  CDGATE_EXPECT_OK(attestor->Sign("x"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(attestor->Sign("x"), test::HasReasonAndMessage(Reason::kCertificateExpired,
                                                             HasSubstr("cdgate cert renew")));
}

TEST_F(AttestorStoreTest, KeyAndNameFitWhileOthersReload) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto attestor, Create());
  std::vector<crypto::Certificate> known = {
      crypto::Certificate::FromDer(attestor->Current()->certificates[0]).value()};
  std::vector<crypto::IssuedCertificate> next;
  for (int i = 0; i < 8; ++i) {
    next.push_back(ca_.Attestor("a1"));
    known.push_back(crypto::Certificate::FromPem(next.back().certificate_pem).value());
  }
  std::atomic<bool> done = false;
  std::thread reloads([&] {
    for (const auto& leaf : next) {
      Install(leaf);
      CDGATE_EXPECT_OK(attestor->Reload());
    }
    done = true;
  });
  while (!done) {
    const SignedBytes made = attestor->Sign("x").value();
    const auto by = std::find_if(known.begin(), known.end(), [&made](const auto& certificate) {
      return certificate.FingerprintSha256() == made.key_id;
    });
    ASSERT_NE(by, known.end());
    EXPECT_TRUE(crypto::SignatureFits(*by, "x", made.signature));
  }
  reloads.join();
}

}  // namespace
}  // namespace cdgate::credentials
