#include "auth/trust/trust_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
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
