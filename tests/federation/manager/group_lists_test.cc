#include "federation/manager/group_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/signature.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using federation::v1::GroupList;
using federation::v1::SignedGroup;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class GroupListsTest : public testing::Test {
 protected:
  GroupListsTest() {
    CDGATE_EXPECT_OK(trust_.Replace("alpha.example", alpha_.bundle_pem(), {}));
    CDGATE_EXPECT_OK(trust_.Replace("gamma.example", gamma_.bundle_pem(), {}));
  }

  static credentials::Material MaterialOf(const crypto::IssuedCertificate& leaf) {
    return {.info = {}, .chain_pem = leaf.certificate_pem, .key_pem = leaf.key_pem, .crl_pems = {}};
  }
  static admin::v1::Group Core() {
    admin::v1::Group group;
    group.set_name("core");
    for (const char* member : {"delta.example", "beta.example", "alpha.example"}) {
      group.add_members(member);
    }
    return group;
  }
  GroupList List() const { return ListOf(Core(), 3, "alpha.example", now_); }
  SignedGroup Sign(const GroupList& list) const {
    return SignGroup(list, MaterialOf(gateway_)).value();
  }
  absl::StatusOr<GroupList> Verify(const SignedGroup& received) const {
    return Verify(received, "alpha.example", now_);
  }
  absl::StatusOr<GroupList> Verify(const SignedGroup& received, const char* owner,
                                   absl::Time now) const {
    return VerifyGroup(received, {owner, "beta.example", *trust_.Current(), now});
  }

  const absl::Time now_ = absl::Now();
  const test::TestCa alpha_{"alpha.example", now_};
  const test::TestCa gamma_{"gamma.example", now_};
  const crypto::IssuedCertificate gateway_ = alpha_.Gateway("gw1");
  trust::TrustRegistry trust_;
};

TEST_F(GroupListsTest, WhatAGatewaySignsItsMembersTake) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const GroupList list, Verify(Sign(List())));
  EXPECT_EQ(list.group(), "core@alpha.example");
  EXPECT_EQ(list.version(), 3u);
  EXPECT_THAT(list.members(),
              testing::ElementsAre("alpha.example", "beta.example", "delta.example"));
  EXPECT_EQ(ExpiryOf(list) - now_, kGroupValidity);
}

TEST_F(GroupListsTest, AListEndsWithItsGroupOrAfterAMonth) {
  admin::v1::Group group = Core();
  group.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(now_) + 60);
  EXPECT_EQ(ExpiryOf(ListOf(group, 1, "alpha.example", now_)), ExpiryOf(group));
  group.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(now_ + 2 * kGroupValidity));
  EXPECT_EQ(ExpiryOf(ListOf(group, 1, "alpha.example", now_)), now_ + kGroupValidity);
}

TEST_F(GroupListsTest, TheSignatureIsOverTheLabelAndTheList) {
  const SignedGroup sent = Sign(List());
  const auto leaf = crypto::Certificate::FromDer(sent.certificates(0)).value();
  const std::string label("cdgate/group/v1\0", 16);
  EXPECT_TRUE(crypto::SignatureFits(leaf, absl::StrCat(label, sent.list()), sent.signature()));
}

TEST_F(GroupListsTest, OneByteChangedIsRefused) {
  SignedGroup sent = Sign(List());
  GroupList changed = List();
  changed.set_members(2, "evil.example");
  sent.set_list(changed.SerializeAsString());
  EXPECT_THAT(Verify(sent), HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("signature")));
  sent = Sign(List());
  sent.mutable_signature()->back() ^= 1;
  EXPECT_THAT(Verify(sent), HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("signature")));
  sent.clear_signature();
  EXPECT_THAT(Verify(sent), HasReason(Reason::kGroupInvalid));
}

TEST_F(GroupListsTest, OnlyAGatewayOfTheOwnerSigns) {
  const auto service = alpha_.Service("jenkins");
  EXPECT_THAT(Verify(SignGroup(List(), MaterialOf(service)).value()),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("is no gateway")));
  const auto other_domain = gamma_.Gateway("gw1");
  EXPECT_THAT(Verify(SignGroup(List(), MaterialOf(other_domain)).value()),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("alpha.example")));
  // Another CA that says it is alpha's.
  const test::TestCa forger("alpha.example", now_);
  EXPECT_THAT(Verify(SignGroup(List(), MaterialOf(forger.Gateway("gw1"))).value()),
              HasReason(Reason::kGroupInvalid));
  SignedGroup bare = Sign(List());
  bare.clear_certificates();
  EXPECT_THAT(Verify(bare),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("0 certificates")));
  SignedGroup damaged = Sign(List());
  damaged.set_certificates(0, "x");
  EXPECT_THAT(Verify(damaged), HasReason(Reason::kGroupInvalid));
}

TEST_F(GroupListsTest, OnlyTheOwnerSendsIt) {
  EXPECT_THAT(Verify(Sign(List()), "gamma.example", now_),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("not from its owner")));
  trust_.Remove("alpha.example");
  EXPECT_THAT(Verify(Sign(List())),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("no trust bundle")));
}

TEST_F(GroupListsTest, RevokedAndExpiredSignersAreRefused) {
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", alpha_.bundle_pem(),
                                  {alpha_.CrlRevoking(gateway_.certificate_pem)}));
  EXPECT_THAT(Verify(Sign(List())), HasReason(Reason::kGroupInvalid));
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", alpha_.bundle_pem(), {}));
  CDGATE_EXPECT_OK(Verify(Sign(List())));
  EXPECT_THAT(Verify(Sign(List()), "alpha.example", now_ + absl::Hours(25)),
              HasReason(Reason::kGroupInvalid));
}

TEST_F(GroupListsTest, AnExpiredListAndOneWithoutUsAreRefused) {
  GroupList list = List();
  *list.mutable_expire_time() = list.issue_time();
  list.mutable_expire_time()->set_seconds(list.issue_time().seconds() + 60);
  CDGATE_EXPECT_OK(Verify(Sign(list), "alpha.example", now_ + absl::Seconds(59)));
  EXPECT_THAT(Verify(Sign(list), "alpha.example", now_ + absl::Seconds(60)),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("expired")));
  admin::v1::Group others = Core();
  others.mutable_members()->DeleteSubrange(1, 1);
  EXPECT_THAT(Verify(Sign(ListOf(others, 3, "alpha.example", now_))),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("beta.example")));
}

TEST_F(GroupListsTest, WhatIsNotWellFormedIsRefused) {
  const auto refused = [this](auto change, const char* why) {
    GroupList list = List();
    change(list);
    EXPECT_THAT(ReadGroupList(list.SerializeAsString()),
                HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr(why)));
    EXPECT_THAT(Verify(Sign(list)), HasReason(Reason::kGroupInvalid)) << why;
  };
  refused([](GroupList& l) { l.set_group("core"); }, "NAME@DOMAIN");
  refused([](GroupList& l) { l.set_group("Core@alpha.example"); }, "NAME@DOMAIN");
  refused([](GroupList& l) { l.set_group("core@@alpha.example"); }, "NAME@DOMAIN");
  refused([](GroupList& l) { l.set_version(0); }, "no version");
  refused([](GroupList& l) { l.set_members(0, "beta.example"); }, "not sorted");
  refused([](GroupList& l) { l.mutable_members()->SwapElements(0, 1); }, "not sorted");
  refused([](GroupList& l) { l.set_members(0, "Alpha"); }, "no domain");
  refused([](GroupList& l) { l.set_members(0, ""); }, "no domain");
  refused([](GroupList& l) { l.clear_expire_time(); }, "when it ends");
  refused([](GroupList& l) { l.mutable_issue_time()->set_nanos(1'000'000'000); }, "when it ends");
  refused([](GroupList& l) { *l.mutable_expire_time() = l.issue_time(); }, "before it was signed");
  EXPECT_THAT(ReadGroupList("\xff"), HasReason(Reason::kGroupInvalid));
  EXPECT_THAT(ReadGroupList(""), HasReason(Reason::kGroupInvalid));
  EXPECT_THAT(ReadGroupList(std::string(1 << 20, '\0')), HasReason(Reason::kGroupInvalid));
}

TEST_F(GroupListsTest, AThousandMembersAreTakenAndNotOneMore) {
  GroupList list = List();
  list.clear_members();
  list.add_members("beta.example");
  for (int i = 1; i < kMaxGroupMembers; ++i) {
    list.add_members(absl::StrCat("d", 1000 + i, ".example"));
  }
  CDGATE_EXPECT_OK(Verify(Sign(list)));
  list.add_members("z.example");
  EXPECT_THAT(Verify(Sign(list)),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("1001 members")));
}

TEST_F(GroupListsTest, AListFollowsOneThatIsNotNewer) {
  const GroupList held = List();
  GroupList list = held;
  CDGATE_EXPECT_OK(CheckFollows(list, held));
  list.set_version(4);
  list.set_members(2, "epsilon.example");
  CDGATE_EXPECT_OK(CheckFollows(list, held));
  list.set_version(3);
  EXPECT_THAT(CheckFollows(list, held),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("other members")));
  list.set_version(2);
  EXPECT_THAT(CheckFollows(list, held),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("older")));
}

}  // namespace
}  // namespace cdgate::manager
