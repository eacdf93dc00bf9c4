#include "auth/crypto/certificate_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "auth/crypto/verify.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::crypto {
namespace {

using base::Reason;
using testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

TEST(CertificateAuthorityTest, RootIsWhatSpiffeAsksFor) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate root,
                              CertificateAuthority::InitRoot("alpha.example", {}, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const Certificate read, Certificate::FromPem(root.certificate_pem));
  EXPECT_TRUE(read.is_ca());
  EXPECT_TRUE(read.is_self_signed());
  EXPECT_TRUE(read.may_sign_certificates());
  EXPECT_TRUE(read.may_sign_crls());
  EXPECT_FALSE(read.may_sign_data());
  EXPECT_THAT(read.uri_names(), ElementsAre("spiffe://alpha.example"));
  EXPECT_EQ(read.not_before(), kNow - absl::Minutes(5));
  EXPECT_EQ(read.not_after(), kNow + absl::Hours(24) * 3653);
}

TEST(CertificateAuthorityTest, CutsLongDomainsInTheSubjectOnly) {
  const std::string domain(200, 'a');
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate root,
                              CertificateAuthority::InitRoot(domain, {}, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const Certificate read, Certificate::FromPem(root.certificate_pem));
  EXPECT_THAT(read.uri_names(), ElementsAre("spiffe://" + domain));
  EXPECT_EQ(read.subject(), "CN=root CA,O=" + domain.substr(0, 64));
}

TEST(CertificateAuthorityTest, SerialsAreLongAndDifferent) {
  const test::TestCa ca("alpha.example", kNow);
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) {
    const std::string serial =
        Certificate::FromPem(ca.Gateway("gw1").certificate_pem).value().serial();
    EXPECT_GE(serial.size(), 26U);  // 128 random bits; three leading zero bytes in none of 20
    serials.insert(serial);
  }
  EXPECT_EQ(serials.size(), 20U);
}

TEST(CertificateAuthorityTest, LeafNeverOutlivesItsIssuer) {
  RootOptions options;
  options.validity = absl::Hours(10);
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate root,
                              CertificateAuthority::InitRoot("alpha.example", options, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const CertificateAuthority ca,
                              CertificateAuthority::Load(root.certificate_pem, root.key_pem));
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate leaf,
                              ca.Issue({.uri_names = {"spiffe://alpha.example/service/x"},
                                        .dns_names = {},
                                        .ip_names = {},
                                        .validity = absl::Hours(24),
                                        .key_type = KeyType::kEd25519,
                                        .common_name = ""},
                                       kNow));
  EXPECT_EQ(Certificate::FromPem(leaf.certificate_pem).value().not_after(), kNow + absl::Hours(10));
}

TEST(CertificateAuthorityTest, IntermediateTravelsWithItsLeaves) {
  const test::TestCa root("alpha.example", kNow);
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate issuing,
                              root.ca().IssueIntermediate("alpha.example", {}, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const CertificateAuthority ca,
                              CertificateAuthority::Load(issuing.certificate_pem, issuing.key_pem));
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate leaf, ca.Issue(request, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto chain, Certificate::ParsePemChain(leaf.certificate_pem));
  ASSERT_EQ(chain.size(), 2U);  // leaf and intermediate; the root is the verifier's
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto store, TrustStore::Create({root.ca().certificate()}, {}));
  CDGATE_EXPECT_OK(VerifyChain(chain[0], {chain[1]}, *store, Purpose::kServer, kNow));
  EXPECT_THAT(VerifyChain(chain[0], {}, *store, Purpose::kServer, kNow),
              test::HasReason(Reason::kCertificateUntrusted));
}

TEST(CertificateAuthorityTest, IntermediateMayNotMakeAnother) {
  const test::TestCa root("alpha.example", kNow);
  const auto one = root.ca().IssueIntermediate("alpha.example", {}, kNow).value();
  const auto ca = CertificateAuthority::Load(one.certificate_pem, one.key_pem).value();
  EXPECT_THAT(ca.IssueIntermediate("alpha.example", {}, kNow),
              test::HasReason(Reason::kInvalidArgument));
}

TEST(CertificateAuthorityTest, LoadRefusesALeafAndAForeignKey) {
  const test::TestCa alpha("alpha.example", kNow);
  const test::TestCa beta("beta.example", kNow);
  const IssuedCertificate leaf = alpha.Gateway("gw1");
  EXPECT_THAT(CertificateAuthority::Load(leaf.certificate_pem, leaf.key_pem),
              test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_THAT(CertificateAuthority::Load(alpha.bundle_pem(), beta.root_key_pem()),
              test::HasReason(Reason::kCredentialsInvalid));
}

TEST(CertificateAuthorityTest, RefusesMalformedRequests) {
  const test::TestCa ca("alpha.example", kNow);
  LeafRequest request;
  request.ip_names = {"192.0.2"};
  EXPECT_THAT(ca.ca().Issue(request, kNow), test::HasReason(Reason::kInvalidArgument));
  request.ip_names = {};
  request.validity = absl::ZeroDuration();
  EXPECT_THAT(ca.ca().Issue(request, kNow), test::HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(ca.ca().IssueCrl({{"xyz", kNow}}, 1, absl::Hours(1), kNow),
              test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::crypto
