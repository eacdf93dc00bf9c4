// Another root, step by step: at each one, what was issued before goes on being taken by those
// who have the bundle of that step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "auth/ca/folder.h"
#include "auth/crypto/verify.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::ca {
namespace {

using base::Reason;
using crypto::Certificate;
using testing::HasSubstr;

// With and without an intermediate.
class RotationTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    AuthorityOptions options;
    options.domain = "alpha.example";
    options.intermediate = GetParam();
    options.dns_suffixes = {"alpha.example"};
    CDGATE_ASSERT_OK(Folder::Init(dir_.File("ca"), options, {}, clock_.Now()));
  }
  std::unique_ptr<Folder> Open() { return Folder::Open(dir_.File("ca"), {}).value(); }
  std::string Read(const std::string& name) {
    return base::ReadFile(absl::StrCat(dir_.File("ca"), "/", name)).value();
  }
  crypto::IssuedCertificate Issue() {
    crypto::LeafRequest request;
    request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
    request.validity = kLeafValidity;
    request.common_name = "gateway/gw1";
    return Open()->Issue(request, clock_.Now()).value();
  }
  absl::Status Verify(const crypto::IssuedCertificate& issued, const std::string& bundle) {
    const auto chain = Certificate::ParsePemChain(issued.certificate_pem).value();
    const auto store = trust::MakeTrustStore("alpha.example", bundle, {Read("crl.pem")}).value();
    return crypto::VerifyChain(chain.front(), chain, *store, crypto::Purpose::kServer,
                               clock_.Now());
  }

  test::TempDir dir_;
  test::FakeClock clock_;
};

TEST_P(RotationTest, IsSeamless) {
  const std::string first_bundle = Read("bundle.pem");
  const auto first = Issue();
  CDGATE_ASSERT_OK(Open()->PrepareNext(clock_.Now()));
  const std::string both = Read("bundle.pem");
  EXPECT_EQ(Certificate::ParsePemChain(both)->size(), 2U);
  // Before everybody has the bundle, what is issued is of the root that all have.
  const auto between = Issue();
  CDGATE_EXPECT_OK(Verify(between, first_bundle));
  CDGATE_EXPECT_OK(Verify(between, both));

  CDGATE_ASSERT_OK(Open()->SwitchToNext(clock_.Now()));
  EXPECT_EQ(Certificate::ParsePemChain(Read("bundle.pem"))->size(), 2U);
  const auto second = Issue();
  for (const auto& leaf : {first, between, second}) CDGATE_EXPECT_OK(Verify(leaf, both));
  EXPECT_THAT(Verify(second, first_bundle), test::HasReason(Reason::kCertificateUntrusted));

  EXPECT_THAT(Open()->Retire(false, clock_.Now()),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("2 certificates")));
  clock_.Advance(kLeafValidity + absl::Seconds(1));  // what the old one issued is over
  const auto third = Issue();
  CDGATE_ASSERT_OK(Open()->Retire(false, clock_.Now()));
  const std::string last = Read("bundle.pem");
  EXPECT_EQ(Certificate::ParsePemChain(last)->size(), 1U);
  EXPECT_NE(last, first_bundle);
  CDGATE_EXPECT_OK(Verify(third, last));
  EXPECT_EQ(Open()->issued().bundle_sequence, 3U);
}

TEST_P(RotationTest, WhatTheOldOneIssuedCanBeRevokedUntilItIsRetired) {
  const auto old = Issue();
  CDGATE_ASSERT_OK(Open()->PrepareNext(clock_.Now()));
  CDGATE_ASSERT_OK(Open()->SwitchToNext(clock_.Now()));
  const std::string serial = Certificate::FromPem(old.certificate_pem)->serial();
  CDGATE_ASSERT_OK(
      Open()->Revoke({serial}, crypto::RevocationReason::kSuperseded, kListValidity, clock_.Now()));
  EXPECT_THAT(Verify(old, Read("bundle.pem")), test::HasReason(Reason::kCertificateRevoked));
  CDGATE_EXPECT_OK(Verify(Issue(), Read("bundle.pem")));
  CDGATE_EXPECT_OK(Open()->Retire(false, clock_.Now()));  // nothing of it is in force
}

TEST_P(RotationTest, KeepsKindAndConstraints) {
  CDGATE_ASSERT_OK(Open()->PrepareNext(clock_.Now()));
  CDGATE_ASSERT_OK(Open()->SwitchToNext(clock_.Now()));
  EXPECT_EQ(base::FileExists(dir_.File("ca/root.crt")), GetParam());
  crypto::LeafRequest request;
  request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
  request.dns_names = {"gw.beta.example"};
  EXPECT_THAT(Open()->Issue(request, clock_.Now()), test::HasReason(Reason::kInvalidArgument));
}

TEST_P(RotationTest, StepsOutOfOrderAreRefused) {
  EXPECT_THAT(Open()->SwitchToNext(clock_.Now()), test::HasReason(Reason::kNotFound));
  CDGATE_ASSERT_OK(Open()->PrepareNext(clock_.Now()));
  EXPECT_THAT(Open()->PrepareNext(clock_.Now()), test::HasReason(Reason::kAlreadyExists));
}

TEST_P(RotationTest, AStepThatWasCutShortIsRepeated) {
  const auto first = Issue();
  CDGATE_ASSERT_OK(Open()->PrepareNext(clock_.Now()));
  std::filesystem::copy(dir_.File("ca/next"), dir_.File("kept"),
                        std::filesystem::copy_options::recursive);
  CDGATE_ASSERT_OK(Open()->SwitchToNext(clock_.Now()));
  // As after a crash before the last act of the step.
  std::filesystem::rename(dir_.File("kept"), dir_.File("ca/next"));
  CDGATE_ASSERT_OK(Open()->SwitchToNext(clock_.Now()));
  EXPECT_FALSE(base::FileExists(dir_.File("ca/next")));
  CDGATE_EXPECT_OK(Verify(first, Read("bundle.pem")));
  CDGATE_EXPECT_OK(Verify(Issue(), Read("bundle.pem")));
}

TEST_P(RotationTest, AnotherIssuingCaChangesNoBundle) {
  const std::string bundle = Read("bundle.pem");
  const auto first = Issue();
  const absl::Status rotated = Open()->RotateIntermediate(absl::Hours(24 * 30), clock_.Now());
  if (!GetParam()) {
    EXPECT_THAT(rotated, test::HasReason(Reason::kInvalidArgument));
    return;
  }
  CDGATE_ASSERT_OK(rotated);
  EXPECT_EQ(Read("bundle.pem"), bundle);
  const auto second = Issue();
  EXPECT_NE(Certificate::FromPem(first.certificate_pem)->issuer(),
            Certificate::FromPem(second.certificate_pem)->issuer());
  CDGATE_EXPECT_OK(Verify(first, bundle));
  CDGATE_EXPECT_OK(Verify(second, bundle));
  std::filesystem::remove(dir_.File("ca/root.key"));
  EXPECT_THAT(Open()->RotateIntermediate(absl::Hours(24 * 30), clock_.Now()),
              test::HasReasonAndMessage(Reason::kFileUnreadable, HasSubstr("root's key")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, RotationTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Intermediate" : "RootOnly"; });

}  // namespace
}  // namespace cdgate::ca
