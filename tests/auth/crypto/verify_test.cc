#include "auth/crypto/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::crypto {
namespace {

using base::Reason;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

std::shared_ptr<const TrustStore> StoreOf(const test::TestCa& ca,
                                          const std::vector<std::string>& crls = {}) {
  std::vector<RevocationList> lists;
  for (const std::string& pem : crls) {
    const auto parsed = RevocationList::ParsePem(pem).value();
    lists.insert(lists.end(), parsed.begin(), parsed.end());
  }
  return TrustStore::Create({ca.ca().certificate()}, lists).value();
}

Certificate LeafOf(const IssuedCertificate& issued) {
  return Certificate::FromPem(issued.certificate_pem).value();
}

TEST(VerifyChainTest, AcceptsBothPurposes) {
  const test::TestCa ca("alpha.example", kNow);
  const Certificate leaf = LeafOf(ca.Gateway("gw1"));
  for (const Purpose purpose : {Purpose::kClient, Purpose::kServer}) {
    CDGATE_EXPECT_OK(VerifyChain(leaf, {}, *StoreOf(ca), purpose, kNow));
  }
}

TEST(VerifyChainTest, TimeIsTheOneGiven) {
  const test::TestCa ca("alpha.example", kNow);
  const Certificate leaf = LeafOf(ca.Gateway("gw1"));
  const auto store = StoreOf(ca);
  EXPECT_THAT(VerifyChain(leaf, {}, *store, Purpose::kClient, kNow + absl::Hours(25)),
              test::HasReasonAndMessage(Reason::kCertificateExpired, HasSubstr(leaf.serial())));
  EXPECT_THAT(VerifyChain(leaf, {}, *store, Purpose::kClient, kNow - absl::Minutes(6)),
              test::HasReason(Reason::kCertificateNotYetValid));
  CDGATE_EXPECT_OK(VerifyChain(leaf, {}, *store, Purpose::kClient, kNow - absl::Minutes(4)));
}

TEST(VerifyChainTest, RefusesAnotherDomainsCa) {
  const test::TestCa alpha("alpha.example", kNow);
  const test::TestCa beta("beta.example", kNow);
  const Certificate forged = LeafOf(beta.Leaf({"spiffe://alpha.example/gateway/gw1"}));
  EXPECT_THAT(
      VerifyChain(forged, {beta.ca().certificate()}, *StoreOf(alpha), Purpose::kClient, kNow),
      test::HasReason(Reason::kCertificateUntrusted));
}

TEST(VerifyChainTest, RefusesACaOfTheSameNameWithAnotherKey) {
  const test::TestCa real("alpha.example", kNow);
  const test::TestCa impostor("alpha.example", kNow);
  EXPECT_THAT(VerifyChain(LeafOf(impostor.Gateway("gw1")), {impostor.ca().certificate()},
                          *StoreOf(real), Purpose::kClient, kNow),
              test::HasReason(Reason::kCertificateUntrusted));
}

TEST(VerifyChainTest, RefusesTheRevokedAndOnlyThem) {
  const test::TestCa ca("alpha.example", kNow);
  const IssuedCertificate revoked = ca.Gateway("gw1");
  const auto store = StoreOf(ca, {ca.CrlRevoking(revoked.certificate_pem)});
  EXPECT_THAT(VerifyChain(LeafOf(revoked), {}, *store, Purpose::kClient, kNow),
              test::HasReason(Reason::kCertificateRevoked));
  CDGATE_EXPECT_OK(VerifyChain(LeafOf(ca.Gateway("gw2")), {}, *store, Purpose::kClient, kNow));
}

TEST(VerifyChainTest, RefusesARevokedIntermediate) {
  const test::TestCa root("alpha.example", kNow);
  const auto issuing = root.ca().IssueIntermediate("alpha.example", {}, kNow).value();
  const auto ca = CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  const Certificate leaf = LeafOf(ca.Issue(request, kNow).value());
  const std::string below = ca.IssueCrl({}, 1, absl::Hours(24), kNow).value();
  CDGATE_EXPECT_OK(VerifyChain(leaf, {ca.certificate()}, *StoreOf(root, {root.EmptyCrl(), below}),
                               Purpose::kClient, kNow));
  EXPECT_THAT(VerifyChain(leaf, {ca.certificate()},
                          *StoreOf(root, {root.CrlRevoking(issuing.certificate_pem), below}),
                          Purpose::kClient, kNow),
              test::HasReason(Reason::kCertificateRevoked));
}

TEST(VerifyChainTest, FailsClosedWhereAListIsMissingOrExpired) {
  const test::TestCa root("alpha.example", kNow);
  const auto issuing = root.ca().IssueIntermediate("alpha.example", {}, kNow).value();
  const auto ca = CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  request.validity = absl::Hours(1000);
  const Certificate leaf = LeafOf(ca.Issue(request, kNow).value());
  EXPECT_THAT(VerifyChain(leaf, {ca.certificate()}, *StoreOf(root, {root.EmptyCrl()}),
                          Purpose::kClient, kNow),
              test::HasReasonAndMessage(Reason::kRevocationListStale, HasSubstr("CRL")));
  const std::string below = ca.IssueCrl({}, 1, absl::Hours(24), kNow).value();
  EXPECT_THAT(VerifyChain(leaf, {ca.certificate()}, *StoreOf(root, {root.EmptyCrl(), below}),
                          Purpose::kClient, kNow + absl::Hours(25)),
              test::HasReasonAndMessage(Reason::kRevocationListStale, HasSubstr("CRL")));
}

TEST(VerifyChainTest, AListIsGoodForItsGraceAndNotASecondLonger) {
  const test::TestCa root("alpha.example", kNow);
  const auto good = root.Leaf({"spiffe://alpha.example/gateway/gw1"}, kNow, absl::Hours(1000));
  const auto bad = root.Leaf({"spiffe://alpha.example/gateway/gw2"}, kNow, absl::Hours(1000));
  // It ends after a day.
  const auto lists = RevocationList::ParsePem(root.CrlRevoking(bad.certificate_pem)).value();
  const auto store = TrustStore::Create(Certificate::ParsePemChain(root.bundle_pem()).value(),
                                        lists, absl::Hours(3))
                         .value();
  const absl::Time end = kNow + absl::Hours(24 + 3);
  const auto verify = [&](const IssuedCertificate& leaf, absl::Time now) {
    return VerifyChain(LeafOf(leaf), {}, *store, Purpose::kClient, now);
  };
  CDGATE_EXPECT_OK(verify(good, end - absl::Seconds(1)));
  EXPECT_THAT(verify(good, end), test::HasReason(Reason::kRevocationListStale));
  EXPECT_THAT(verify(bad, end - absl::Seconds(1)), test::HasReason(Reason::kCertificateRevoked))
      << "what is on it stays revoked meanwhile";
}

TEST(VerifiedChainTest, SaysWhenTheFirstOfThemEndsAndWhoIsAboveTheLeaf) {
  const test::TestCa root("alpha.example", kNow);
  RootOptions short_lived;
  short_lived.validity = absl::Hours(2);
  const auto issuing = root.ca().IssueIntermediate("alpha.example", short_lived, kNow).value();
  const auto ca = CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem).value();
  // Ours never outlives its CA; another's may.
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  request.validity = absl::Hours(1);
  const Certificate leaf = LeafOf(ca.Issue(request, kNow).value());
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const ChainFacts chain,
      VerifiedChain(leaf, {ca.certificate()}, *StoreOf(root, {}), Purpose::kClient, kNow));
  EXPECT_EQ(chain.not_after, kNow + absl::Hours(1));
  const Certificate top = Certificate::FromPem(root.bundle_pem()).value();
  EXPECT_THAT(chain.authorities,
              testing::ElementsAre(ca.certificate().FingerprintSha256(), top.FingerprintSha256()));
}

TEST(VerifyChainTest, ALeafCannotIssue) {
  const test::TestCa ca("alpha.example", kNow);
  const IssuedCertificate leaf = ca.Gateway("gw1");
  EXPECT_THAT(TrustStore::Create({LeafOf(leaf)}, {}),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST(TrustStoreTest, RefusesAnEmptyBundleAndAnIntermediate) {
  const test::TestCa root("alpha.example", kNow);
  const auto issuing = root.ca().IssueIntermediate("alpha.example", {}, kNow).value();
  EXPECT_THAT(TrustStore::Create({}, {}), test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(TrustStore::Create({LeafOf(issuing)}, {}),
              test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("not a root")));
}

TEST(VerifyChainTest, WhatSignsStatementsDoesNotConnectAndTheOtherWayRound) {
  const test::TestCa ca("alpha.example", kNow);
  const Certificate attestor = LeafOf(ca.Attestor("a1"));
  EXPECT_FALSE(attestor.may_be_used_for_tls());
  EXPECT_TRUE(attestor.may_sign_data());
  CDGATE_EXPECT_OK(VerifyChain(attestor, {}, *StoreOf(ca), Purpose::kStatements, kNow));
  for (const Purpose purpose : {Purpose::kClient, Purpose::kServer}) {
    EXPECT_THAT(VerifyChain(attestor, {}, *StoreOf(ca), purpose, kNow),
                test::HasReason(Reason::kCertificateWrongUse));
  }
  const Certificate gateway = LeafOf(ca.Gateway("gw1"));
  EXPECT_TRUE(gateway.may_be_used_for_tls());
  EXPECT_THAT(VerifyChain(gateway, {}, *StoreOf(ca), Purpose::kStatements, kNow),
              test::HasReasonAndMessage(Reason::kCertificateWrongUse,
                                        HasSubstr("cdgate cert issue attestor/NAME")));
  // Without the extension a root is for any use.
  EXPECT_TRUE(ca.ca().certificate().may_be_used_for_tls());
}

TEST(VerifyChainTest, OfWhatSignsStatementsTheTimesAreTold) {
  const test::TestCa ca("alpha.example", kNow);
  const Certificate leaf = LeafOf(ca.Attestor("a1"));
  for (const absl::Duration later : {-absl::Hours(24 * 365), absl::Hours(24 * 365)}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const ChainFacts facts,
        VerifiedChain(leaf, {}, *StoreOf(ca), Purpose::kStatements, kNow + later));
    EXPECT_EQ(facts.not_before, leaf.not_before());
    EXPECT_EQ(facts.not_after, kNow + absl::Hours(24));
  }
  // Lists are as they are now.
  const auto store = StoreOf(ca, {ca.CrlRevoking(leaf.ToPem())});
  EXPECT_THAT(VerifyChain(leaf, {}, *store, Purpose::kStatements, kNow + absl::Hours(1)),
              test::HasReason(Reason::kCertificateRevoked));
  EXPECT_THAT(VerifyChain(leaf, {}, *store, Purpose::kStatements, kNow + absl::Hours(48)),
              test::HasReason(Reason::kRevocationListStale));
}

TEST(ReasonOfVerifyErrorTest, EveryErrorHasOneOfSevenReasons) {
  // 94 is the last code of OpenSSL 3.0; later ones must fall to the closed side.
  for (int error = 1; error <= 120; ++error) {
    const Reason reason = ReasonOfVerifyError(error);
    EXPECT_TRUE(reason == Reason::kCertificateExpired ||
                reason == Reason::kCertificateNotYetValid ||
                reason == Reason::kCertificateRevoked || reason == Reason::kCertificateMalformed ||
                reason == Reason::kRevocationListStale || reason == Reason::kCertificateWrongUse ||
                reason == Reason::kCertificateUntrusted)
        << error;
  }
  EXPECT_EQ(ReasonOfVerifyError(X509_V_ERR_CRL_HAS_EXPIRED), Reason::kRevocationListStale);
  EXPECT_EQ(ReasonOfVerifyError(X509_V_ERR_INVALID_PURPOSE), Reason::kCertificateWrongUse);
  EXPECT_EQ(ReasonOfVerifyError(X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER),
            Reason::kCertificateMalformed);
}

}  // namespace
}  // namespace cdgate::crypto
