// A CA that is bounded to names cannot make a certificate with another one, whoever verifies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/verify.h"
#include "tests/support/nameless_roots.h"
#include "tests/support/status_matchers.h"

namespace cdgate::crypto {
namespace {

using base::Reason;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

struct Ca {
  IssuedCertificate files;
  CertificateAuthority ca;
};

Ca Root(NameConstraints permitted, KeyType type = KeyType::kP256) {
  RootOptions options;
  options.permitted = std::move(permitted);
  options.key_type = type;
  IssuedCertificate files = CertificateAuthority::InitRoot("alpha.example", options, kNow).value();
  CertificateAuthority ca =
      CertificateAuthority::Load(files.certificate_pem, files.key_pem).value();
  return {std::move(files), std::move(ca)};
}

Ca Below(const Ca& root, NameConstraints permitted = {}) {
  RootOptions options;
  options.permitted = std::move(permitted);
  IssuedCertificate files = root.ca.IssueIntermediate("alpha.example", options, kNow).value();
  CertificateAuthority ca =
      CertificateAuthority::Load(files.certificate_pem, files.key_pem).value();
  return {std::move(files), std::move(ca)};
}

absl::Status Judge(const Ca& root, const Ca& issuer, const LeafRequest& request) {
  const auto chain = Certificate::ParsePemChain(issuer.ca.Issue(request, kNow)->certificate_pem);
  const auto store = TrustStore::Create({root.ca.certificate()}, {});
  return VerifyChain(chain->front(), *chain, **store, Purpose::kServer, kNow);
}

LeafRequest Named(const std::string& uri, const std::vector<std::string>& dns = {}) {
  LeafRequest request;
  request.uri_names = {uri};
  request.dns_names = dns;
  request.common_name = "leaf";
  return request;
}

TEST(NameConstraintsTest, BoundUriNamesToTheirHost) {
  const Ca root = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {}});
  CDGATE_EXPECT_OK(Judge(root, root, Named("spiffe://alpha.example/gateway/gw1")));
  for (const char* uri :
       {"spiffe://beta.example/gateway/gw1", "spiffe://sub.alpha.example/gateway/gw1",
        "spiffe://example/gateway/gw1", "spiffe://xalpha.example/gateway/gw1",
        "spiffe://alpha.example.evil/gateway/gw1", "https://beta.example/"}) {
    EXPECT_THAT(Judge(root, root, Named(uri)), test::HasReason(Reason::kCertificateUntrusted))
        << uri;
  }
}

TEST(NameConstraintsTest, NamesWithoutAHostAreMalformed) {
  const Ca root = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {}});
  EXPECT_THAT(Judge(root, root, Named("urn:uuid:1")),
              test::HasReason(Reason::kCertificateMalformed));
}

TEST(NameConstraintsTest, AreHeldAlsoBelowAnIntermediate) {
  const Ca root = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {}});
  // The one below claims more than it was given.
  const Ca below = Below(root, {.uri_hosts = {"beta.example"}, .dns_suffixes = {}});
  EXPECT_THAT(Judge(root, below, Named("spiffe://beta.example/gateway/gw1")),
              test::HasReason(Reason::kCertificateUntrusted));
  // And less than it has.
  EXPECT_THAT(Judge(root, below, Named("spiffe://alpha.example/gateway/gw1")),
              test::HasReason(Reason::kCertificateUntrusted));
  CDGATE_EXPECT_OK(Judge(root, Below(root), Named("spiffe://alpha.example/gateway/gw1")));
}

TEST(NameConstraintsTest, LeaveDnsNamesFreeUnlessTheyAreBounded) {
  const char* const id = "spiffe://alpha.example/gateway/gw1";
  const Ca free = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {}});
  CDGATE_EXPECT_OK(Judge(free, free, Named(id, {"localhost", "gw.other.example"})));
  const Ca bounded =
      Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {"alpha.example", "localhost"}});
  CDGATE_EXPECT_OK(
      Judge(bounded, bounded, Named(id, {"localhost", "gw.alpha.example", "alpha.example"})));
  EXPECT_THAT(Judge(bounded, bounded, Named(id, {"gw.alpha.example", "gw.beta.example"})),
              test::HasReasonAndMessage(Reason::kCertificateUntrusted,
                                        HasSubstr("permitted subtree violation")));
}

TEST(NameConstraintsTest, AreCriticalAndKeptByEd25519RootsToo) {
  const Ca root = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {}}, KeyType::kEd25519);
  CDGATE_EXPECT_OK(Judge(root, root, Named("spiffe://alpha.example/user/a")));
  EXPECT_THAT(Judge(root, root, Named("spiffe://beta.example/user/a")),
              test::HasReason(Reason::kCertificateUntrusted));
}

TEST(NameConstraintsTest, SayWhatUriHostsACaMayName) {
  const Ca free = Root({});
  EXPECT_TRUE(free.ca.certificate().PermitsUriHost("alpha.example"));
  const Ca bound = Root({.uri_hosts = {"alpha.example"}, .dns_suffixes = {"alpha.example"}});
  EXPECT_TRUE(bound.ca.certificate().PermitsUriHost("alpha.example"));
  EXPECT_FALSE(bound.ca.certificate().PermitsUriHost("beta.example"));
  EXPECT_FALSE(bound.ca.certificate().PermitsUriHost("sub.alpha.example"));
  const Ca other_kind = Root({.uri_hosts = {}, .dns_suffixes = {"alpha.example"}});
  EXPECT_TRUE(other_kind.ca.certificate().PermitsUriHost("beta.example"));

  const auto outside = Certificate::FromPem(test::kBoundRoot).value();
  for (const char* host : {"gamma.example", "GAMMA.example", "sub.delta.example"}) {
    EXPECT_TRUE(outside.PermitsUriHost(host)) << host;
  }
  for (const char* host : {"beta.example", "sub.gamma.example", "delta.example", ""}) {
    EXPECT_FALSE(outside.PermitsUriHost(host)) << host;
  }
  const auto excluding = Certificate::FromPem(test::kExcludingRoot).value();
  EXPECT_FALSE(excluding.PermitsUriHost("beta.example"));
  EXPECT_TRUE(excluding.PermitsUriHost("gamma.example"));
  EXPECT_TRUE(Certificate::FromPem(test::kNamelessRoot)->PermitsUriHost("beta.example"));
}

}  // namespace
}  // namespace cdgate::crypto
