// What two gateways know of each other's groups, from what their links would carry.
#include "federation/manager/group_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/federation/manager/group_testing.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using federation::v1::GroupList;
using federation::v1::Groups;
using test::GroupNode;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class GroupExchangeTest : public testing::Test {
 protected:
  GroupExchangeTest() {
    beta_.PeerWith(alpha_);
    alpha_.PeerWith(beta_);
  }

  // What alpha's side of the link says arrives.
  absl::Status Exchange() {
    return beta_.Receive("alpha.example", alpha_.exchange().ListsFor("beta.example"));
  }
  bool BetaKnows(const char* group, const char* domain) {
    return beta_.Environment()->IsMember(group, domain, clock_.Now());
  }
  Groups Signed(const GroupList& list) {
    Groups groups;
    *groups.add_groups() = SignGroup(list, alpha_.material()).value();
    return groups;
  }
  GroupList Core(uint64_t version, std::initializer_list<const char*> members) {
    return ListOf(GroupNode::Group("core", members), version, "alpha.example", clock_.Now());
  }

  test::FakeClock clock_;
  GroupNode alpha_{"alpha.example", clock_};
  GroupNode beta_{"beta.example", clock_};
};

TEST_F(GroupExchangeTest, AMemberLearnsWhoElseIsIn) {
  alpha_.PutGroup("core", {"alpha.example", "beta.example", "gamma.example"});
  EXPECT_FALSE(BetaKnows("core@alpha.example", "gamma.example"));
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_TRUE(BetaKnows("core@alpha.example", "gamma.example"));
  EXPECT_FALSE(BetaKnows("core@alpha.example", "delta.example"));
  EXPECT_EQ(beta_.store().Resources()->Find(state::kGroupListKind, "core@alpha.example")->author,
            "alpha.example");

  alpha_.PutGroup("core", {"alpha.example", "beta.example"});
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_FALSE(BetaKnows("core@alpha.example", "gamma.example"));
  EXPECT_TRUE(BetaKnows("core@alpha.example", "alpha.example"));
}

TEST_F(GroupExchangeTest, OnlyMembersAreTold) {
  alpha_.PutGroup("core", {"alpha.example", "gamma.example"});
  alpha_.PutGroup("all", {"beta.example", "gamma.example"});
  const Groups for_beta = alpha_.exchange().ListsFor("beta.example");
  ASSERT_EQ(for_beta.groups_size(), 1);
  EXPECT_EQ(ReadGroupList(for_beta.groups(0).list())->group(), "all@alpha.example");
  EXPECT_EQ(alpha_.exchange().ListsFor("gamma.example").groups_size(), 2);
  EXPECT_EQ(alpha_.exchange().ListsFor("delta.example").groups_size(), 0);
}

TEST_F(GroupExchangeTest, WhoLeavesAGroupForgetsIt) {
  alpha_.PutGroup("core", {"beta.example", "gamma.example"});
  alpha_.PutGroup("all", {"beta.example", "gamma.example"});
  CDGATE_ASSERT_OK(Exchange());
  alpha_.PutGroup("core", {"gamma.example"});
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_FALSE(BetaKnows("core@alpha.example", "gamma.example"));
  EXPECT_TRUE(BetaKnows("all@alpha.example", "gamma.example"));
  alpha_.DeleteGroup("all");
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_FALSE(BetaKnows("all@alpha.example", "gamma.example"));
  // Let in again, it goes on from there.
  alpha_.PutGroup("core", {"beta.example"});
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_TRUE(BetaKnows("core@alpha.example", "beta.example"));
}

TEST_F(GroupExchangeTest, TheSameListIsSignedOnceADay) {
  alpha_.PutGroup("core", {"beta.example"});
  const std::string first = alpha_.exchange().ListsFor("beta.example").SerializeAsString();
  clock_.Advance(kSignAgain - absl::Seconds(1));
  EXPECT_EQ(alpha_.exchange().ListsFor("beta.example").SerializeAsString(), first);
  clock_.Advance(absl::Seconds(1));
  const Groups second = alpha_.exchange().ListsFor("beta.example");
  EXPECT_NE(second.SerializeAsString(), first);
  EXPECT_EQ(ExpiryOf(*ReadGroupList(second.groups(0).list())), clock_.Now() + kGroupValidity);
}

TEST_F(GroupExchangeTest, AnotherCertificateSignsAgain) {
  alpha_.PutGroup("core", {"beta.example"});
  const Groups first = alpha_.exchange().ListsFor("beta.example");
  alpha_.RenewIdentity();
  const Groups second = alpha_.exchange().ListsFor("beta.example");
  EXPECT_NE(second.groups(0).certificates(0), first.groups(0).certificates(0));
  CDGATE_EXPECT_OK(beta_.Receive("alpha.example", second));
}

TEST_F(GroupExchangeTest, AListThatIsNoNewsMakesNoVersion) {
  alpha_.PutGroup("core", {"beta.example"});
  CDGATE_ASSERT_OK(Exchange());
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_EQ(beta_.EnvironmentVersion(), 1u);
  clock_.Advance(kSignAgain);
  CDGATE_ASSERT_OK(Exchange());
  EXPECT_EQ(beta_.EnvironmentVersion(), 2u);  // it ends later now
}

TEST_F(GroupExchangeTest, AListThatIsNotSignedAgainEnds) {
  alpha_.PutGroup("core", {"beta.example", "gamma.example"});
  CDGATE_ASSERT_OK(Exchange());
  clock_.Advance(kGroupValidity - absl::Seconds(1));
  beta_.keeper().Refresh();
  beta_.Settle();
  EXPECT_TRUE(BetaKnows("core@alpha.example", "gamma.example"));
  clock_.Advance(absl::Seconds(1));
  beta_.keeper().Refresh();
  beta_.Settle();
  EXPECT_EQ(beta_.StoredEnvironment().groups_size(), 0);
}

TEST_F(GroupExchangeTest, AGroupThatEndedIsNotSent) {
  admin::v1::Group group = GroupNode::Group("core", {"beta.example"});
  group.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 60);
  alpha_.PutGroup(group);
  EXPECT_EQ(alpha_.exchange().ListsFor("beta.example").groups_size(), 1);
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(alpha_.exchange().ListsFor("beta.example").groups_size(), 0);
}

TEST_F(GroupExchangeTest, WhatDoesNotVerifyChangesNothing) {
  CDGATE_ASSERT_OK(beta_.Receive("alpha.example", Signed(Core(5, {"beta.example", "c.example"}))));
  EXPECT_THAT(beta_.Receive("alpha.example", Signed(Core(4, {"beta.example", "evil.example"}))),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("older")));
  EXPECT_THAT(beta_.Receive("alpha.example", Signed(Core(5, {"beta.example", "evil.example"}))),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("other members")));
  Groups forged = Signed(Core(6, {"beta.example", "evil.example"}));
  forged.mutable_groups(0)->mutable_signature()->back() ^= 1;
  EXPECT_THAT(beta_.Receive("alpha.example", forged), HasReason(Reason::kGroupInvalid));
  EXPECT_TRUE(BetaKnows("core@alpha.example", "c.example"));
  EXPECT_FALSE(BetaKnows("core@alpha.example", "evil.example"));
  EXPECT_EQ(beta_.EnvironmentVersion(), 1u);
}

TEST_F(GroupExchangeTest, OneThatDoesNotVerifyDoesNotKeepTheOthersOut) {
  Groups groups = Signed(Core(1, {"beta.example", "c.example"}));
  *groups.add_groups() = SignGroup(ListOf(GroupNode::Group("other", {"beta.example"}), 1,
                                          "gamma.example", clock_.Now()),
                                   alpha_.material())
                             .value();
  EXPECT_THAT(beta_.Receive("alpha.example", groups),
              HasReasonAndMessage(Reason::kGroupInvalid, HasSubstr("other@gamma.example")));
  EXPECT_TRUE(BetaKnows("core@alpha.example", "c.example"));
  EXPECT_FALSE(BetaKnows("other@gamma.example", "beta.example"));
}

TEST_F(GroupExchangeTest, NobodySendsTheListsOfAnother) {
  GroupNode gamma("gamma.example", clock_);
  beta_.PeerWith(gamma);
  CDGATE_ASSERT_OK(beta_.Receive("alpha.example", Signed(Core(1, {"beta.example", "c.example"}))));
  // Neither forwarded as it is, nor forgotten because gamma does not have it.
  EXPECT_THAT(beta_.Receive("gamma.example", Signed(Core(2, {"beta.example", "gamma.example"}))),
              HasReason(Reason::kGroupInvalid));
  EXPECT_FALSE(BetaKnows("core@alpha.example", "gamma.example"));
  EXPECT_TRUE(BetaKnows("core@alpha.example", "c.example"));
}

TEST_F(GroupExchangeTest, MoreThanAMemberCanBeInAreRefused) {
  Groups groups;
  for (int i = 0; i <= kMaxGroupsOfMember; ++i) {
    const auto group = GroupNode::Group(absl::StrCat("g", i), {"beta.example"});
    *groups.add_groups() =
        SignGroup(ListOf(group, 1, "alpha.example", clock_.Now()), alpha_.material()).value();
  }
  EXPECT_THAT(beta_.Receive("alpha.example", groups), HasReason(Reason::kGroupInvalid));
  EXPECT_EQ(beta_.EnvironmentVersion(), 0u);
  groups.mutable_groups()->RemoveLast();
  CDGATE_EXPECT_OK(beta_.Receive("alpha.example", groups));
  EXPECT_EQ(beta_.StoredEnvironment().groups_size(), kMaxGroupsOfMember);
}

}  // namespace
}  // namespace cdgate::manager
