#include "auth/trust/trust_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/trust/verify.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::trust {
namespace {

using base::Reason;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

TEST(TrustRegistryTest, AddsReplacesAndForgets) {
  const test::TestCa alpha("alpha.example", kNow);
  const test::TestCa rolled("alpha.example", kNow);
  TrustRegistry registry;
  EXPECT_EQ(registry.Current()->Find("alpha.example"), nullptr);
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", alpha.bundle_pem(), {}));
  const auto before = registry.Current();
  ASSERT_NE(before->Find("alpha.example"), nullptr);
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", rolled.bundle_pem(), {rolled.EmptyCrl()}));
  EXPECT_EQ(crypto::ToPem(registry.Current()->Find("alpha.example")->roots()), rolled.bundle_pem());
  EXPECT_EQ(crypto::ToPem(before->Find("alpha.example")->roots()), alpha.bundle_pem())
      << "a snapshot in use must not change";
  registry.Remove("alpha.example");
  EXPECT_EQ(registry.Current()->Find("alpha.example"), nullptr);
}

TEST(TrustRegistryTest, ARootThatLeavesTheBundleStillServesWhoIsConnected) {
  const test::TestCa old_ca("alpha.example", kNow);
  const test::TestCa new_ca("alpha.example", kNow);
  TrustRegistry registry;
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", old_ca.bundle_pem(), {}));
  const std::string leaf = old_ca.Service("ci").certificate_pem;
  const auto verify = [&](auto how) {
    return how(*registry.Current(), leaf, "", crypto::Purpose::kClient, kNow).status();
  };
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", new_ca.bundle_pem(), {}));
  EXPECT_THAT(verify(Verify), test::HasReason(Reason::kCertificateUntrusted));
  CDGATE_EXPECT_OK(verify(VerifyEstablished));
  // Still after another change of the bundle; not where the domain went away meanwhile.
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", new_ca.bundle_pem(), {}));
  CDGATE_EXPECT_OK(verify(VerifyEstablished));
  registry.Remove("alpha.example");
  EXPECT_THAT(verify(VerifyEstablished), test::HasReason(Reason::kUnknownTrustDomain));
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", new_ca.bundle_pem(), {}));
  EXPECT_THAT(verify(VerifyEstablished), test::HasReason(Reason::kCertificateUntrusted));
}

TEST(TrustRegistryTest, ARootThatIsDroppedServesNobody) {
  const test::TestCa retired("alpha.example", kNow);
  const test::TestCa old_ca("alpha.example", kNow);
  const test::TestCa new_ca("alpha.example", kNow);
  TrustRegistry registry;
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", retired.bundle_pem(), {}));
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", old_ca.bundle_pem(), {}));
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", new_ca.bundle_pem(), {}, Leaving::kDrop));
  for (const test::TestCa* ca : {&retired, &old_ca}) {
    EXPECT_THAT(VerifyEstablished(*registry.Current(), ca->Service("ci").certificate_pem, "",
                                  crypto::Purpose::kClient, kNow),
                test::HasReason(Reason::kCertificateUntrusted));
  }
  // What leaves later is retired again.
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", retired.bundle_pem(), {}));
  CDGATE_EXPECT_OK(VerifyEstablished(*registry.Current(), new_ca.Service("ci").certificate_pem, "",
                                     crypto::Purpose::kClient, kNow)
                       .status());
}

TEST(TrustRegistryTest, WhoIsConnectedUnderARetiredRootIsStillLookedUpInItsLists) {
  const test::TestCa old_ca("alpha.example", kNow);
  const test::TestCa new_ca("alpha.example", kNow);
  const std::string good = old_ca.Service("good").certificate_pem;
  const std::string bad = old_ca.Service("bad").certificate_pem;
  TrustRegistry registry;
  CDGATE_ASSERT_OK(
      registry.Replace("alpha.example", old_ca.bundle_pem(), {old_ca.CrlRevoking(bad)}));
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", new_ca.bundle_pem(), {new_ca.EmptyCrl()}));
  const auto verify = [&](const std::string& leaf) {
    return VerifyEstablished(*registry.Current(), leaf, "", crypto::Purpose::kClient, kNow)
        .status();
  };
  CDGATE_EXPECT_OK(verify(good));
  EXPECT_THAT(verify(bad), test::HasReason(Reason::kCertificateRevoked));
}

TEST(TrustRegistryTest, ADeniedAuthorityServesNobodyAnyMore) {
  const test::TestCa ca("alpha.example", kNow);
  TrustRegistry registry;
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", ca.bundle_pem(), {}));
  const std::string leaf = ca.Service("ci").certificate_pem;
  const std::string root =
      base::HexEncode(crypto::Certificate::FromPem(ca.bundle_pem())->FingerprintSha256());
  registry.SetDenied(
      DenyList::Compile({{.name = "leaked", .kind = DenialKind::kAuthority, .subject = root}})
          .value());
  for (const auto how : {Verify, VerifyEstablished}) {
    EXPECT_THAT(how(*registry.Current(), leaf, "", crypto::Purpose::kClient, kNow),
                test::HasReason(Reason::kCertificateDenied));
  }
}

TEST(TrustRegistryTest, EveryChangeHasAVersion) {
  const test::TestCa ca("alpha.example", kNow);
  TrustRegistry registry;
  uint64_t version = registry.source()->version();
  const auto grew = [&] {
    const uint64_t before = std::exchange(version, registry.source()->version());
    EXPECT_EQ(registry.Current()->version(), version);
    return version > before;
  };
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", ca.bundle_pem(), {}));
  EXPECT_TRUE(grew());
  registry.SetDenied(std::make_shared<const DenyList>());
  EXPECT_TRUE(grew());
  registry.TimePassed();
  EXPECT_TRUE(grew());
  registry.Remove("alpha.example");
  EXPECT_TRUE(grew());
  EXPECT_FALSE(grew());
}

TEST(TrustRegistryTest, AFailedReplacementChangesNothing) {
  const test::TestCa alpha("alpha.example", kNow);
  TrustRegistry registry;
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", alpha.bundle_pem(), {}));
  int calls = 0;
  const auto watch = registry.Watch([&] { ++calls; });
  EXPECT_THAT(registry.Replace("alpha.example", "garbage", {}),
              test::HasReason(Reason::kCertificateMalformed));
  EXPECT_THAT(registry.Replace("alpha.example", alpha.bundle_pem(), {"garbage"}),
              test::HasReason(Reason::kCredentialsInvalid));
  EXPECT_THAT(registry.Replace("Alpha", alpha.bundle_pem(), {}),
              test::HasReason(Reason::kInvalidArgument));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(crypto::ToPem(registry.Current()->Find("alpha.example")->roots()), alpha.bundle_pem());
}

TEST(TrustRegistryTest, RefusesABundleThatNamesAnotherDomain) {
  const test::TestCa beta("beta.example", kNow);
  TrustRegistry registry;
  EXPECT_THAT(
      registry.Replace("alpha.example", beta.bundle_pem(), {}),
      test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("spiffe://beta.example")));
}

TEST(TrustRegistryTest, RefusesALeafInABundle) {
  const test::TestCa alpha("alpha.example", kNow);
  TrustRegistry registry;
  const auto leaf = alpha.Leaf({});
  EXPECT_THAT(
      registry.Replace("alpha.example", absl::StrCat(alpha.bundle_pem(), leaf.certificate_pem), {}),
      test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("not a CA")));
}

TEST(TrustRegistryTest, WatchersSeeTheNewStateUntilTheirHandleGoes) {
  const test::TestCa alpha("alpha.example", kNow);
  TrustRegistry registry;
  size_t seen = 99;
  auto watch = registry.Watch([&] { seen = registry.Current()->stores().size(); });
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", alpha.bundle_pem(), {}));
  EXPECT_EQ(seen, 1U);
  watch.reset();
  registry.Remove("alpha.example");
  EXPECT_EQ(seen, 1U);
}

TEST(TrustSnapshotTest, UnionHoldsAllRoots) {
  const test::TestCa alpha("alpha.example", kNow);
  const test::TestCa beta("beta.example", kNow);
  TrustRegistry registry;
  CDGATE_ASSERT_OK(registry.Replace("beta.example", beta.bundle_pem(), {}));
  CDGATE_ASSERT_OK(registry.Replace("alpha.example", alpha.bundle_pem(), {}));
  EXPECT_EQ(registry.Current()->UnionOfRootsPem(),
            absl::StrCat(alpha.bundle_pem(), beta.bundle_pem()));
}

TEST(BundleDigestTest, DependsOnTheCertificatesAndNotOnTheirText) {
  const test::TestCa one("alpha.example", kNow);
  const test::TestCa two("alpha.example", kNow);
  const std::string digest = BundleDigest(absl::StrCat(one.bundle_pem(), two.bundle_pem())).value();
  EXPECT_EQ(digest.size(), 32U);
  EXPECT_EQ(BundleDigest(absl::StrCat("# rolled\n", two.bundle_pem(), "\n", one.bundle_pem(),
                                      two.bundle_pem()))
                .value(),
            digest);
  EXPECT_NE(BundleDigest(one.bundle_pem()).value(), digest);
  EXPECT_THAT(BundleDigest("garbage"), test::HasReason(Reason::kCertificateMalformed));
}

}  // namespace
}  // namespace cdgate::trust
