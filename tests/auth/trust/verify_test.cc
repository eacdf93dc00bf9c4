#include "auth/trust/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::trust {
namespace {

using base::Reason;
using crypto::Purpose;
using testing::Contains;
using testing::Pair;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

// Trusts alpha.example and beta.example.
class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    CDGATE_ASSERT_OK(registry_.Replace("alpha.example", alpha_.bundle_pem(), {}));
    CDGATE_ASSERT_OK(registry_.Replace("beta.example", beta_.bundle_pem(), {}));
  }
  absl::StatusOr<VerifiedPeer> Check(const crypto::IssuedCertificate& leaf,
                                     const std::string& chain = "", absl::Time now = kNow) {
    return Verify(*registry_.Current(), leaf.certificate_pem, chain, Purpose::kClient, now);
  }

  const test::TestCa alpha_{"alpha.example", kNow};
  const test::TestCa beta_{"beta.example", kNow};
  TrustRegistry registry_;
};

TEST_F(VerifyTest, SaysWhoItIs) {
  const auto leaf = beta_.Gateway("gw1");
  CDGATE_ASSERT_OK_AND_ASSIGN(const VerifiedPeer peer, Check(leaf));
  EXPECT_EQ(peer.id.text(), "spiffe://beta.example/gateway/gw1");
  EXPECT_EQ(peer.not_after, kNow + absl::Hours(24));
  EXPECT_EQ(peer.leaf_pem, leaf.certificate_pem);
  EXPECT_EQ(peer.serial, crypto::Certificate::FromPem(leaf.certificate_pem)->serial());
}

TEST_F(VerifyTest, WhatItReturnsCanBeVerifiedAgain) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const VerifiedPeer peer, Check(beta_.Gateway("gw1")));
  CDGATE_EXPECT_OK(
      Verify(*registry_.Current(), peer.leaf_pem, peer.chain_pem, Purpose::kClient, kNow));
  registry_.Remove("beta.example");
  EXPECT_THAT(Verify(*registry_.Current(), peer.leaf_pem, peer.chain_pem, Purpose::kClient, kNow),
              test::HasReason(Reason::kUnknownTrustDomain));
}

// The heart of it: both CAs are trusted, each for its own domain only.
TEST_F(VerifyTest, ATrustedCaCannotSpeakForAnotherDomain) {
  const auto forged = beta_.Leaf({"spiffe://alpha.example/gateway/gw1"});
  const auto refused = Check(forged, beta_.bundle_pem());
  EXPECT_THAT(refused, test::HasReason(Reason::kCertificateUntrusted));
  EXPECT_THAT(base::MetadataOf(refused.status()),
              Contains(Pair("id", "spiffe://alpha.example/gateway/gw1")));
}

TEST_F(VerifyTest, RefusesLeavesThatAreNotOnePrincipal) {
  EXPECT_THAT(Check(beta_.Leaf({})), test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(
      Check(beta_.Leaf({"spiffe://beta.example/gateway/a", "spiffe://beta.example/gateway/b"})),
      test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(Check(beta_.Leaf({"spiffe://beta.example"})),
              test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(Check(beta_.Leaf({"https://beta.example/gateway/a"})),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST_F(VerifyTest, RefusesCasAsPeers) {
  EXPECT_THAT(Verify(*registry_.Current(), beta_.bundle_pem(), "", Purpose::kClient, kNow),
              test::HasReason(Reason::kCertificateMalformed));
  const auto issuing = beta_.ca().IssueIntermediate("beta.example", {}, kNow).value();
  EXPECT_THAT(Check(issuing), test::HasReason(Reason::kCertificateMalformed));
}

TEST_F(VerifyTest, RefusesUnknownDomainsTheExpiredAndTheRevoked) {
  const test::TestCa gamma("gamma.example", kNow);
  EXPECT_THAT(Check(gamma.Gateway("gw1")), test::HasReason(Reason::kUnknownTrustDomain));
  const auto leaf = beta_.Gateway("gw1");
  EXPECT_THAT(Check(leaf, "", kNow + absl::Hours(25)),
              test::HasReason(Reason::kCertificateExpired));
  EXPECT_THAT(Check(leaf, "", kNow - absl::Hours(1)),
              test::HasReason(Reason::kCertificateNotYetValid));
  CDGATE_ASSERT_OK(registry_.Replace("beta.example", beta_.bundle_pem(),
                                     {beta_.CrlRevoking(leaf.certificate_pem)}));
  EXPECT_THAT(Check(leaf), test::HasReason(Reason::kCertificateRevoked));
}

TEST_F(VerifyTest, RefusesGarbage) {
  EXPECT_THAT(Verify(*registry_.Current(), "garbage", "", Purpose::kClient, kNow),
              test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(Check(beta_.Gateway("gw1"), "garbage"),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST_F(VerifyTest, AgainstOneBundleTheDomainMustBeTheExpectedOne) {
  const auto store = MakeTrustStore("beta.example", beta_.bundle_pem(), {}).value();
  const std::string leaf = beta_.Gateway("gw1").certificate_pem;
  CDGATE_EXPECT_OK(VerifyAgainst(*store, "beta.example", leaf, "", Purpose::kServer, kNow));
  EXPECT_THAT(VerifyAgainst(*store, "gamma.example", leaf, "", Purpose::kServer, kNow),
              test::HasReason(Reason::kWrongPeer));
}

// An attestor of beta's, with what verifies it.
class VerifyAttestorTest : public VerifyTest {
 protected:
  static std::vector<crypto::Certificate> Chain(const crypto::IssuedCertificate& issued) {
    return crypto::Certificate::ParsePemChain(issued.certificate_pem).value();
  }
  absl::StatusOr<VerifiedAttestor> CheckAttestor(const crypto::IssuedCertificate& issued,
                                                 absl::Time now = kNow) {
    return VerifyAttestor(*registry_.Current(), Chain(issued), now);
  }
  void Deny(DenialKind kind, const std::string& subject) {
    registry_.SetDenied(
        DenyList::Compile({{.name = "stolen", .kind = kind, .subject = subject}}).value());
  }
};

TEST_F(VerifyAttestorTest, SaysWhoseAndBetweenWhichTimes) {
  const auto issued = beta_.Attestor("a1");
  for (const absl::Time now : {kNow, kNow + absl::Hours(24 * 400)}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const VerifiedAttestor attestor, CheckAttestor(issued, now));
    EXPECT_EQ(attestor.id.text(), "spiffe://beta.example/attestor/a1");
    EXPECT_EQ(attestor.not_before, kNow - absl::Minutes(5));
    EXPECT_EQ(attestor.not_after, kNow + absl::Hours(24));
  }
  EXPECT_THAT(VerifyAttestor(*registry_.Current(), {}, kNow),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST_F(VerifyAttestorTest, OneUseIsNeverTheOther) {
  // By what the certificate is for, and by whom it names.
  crypto::LeafRequest request;
  request.uri_names = {"spiffe://beta.example/attestor/a1"};
  const auto connects = beta_.ca().Issue(request, kNow).value();
  EXPECT_THAT(CheckAttestor(connects), test::HasReason(Reason::kCertificateWrongUse));
  EXPECT_THAT(Check(connects), test::HasReason(Reason::kCertificateWrongUse));
  request.uri_names = {"spiffe://beta.example/gateway/gw1"};
  request.use = crypto::LeafUse::kStatements;
  const auto gateway = beta_.ca().Issue(request, kNow).value();
  EXPECT_THAT(CheckAttestor(gateway), test::HasReason(Reason::kCertificateWrongUse));
  EXPECT_THAT(Check(gateway), test::HasReason(Reason::kCertificateWrongUse));
  EXPECT_THAT(CheckAttestor(beta_.Gateway("gw1")), test::HasReason(Reason::kCertificateWrongUse));
  EXPECT_THAT(Check(beta_.Attestor("a1")), test::HasReason(Reason::kCertificateWrongUse));
}

TEST_F(VerifyAttestorTest, NobodySignsForAnotherDomain) {
  crypto::LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/attestor/a1"};
  request.use = crypto::LeafUse::kStatements;
  EXPECT_THAT(CheckAttestor(beta_.ca().Issue(request, kNow).value()),
              test::HasReason(Reason::kCertificateUntrusted));
  const test::TestCa gamma("gamma.example", kNow);
  EXPECT_THAT(CheckAttestor(gamma.Attestor("a1")),
              test::HasReasonAndMessage(Reason::kUnknownTrustDomain,
                                        testing::HasSubstr("cdgate trust set gamma.example")));
}

TEST_F(VerifyAttestorTest, WhoIsRevokedOrDeniedSignsNothing) {
  const auto issued = beta_.Attestor("a1");
  const auto serial = Chain(issued).front().serial();
  for (const auto& [kind, subject] :
       {std::pair(DenialKind::kPrincipal, std::string("spiffe://beta.example/attestor/a1")),
        std::pair(DenialKind::kDomain, std::string("beta.example")),
        std::pair(DenialKind::kSerial, "beta.example/" + serial)}) {
    Deny(kind, subject);
    EXPECT_THAT(CheckAttestor(issued), test::HasReason(Reason::kCertificateDenied)) << subject;
  }
  Deny(DenialKind::kDomain, "gamma.example");
  CDGATE_EXPECT_OK(CheckAttestor(issued));
  CDGATE_ASSERT_OK(registry_.Replace("beta.example", beta_.bundle_pem(),
                                     {beta_.CrlRevoking(issued.certificate_pem)}));
  EXPECT_THAT(CheckAttestor(issued), test::HasReason(Reason::kCertificateRevoked));
}

}  // namespace
}  // namespace cdgate::trust
