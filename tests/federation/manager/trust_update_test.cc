#include "federation/manager/trust_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/timestamp.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using federation::v1::TrustDocument;
using federation::v1::TrustUpdate;
using testing::HasSubstr;

constexpr char kAlpha[] = "alpha.example";
const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

// What a gateway of alpha has in use.
credentials::Material MaterialOf(const crypto::IssuedCertificate& leaf, std::string bundle_pem,
                                 std::vector<std::string> crls = {}) {
  credentials::Material own{};
  own.info.domain = kAlpha;
  own.info.bundle_pem = std::move(bundle_pem);
  own.chain_pem = leaf.certificate_pem;
  own.key_pem = leaf.key_pem;
  own.crl_pems = std::move(crls);
  return own;
}

class TrustUpdateTest : public testing::Test {
 protected:
  // beta holds alpha's first root.
  void SetUp() override { CDGATE_ASSERT_OK(held_.Replace(kAlpha, one_.bundle_pem(), {})); }

  TrustUpdate Made(const credentials::Material& own, absl::Time now = kNow) {
    int left_out = 0;
    auto update = MakeTrustUpdate(own, now, &left_out);
    EXPECT_TRUE(update.ok()) << update.status();
    EXPECT_EQ(left_out, 0);
    return update.ok() ? *update : TrustUpdate();
  }
  absl::StatusOr<TrustDocument> Verify(const TrustUpdate& update,
                                       const std::string& peer = kAlpha) {
    return VerifyTrustUpdate(update, {peer, *held_.Current(), last_, absl::ZeroDuration(), kNow});
  }
  std::string Both() const { return absl::StrCat(one_.bundle_pem(), two_.bundle_pem()); }

  const test::TestCa one_{kAlpha, kNow};
  const test::TestCa two_{kAlpha, kNow};
  trust::TrustRegistry held_;
  storage::v1::PeerTrust last_;
};

TEST_F(TrustUpdateTest, ANewRootIsVouchedForByTheOld) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const TrustDocument taken,
                              Verify(Made(MaterialOf(one_.Gateway("gw1"), Both()))));
  EXPECT_EQ(taken.bundle_pem(), Both());
  EXPECT_EQ(taken.domain(), kAlpha);
}

TEST_F(TrustUpdateTest, AnOldRootIsLeftOutByWhoDoesWithoutIt) {
  CDGATE_ASSERT_OK(held_.Replace(kAlpha, Both(), {}));
  EXPECT_THAT(Verify(Made(MaterialOf(one_.Gateway("gw1"), two_.bundle_pem()))),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("cut its own signer")));
  CDGATE_EXPECT_OK(Verify(Made(MaterialOf(two_.Gateway("gw1"), two_.bundle_pem()))).status());
}

TEST_F(TrustUpdateTest, OnlyTheBundleHeldVouches) {
  EXPECT_THAT(
      Verify(Made(MaterialOf(two_.Gateway("gw1"), Both()))),
      test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("under the bundle held")));
  EXPECT_THAT(Verify(Made(MaterialOf(one_.Service("ci"), Both()))),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("is no gateway")));
  const test::TestCa beta("beta.example", kNow);
  EXPECT_THAT(Verify(Made(MaterialOf(beta.Gateway("gw1"), Both()))),
              test::HasReason(Reason::kBundleInvalid));
}

TEST_F(TrustUpdateTest, IsOfWhoSaysIt) {
  CDGATE_ASSERT_OK(
      held_.Replace("gamma.example", test::TestCa("gamma.example", kNow).bundle_pem(), {}));
  EXPECT_THAT(Verify(Made(MaterialOf(one_.Gateway("gw1"), Both())), "gamma.example"),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr(kAlpha)));
}

TEST_F(TrustUpdateTest, EveryAlteredByteIsNoticed) {
  const TrustUpdate good = Made(MaterialOf(one_.Gateway("gw1"), Both(), {}));
  for (size_t at = 0; at < good.document().size(); at += 7) {
    TrustUpdate bad = good;
    (*bad.mutable_document())[at] = static_cast<char>((*bad.mutable_document())[at] ^ 1);
    EXPECT_FALSE(Verify(bad).ok()) << at;
  }
  TrustUpdate bad = good;
  bad.set_signature("x");
  EXPECT_FALSE(Verify(bad).ok());
  bad = good;
  bad.clear_certificates();
  EXPECT_FALSE(Verify(bad).ok());
  EXPECT_FALSE(Verify(TrustUpdate()).ok());
}

TEST_F(TrustUpdateTest, AnOlderOneAndOneFromTheFutureAreRefused) {
  const auto own = MaterialOf(one_.Gateway("gw1"), Both());
  last_.set_issue_time_nanos(absl::ToUnixNanos(kNow));
  CDGATE_EXPECT_OK(Verify(Made(own)).status());
  EXPECT_THAT(Verify(Made(own, kNow - absl::Nanoseconds(1))),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("older")));
  CDGATE_EXPECT_OK(Verify(Made(own, kNow + absl::Minutes(5))).status());
  EXPECT_THAT(Verify(Made(own, kNow + absl::Minutes(6))),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("future")));
}

TEST_F(TrustUpdateTest, ARevocationListNeverGoesBack) {
  const auto list = [&](uint64_t number) {
    return one_.ca().IssueCrl({}, number, absl::Hours(24), kNow).value();
  };
  const auto leaf = one_.Gateway("gw1");
  last_.add_revocation_lists(list(5));
  EXPECT_THAT(Verify(Made(MaterialOf(leaf, one_.bundle_pem(), {list(4)}))),
              test::HasReasonAndMessage(Reason::kBundleInvalid, HasSubstr("list 4")));
  CDGATE_EXPECT_OK(Verify(Made(MaterialOf(leaf, one_.bundle_pem(), {list(5)}))).status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const TrustDocument taken,
                              Verify(Made(MaterialOf(leaf, one_.bundle_pem(), {list(6)}))));
  EXPECT_EQ(taken.revocation_lists_size(), 1);
}

TEST_F(TrustUpdateTest, AListThatRevokesItsOwnSignerOrDoesNotParseIsRefused) {
  const auto leaf = one_.Gateway("gw1");
  EXPECT_THAT(
      Verify(Made(MaterialOf(leaf, one_.bundle_pem(), {one_.CrlRevoking(leaf.certificate_pem)}))),
      test::HasReason(Reason::kBundleInvalid));
  EXPECT_THAT(Verify(Made(MaterialOf(leaf, one_.bundle_pem(), {"garbage"}))),
              test::HasReason(Reason::kBundleInvalid));
}

TEST_F(TrustUpdateTest, ListsThatDoNotFitAreLeftOutTheLargestFirst) {
  const auto leaf = one_.Gateway("gw1");
  const std::string large(link::kMaxTrustBytes, 'x');
  int left_out = 0;
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const TrustUpdate update,
      MakeTrustUpdate(MaterialOf(leaf, one_.bundle_pem(), {large, one_.EmptyCrl()}), kNow,
                      &left_out));
  EXPECT_EQ(left_out, 1);
  EXPECT_LE(update.ByteSizeLong(), link::kMaxTrustBytes);
  CDGATE_ASSERT_OK_AND_ASSIGN(const TrustDocument taken, Verify(update));
  EXPECT_EQ(taken.revocation_lists_size(), 1);
}

}  // namespace
}  // namespace cdgate::manager
