#include "auth/trust/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace cdgate::trust
