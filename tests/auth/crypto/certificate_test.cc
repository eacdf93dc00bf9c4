#include "auth/crypto/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::crypto {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

TEST(CertificateTest, ReadsWhatIsInIt) {
  const test::TestCa ca("alpha.example", kNow);
  LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  request.dns_names = {"gw1.alpha.example", "localhost"};
  request.ip_names = {"192.0.2.7", "2001:db8::1"};
  request.common_name = "gw1";
  CDGATE_ASSERT_OK_AND_ASSIGN(const IssuedCertificate issued, ca.ca().Issue(request, kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const Certificate leaf, Certificate::FromPem(issued.certificate_pem));
  EXPECT_THAT(leaf.uri_names(), ElementsAre("spiffe://alpha.example/gateway/gw1"));
  EXPECT_THAT(leaf.dns_names(), ElementsAre("gw1.alpha.example", "localhost"));
  EXPECT_THAT(leaf.ip_names(), ElementsAre("192.0.2.7", "2001:db8::1"));
  EXPECT_EQ(leaf.subject(), "CN=gw1");
  EXPECT_EQ(leaf.issuer(), "CN=root CA,O=alpha.example");
  EXPECT_EQ(leaf.not_before(), kNow - absl::Minutes(5));
  EXPECT_EQ(leaf.not_after(), kNow + absl::Hours(24) * 90);
  EXPECT_FALSE(leaf.is_ca());
  EXPECT_FALSE(leaf.is_self_signed());
  EXPECT_TRUE(leaf.may_sign_data());
  EXPECT_FALSE(leaf.may_sign_certificates());
  EXPECT_EQ(leaf.FingerprintSha256(), Sha256(leaf.ToDer()));
}

TEST(CertificateTest, GoesThroughDer) {
  const test::TestCa ca("alpha.example", kNow);
  const Certificate root = ca.ca().certificate();
  CDGATE_ASSERT_OK_AND_ASSIGN(const Certificate read, Certificate::FromDer(root.ToDer()));
  EXPECT_EQ(read.ToPem(), root.ToPem());
  EXPECT_THAT(Certificate::FromDer(absl::StrCat(root.ToDer(), "x")),
              test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(Certificate::FromDer(root.ToDer().substr(0, 100)),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST(CertificateTest, KnowsItsKey) {
  const test::TestCa ca("alpha.example", kNow);
  const IssuedCertificate one = ca.Gateway("gw1");
  const IssuedCertificate two = ca.Gateway("gw2");
  const Certificate leaf = Certificate::FromPem(one.certificate_pem).value();
  EXPECT_TRUE(leaf.MatchesKey(PrivateKey::FromPem(one.key_pem).value()));
  EXPECT_FALSE(leaf.MatchesKey(PrivateKey::FromPem(two.key_pem).value()));
}

TEST(ParsePemChainTest, KeepsOrderAndSkipsOtherText) {
  const test::TestCa alpha("alpha.example", kNow);
  const test::TestCa beta("beta.example", kNow);
  const std::string pem = absl::StrCat("alpha's root:\n", alpha.bundle_pem(), "beta's:\n",
                                       beta.bundle_pem(), "that is all\n");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto chain, Certificate::ParsePemChain(pem));
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0].subject(), "CN=root CA,O=alpha.example");
  EXPECT_EQ(chain[1].subject(), "CN=root CA,O=beta.example");
  EXPECT_EQ(ToPem(chain), absl::StrCat(alpha.bundle_pem(), beta.bundle_pem()));
}

TEST(ParsePemChainTest, RefusesADamagedBlockInsteadOfSkippingIt) {
  const test::TestCa ca("alpha.example", kNow);
  const std::string good = ca.bundle_pem();
  for (const size_t at : {30U, 100U, 300U}) {
    std::string bad = good;
    bad[at] = '!';
    EXPECT_THAT(Certificate::ParsePemChain(absl::StrCat(good, bad)),
                test::HasReason(Reason::kCertificateMalformed))
        << at;
  }
  EXPECT_THAT(Certificate::ParsePemChain(absl::StrCat(good, good.substr(0, good.size() - 30))),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST(ParsePemChainTest, RefusesNoneAndTooMany) {
  EXPECT_THAT(Certificate::ParsePemChain(""), test::HasReason(Reason::kCertificateMalformed));
  const test::TestCa ca("alpha.example", kNow);
  std::string many;
  for (size_t i = 0; i <= Certificate::kMaxCertificates; ++i) {
    absl::StrAppend(&many, ca.bundle_pem());
  }
  EXPECT_THAT(Certificate::ParsePemChain(many), test::HasReason(Reason::kCertificateMalformed));
}

TEST(RevocationListTest, ReadsWhatIsInIt) {
  const test::TestCa ca("alpha.example", kNow);
  const absl::Time revoked = kNow - absl::Hours(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const std::string pem,
      ca.ca().IssueCrl({{"5f03", revoked}, {"0a", kNow}}, 7, absl::Hours(48), kNow));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto lists, RevocationList::ParsePem(pem));
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists[0].number(), 7U);
  EXPECT_EQ(lists[0].issuer(), "CN=root CA,O=alpha.example");
  EXPECT_EQ(lists[0].next_update(), kNow + absl::Hours(48));
  EXPECT_EQ(lists[0].ToPem(), pem);
  const auto entries = lists[0].entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].serial, "0a");
  EXPECT_EQ(entries[1].serial, "5f03");
  EXPECT_EQ(entries[1].revoked, revoked);
}

TEST(RevocationListTest, IsOfWhoNamesAndSignsIt) {
  const test::TestCa one("alpha.example", kNow);
  const test::TestCa same_name("alpha.example", kNow);
  const test::TestCa other("beta.example", kNow);
  const auto list = RevocationList::ParsePem(one.EmptyCrl())->front();
  EXPECT_TRUE(list.IsIssuedBy(one.ca().certificate()));
  EXPECT_FALSE(list.IsIssuedBy(same_name.ca().certificate()));
  EXPECT_FALSE(list.IsIssuedBy(other.ca().certificate()));
}

TEST(RevocationListTest, RefusesWhatIsNone) {
  EXPECT_THAT(RevocationList::ParsePem("no list"), test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_THAT(RevocationList::ParsePem("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
              test::HasReason(Reason::kCredentialsInvalid));
}

}  // namespace
}  // namespace cdgate::crypto
