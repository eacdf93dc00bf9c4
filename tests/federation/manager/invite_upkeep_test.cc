#include "federation/manager/invite_upkeep.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/federation/manager/test_domain.h"
#include "tests/support/status_matchers.h"

namespace cdgate::manager {
namespace {

class InviteUpkeepTest : public test::ThreeDomains {
 protected:
  std::string NewInvite(absl::Duration ttl = invite::kDefaultTtl) {
    admin::v1::CreateInviteRequest request;
    request.mutable_ttl()->set_seconds(absl::ToInt64Seconds(ttl));
    const auto made = alpha_.Invite(request);
    CDGATE_EXPECT_OK(made);
    token_ = made->token();
    return made->invite_id();
  }
  // What is proposed is decided in order: what comes after it finds it done.
  void Upkeep() {
    CDGATE_ASSERT_OK(RemoveOldInvites(alpha_.store(), clock_.Now()));
    last_ = NewInvite();
  }
  size_t Stored() { return alpha_.store().Resources()->List(state::kInviteKind).size(); }

  std::string token_;  // of the last invite made
  std::string last_;
};

TEST_F(InviteUpkeepTest, ExpiredInviteStaysForAMonthAndThenGoes) {
  const std::string id = NewInvite();
  clock_.Advance(invite::kDefaultTtl + kInviteKept - absl::Seconds(1));
  Upkeep();
  EXPECT_TRUE(alpha_.InviteOf(id).has_value());
  clock_.Advance(absl::Seconds(1));
  Upkeep();
  EXPECT_FALSE(alpha_.InviteOf(id).has_value());
  EXPECT_TRUE(alpha_.InviteOf(last_).has_value());
}

TEST_F(InviteUpkeepTest, InviteThatWorksIsLeft) {
  const std::string id = NewInvite(invite::kMaxTtl);
  const std::string token = token_;
  clock_.Advance(invite::kMaxTtl - absl::Minutes(1));
  Upkeep();
  CDGATE_EXPECT_OK(beta_.Accept(token));
  EXPECT_EQ(alpha_.InviteOf(id)->redeemed_by(), "beta.example");
}

TEST_F(InviteUpkeepTest, UsedInviteGoesAndItsAgreementStays) {
  const std::string id = NewInvite();
  CDGATE_ASSERT_OK(beta_.Accept(token_));
  clock_.Advance(invite::kDefaultTtl + kInviteKept);
  Upkeep();
  EXPECT_FALSE(alpha_.InviteOf(id).has_value());
  EXPECT_EQ(alpha_.PeerOf(beta_)->state(), admin::v1::PEER_STATE_PENDING);
}

TEST_F(InviteUpkeepTest, StoreTellsWhoRemovedItAndItIsGoneForGood) {
  const std::string id = NewInvite();
  const std::string token = token_;
  clock_.Advance(invite::kDefaultTtl + kInviteKept);
  Upkeep();
  alpha_.Restart();
  const auto latest = alpha_.store().Resources()->Latest(state::kInviteKind, id);
  ASSERT_NE(latest, nullptr);
  EXPECT_TRUE(latest->deleted);
  EXPECT_EQ(latest->author, kInviteUpkeepAuthor);
  EXPECT_EQ(latest->value, "");
  EXPECT_THAT(alpha_.HandleEnrol(beta_.RequestFor(token)),
              test::HasReason(base::Reason::kInviteInvalid));
}

TEST_F(InviteUpkeepTest, MoreThanFitAtOnceGoInTurns) {
  for (int i = 0; i < 300; ++i) NewInvite();
  clock_.Advance(invite::kDefaultTtl + kInviteKept);
  Upkeep();
  EXPECT_EQ(Stored(), 300U - 256U + 1);
  Upkeep();
  EXPECT_EQ(Stored(), 2U);
}

TEST_F(InviteUpkeepTest, WhatChangedMeanwhileIsLookedAtAgain) {
  const std::string revoked = NewInvite();
  const std::string other = NewInvite();
  clock_.Advance(invite::kDefaultTtl + kInviteKept);
  {
    const auto held = alpha_.HoldCommits();
    state::Proposal proposal;
    proposal.resources.push_back(
        {.kind = state::kInviteKind, .name = revoked, .deleted = true, .author = "ann"});
    CDGATE_ASSERT_OK(alpha_.store().Propose(std::move(proposal), [](const state::Outcome&) {}));
    CDGATE_ASSERT_OK(RemoveOldInvites(alpha_.store(), clock_.Now()));
  }
  NewInvite();
  EXPECT_TRUE(alpha_.InviteOf(other).has_value());
  Upkeep();
  EXPECT_FALSE(alpha_.InviteOf(other).has_value());
  EXPECT_EQ(alpha_.store().Resources()->Latest(state::kInviteKind, revoked)->author, "ann");
}

}  // namespace
}  // namespace cdgate::manager
