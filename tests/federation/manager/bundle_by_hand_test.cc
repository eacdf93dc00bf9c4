#include "federation/manager/bundle_by_hand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/bundle_document.h"
#include "gateway/base/encoding.h"
#include "tests/support/nameless_roots.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kBeta[] = "beta.example";
const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

std::string DocumentOf(const std::string& pem, uint64_t sequence) {
  trust::BundleDocument document;
  document.roots = crypto::Certificate::ParsePemChain(pem).value();
  document.sequence = sequence;
  return document.ToJson().value();
}

std::string Sha256Of(const std::string& pem) {
  return base::HexEncode(crypto::Certificate::FromPem(pem)->FingerprintSha256());
}

class BundleByHandTest : public testing::Test {
 protected:
  // alpha holds beta's first root.
  void SetUp() override {
    CDGATE_ASSERT_OK(registry_.Replace("alpha.example", alpha_.bundle_pem(), {}));
    CDGATE_ASSERT_OK(registry_.Replace(kBeta, one_.bundle_pem(), {}));
  }

  absl::StatusOr<BundleChange> Judge(BundleByHand brought, absl::Time now = kNow) {
    brought.peer = kBeta;
    return JudgeBundle(brought, {.trust = *registry_.Current(),
                                 .held_pem = held_pem_,
                                 .held = held_,
                                 .crl_grace = absl::Hours(1),
                                 .now = now});
  }
  absl::StatusOr<BundleChange> JudgeText(const std::string& text) {
    return Judge({.peer = kBeta, .text = text});
  }
  void ExpectRefused(const absl::StatusOr<BundleChange>& judged, const std::string& why) {
    EXPECT_THAT(judged, HasReasonAndMessage(Reason::kBundleRefused, HasSubstr(why)));
  }
  static std::string List(const test::TestCa& ca, uint64_t number, absl::Time from = kNow) {
    return ca.ca().IssueCrl({}, number, absl::Hours(24), from).value();
  }

  const test::TestCa alpha_{"alpha.example", kNow};
  const test::TestCa one_{kBeta, kNow};
  const test::TestCa two_{kBeta, kNow};
  trust::TrustRegistry registry_;
  std::string held_pem_ = one_.bundle_pem();
  storage::v1::PeerTrust held_;
};

TEST_F(BundleByHandTest, SaysWhatComesInStaysAndIsDropped) {
  held_pem_ = absl::StrCat(one_.bundle_pem(), two_.bundle_pem());
  const test::TestCa three(kBeta, kNow);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const BundleChange change,
      JudgeText(absl::StrCat(three.bundle_pem(), two_.bundle_pem(), three.bundle_pem())));
  ASSERT_THAT(change.added, SizeIs(1));
  ASSERT_THAT(change.kept, SizeIs(1));
  ASSERT_THAT(change.removed, SizeIs(1));
  EXPECT_EQ(change.added[0].certificate.ToPem(), three.bundle_pem());
  EXPECT_EQ(change.kept[0].certificate.ToPem(), two_.bundle_pem());
  EXPECT_EQ(change.removed[0].certificate.ToPem(), one_.bundle_pem());
  EXPECT_EQ(change.bundle_pem, absl::StrCat(three.bundle_pem(), two_.bundle_pem()));
  EXPECT_EQ(change.digest_before, *trust::BundleDigest(held_pem_));
  EXPECT_EQ(change.digest_after, *trust::BundleDigest(change.bundle_pem));
  EXPECT_TRUE(change.changes);
  EXPECT_EQ(change.sequence, std::nullopt);
  EXPECT_THAT(change.widens, ElementsAre(HasSubstr(Sha256Of(three.bundle_pem()))));
}

TEST_F(BundleByHandTest, WhatIsHeldAlreadyChangesNothing) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange same, JudgeText("comment\n" + held_pem_));
  EXPECT_FALSE(same.changes);
  EXPECT_EQ(same.bundle_pem, held_pem_);
  EXPECT_THAT(same.widens, IsEmpty());
}

TEST_F(BundleByHandTest, ToDropARootAloneWidensNothing) {
  held_pem_ = absl::StrCat(one_.bundle_pem(), two_.bundle_pem());
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange change, JudgeText(two_.bundle_pem()));
  EXPECT_TRUE(change.changes);
  EXPECT_THAT(change.widens, IsEmpty());
}

TEST_F(BundleByHandTest, ABundleOfAnotherDomainIsRefused) {
  const test::TestCa gamma("gamma.example", kNow);
  ExpectRefused(JudgeText(gamma.bundle_pem()), "gamma.example");
  ExpectRefused(JudgeText(DocumentOf(gamma.bundle_pem(), 1)), "gamma.example");
  ExpectRefused(JudgeText(absl::StrCat(two_.bundle_pem(), gamma.bundle_pem())), "gamma.example");
}

// The same of roots that name no domain.
TEST_F(BundleByHandTest, NameConstraintsAndWhatIsHeldOfOthersTellOfAnotherDomain) {
  const absl::Time later = kNow + absl::Hours(24 * 400);
  const auto judge = [&](const char* text) { return Judge({.peer = kBeta, .text = text}, later); };
  ExpectRefused(judge(test::kBoundRoot), "do not permit beta.example");
  ExpectRefused(judge(test::kExcludingRoot), "do not permit beta.example");
  CDGATE_EXPECT_OK(judge(test::kNamelessRoot).status());
  CDGATE_ASSERT_OK(registry_.Replace("gamma.example", test::kNamelessRoot, {}));
  ExpectRefused(judge(test::kNamelessRoot), "is one of gamma.example");
}

TEST_F(BundleByHandTest, WithoutACaThatCanBeUsedItIsRefused) {
  ExpectRefused(JudgeText(two_.Leaf({}).certificate_pem), "is not a CA");
  ExpectRefused(JudgeText(R"({"keys":[]})"), "has no CA");
  ExpectRefused(JudgeText(""), "no PEM certificate");
  ExpectRefused(JudgeText("{"), "bundle");
  ExpectRefused(JudgeText(std::string((1 << 20) + 1, 'x')), "larger than");
  ExpectRefused(Judge({.peer = kBeta, .text = two_.bundle_pem()}, kNow + absl::Hours(24 * 3660)),
                "it has ended");
  ExpectRefused(Judge({.peer = kBeta, .text = two_.bundle_pem()}, kNow - absl::Hours(1)),
                "not valid yet");
  registry_.SetDenied(trust::DenyList::Compile({{.name = "leaked",
                                                 .kind = trust::DenialKind::kAuthority,
                                                 .subject = Sha256Of(two_.bundle_pem())}})
                          .value());
  ExpectRefused(JudgeText(two_.bundle_pem()), "leaked");
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange one_of_two,
                              JudgeText(absl::StrCat(one_.bundle_pem(), two_.bundle_pem())));
  EXPECT_THAT(one_of_two.added[0].fault, HasSubstr("leaked"));
  EXPECT_EQ(one_of_two.kept[0].fault, "");
}

TEST_F(BundleByHandTest, AnOlderSequenceIsRefusedUnlessToldSo) {
  held_.set_bundle_sequence(5);
  const std::string older = DocumentOf(two_.bundle_pem(), 4);
  ExpectRefused(JudgeText(older), "older than 5");
  ExpectRefused(JudgeText(DocumentOf(two_.bundle_pem(), 5)), "other roots");
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange back,
                              Judge({.peer = kBeta, .text = older, .allow_older = true}));
  EXPECT_EQ(back.sequence, 4u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange newer,
                              JudgeText(DocumentOf(two_.bundle_pem(), 6)));
  EXPECT_EQ(newer.sequence, 6u);
  // PEM says none: what is known stays.
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange pem, JudgeText(two_.bundle_pem()));
  EXPECT_EQ(pem.sequence, 5u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange same, JudgeText(DocumentOf(held_pem_, 5)));
  EXPECT_FALSE(same.changes);
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange number, JudgeText(DocumentOf(held_pem_, 6)));
  EXPECT_TRUE(number.changes);
}

// Where lists are in force, what has none is refused by every verifier.
TEST_F(BundleByHandTest, ANewRootNeedsAListWhereListsAreInForce) {
  held_.add_revocation_lists(List(one_, 3));
  ExpectRefused(JudgeText(two_.bundle_pem()), "none is of it");
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange both,
                              JudgeText(absl::StrCat(one_.bundle_pem(), two_.bundle_pem())));
  EXPECT_THAT(both.added[0].fault, HasSubstr("none is of it"));
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const BundleChange with,
      Judge({.peer = kBeta, .text = two_.bundle_pem(), .revocation_lists = {List(two_, 1)}}));
  EXPECT_THAT(with.revocation_lists, SizeIs(2));
  EXPECT_EQ(with.added[0].fault, "");
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const BundleChange without,
      Judge({.peer = kBeta, .text = two_.bundle_pem(), .forget_lists = true}));
  EXPECT_THAT(without.revocation_lists, IsEmpty());
  EXPECT_THAT(without.widens, ElementsAre(HasSubstr("bundle"), HasSubstr("forgotten")));
  ExpectRefused(Judge({.peer = kBeta,
                       .text = two_.bundle_pem(),
                       .revocation_lists = {List(two_, 1, kNow - absl::Hours(26))}}),
                "too old");
}

TEST_F(BundleByHandTest, AListDoesNotGoBackUnlessToldSo) {
  held_.add_revocation_lists(List(one_, 5));
  const std::string fourth = List(one_, 4);
  const BundleByHand older{.peer = kBeta, .text = held_pem_, .revocation_lists = {fourth}};
  ExpectRefused(Judge(older), "list 4");
  BundleByHand forced = older;
  forced.allow_older = true;
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleChange back, Judge(forced));
  EXPECT_THAT(back.revocation_lists, ElementsAre(fourth));
  EXPECT_THAT(back.widens, ElementsAre(HasSubstr("list 4")));
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const BundleChange newer,
      Judge({.peer = kBeta, .text = held_pem_, .revocation_lists = {List(one_, 6)}}));
  EXPECT_TRUE(newer.changes);
  EXPECT_THAT(newer.widens, IsEmpty());
  ExpectRefused(Judge({.peer = kBeta, .text = held_pem_, .revocation_lists = {"garbage"}}),
                "revocation list");
}

}  // namespace
}  // namespace cdgate::manager
