#include "federation/manager/link_refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/base/errors.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using testing::AllOf;
using testing::HasSubstr;

const absl::Time kEnd = absl::FromUnixSeconds(1'800'000'000);

admin::v1::Peer Approved() {
  admin::v1::Peer peer;
  peer.set_domain("beta.example");
  peer.set_state(admin::v1::PEER_STATE_APPROVED);
  peer.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(kEnd));
  return peer;
}

RefusalFacts At(absl::Time now) {
  RefusalFacts facts;
  facts.domain = "alpha.example";
  facts.now = now;
  return facts;
}

TEST(LinkRefusalTest, AnApprovedAgreementCarriesEventsUntilItsEnd) {
  EXPECT_FALSE(RefusalOf(Approved(), At(kEnd - absl::Nanoseconds(1))));
  const auto ended = RefusalOf(Approved(), At(kEnd));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->reason, Reason::kAgreementExpired);
  EXPECT_THAT(ended->message,
              AllOf(HasSubstr("2027-01-15T08:00:00Z"), HasSubstr("on the side of alpha.example"),
                    HasSubstr("cdgate peer renew")));
  EXPECT_GT(ended->retry_after, absl::ZeroDuration());
}

TEST(LinkRefusalTest, ASuspendedPeerIsToldForWhatAndHowLong) {
  RefusalFacts facts = At(kEnd - absl::Hours(1));
  facts.suspended_for = absl::Milliseconds(3200);
  facts.offence = "CREDIT_EXCEEDED: 900 events came with credit for 1";
  const auto refusal = RefusalOf(Approved(), facts);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, Reason::kPeerSuspended);
  EXPECT_THAT(refusal->message, HasSubstr("ended by CREDIT_EXCEEDED: 900 events"));
  EXPECT_EQ(refusal->retry_after, absl::Seconds(4));
}

TEST(LinkRefusalTest, EachCauseHasItsReasonAndTheStrongestIsSaid) {
  admin::v1::Peer peer = Approved();
  RefusalFacts facts = At(kEnd + absl::Hours(1));
  EXPECT_EQ(RefusalOf(peer, facts)->reason, Reason::kAgreementExpired);
  peer.set_state(admin::v1::PEER_STATE_PENDING);
  EXPECT_EQ(RefusalOf(peer, facts)->reason, Reason::kAgreementPending);
  peer.set_frozen(true);
  EXPECT_EQ(RefusalOf(peer, facts)->message, "the link is frozen");
  facts.started_frozen = true;
  EXPECT_THAT(RefusalOf(peer, facts)->message, HasSubstr("cdgate export resume --all"));
  EXPECT_EQ(RefusalOf(peer, facts)->reason, Reason::kFrozen);
  facts.ended_text = "alpha.example ended the agreement";
  EXPECT_EQ(RefusalOf(peer, facts)->reason, Reason::kNoAgreement);
  EXPECT_EQ(RefusalOf(peer, facts)->message, "alpha.example ended the agreement");
  facts.draining = true;
  EXPECT_EQ(RefusalOf(peer, facts)->reason, Reason::kDraining);
}

TEST(LinkRefusalTest, AnEndNamesTheDomainAndTheTimeAndNoPerson) {
  auto removed = std::make_shared<state::StoredResource>();
  removed->kind = state::kPeerKind;
  removed->name = "beta.example";
  removed->deleted = true;
  removed->author = "spiffe://alpha.example/user/ann";
  removed->commit_time = kEnd;
  const auto resources = state::ResourceSnapshot().With({removed});
  EXPECT_EQ(EndedText(*resources, "alpha.example", "beta.example"),
            "alpha.example ended the agreement at 2027-01-15T08:00:00Z");
  EXPECT_EQ(EndedText(state::ResourceSnapshot(), "alpha.example", "beta.example"),
            "alpha.example ended the agreement");
}

}  // namespace
}  // namespace cdgate::manager
