#include "federation/manager/lifetime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cdgate::manager {
namespace {

using admin::v1::Peer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kEnd = absl::FromUnixSeconds(1'800'000'000);

Peer Approved(const std::string& domain, absl::Time end) {
  Peer peer;
  peer.set_domain(domain);
  peer.set_state(admin::v1::PEER_STATE_APPROVED);
  peer.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(end));
  return peer;
}

std::vector<EndStage> Stages(const std::vector<EndNotice>& notices) {
  std::vector<EndStage> out;
  for (const EndNotice& notice : notices) out.push_back(notice.stage);
  return out;
}

TEST(LifetimeTest, StagesBeginAtTheirDaysAndNotBefore) {
  const struct {
    absl::Duration left;
    EndStage stage;
  } cases[] = {{30 * kDay + absl::Seconds(1), EndStage::kDistant},
               {30 * kDay, EndStage::kMonth},
               {7 * kDay + absl::Seconds(1), EndStage::kMonth},
               {7 * kDay, EndStage::kWeek},
               {kDay + absl::Seconds(1), EndStage::kWeek},
               {kDay, EndStage::kDay},
               {absl::Seconds(1), EndStage::kDay},
               {absl::ZeroDuration(), EndStage::kEnded},
               {-kDay, EndStage::kEnded}};
  for (const auto& c : cases) {
    EXPECT_EQ(StageOf(kEnd, kEnd - c.left), c.stage) << absl::FormatDuration(c.left);
  }
  EXPECT_EQ(StageOf(absl::InfiniteFuture(), kEnd), EndStage::kDistant);
}

TEST(LifetimeTest, AnAgreementWithoutAnEndHasNone) {
  EXPECT_EQ(EndOf(Peer()), absl::InfiniteFuture());
  EXPECT_EQ(EndOf(Approved("beta.example", kEnd)), kEnd);
}

TEST(LifetimeTest, TextsSayWhenAndWhatToDo) {
  EXPECT_EQ(EndText("beta.example", kEnd, kEnd - 6 * kDay - absl::Hours(5)),
            "the agreement with beta.example ends in 6 days, at 2027-01-15T08:00:00Z; renew it "
            "with cdgate peer renew beta.example, here and there");
  EXPECT_THAT(EndText("beta.example", kEnd, kEnd - absl::Minutes(61)), HasSubstr("in 1 hour, at"));
  EXPECT_THAT(EndText("beta.example", kEnd, kEnd - absl::Seconds(9)), HasSubstr("in moments, at"));
  EXPECT_THAT(EndText("beta.example", kEnd, kEnd), HasSubstr("ended at 2027-01-15T08:00:00Z"));
}

TEST(EndNoticesTest, AnnouncesEachStageOnce) {
  EndNotices notices;
  const std::vector<Peer> peers = {Approved("beta.example", kEnd)};
  std::vector<EndStage> told;
  for (absl::Time now = kEnd - 40 * kDay; now <= kEnd + 2 * kDay; now += absl::Hours(1)) {
    for (const EndNotice& notice : notices.Due(peers, now)) {
      EXPECT_EQ(notice.domain, "beta.example");
      EXPECT_EQ(notice.end, kEnd);
      told.push_back(notice.stage);
    }
  }
  EXPECT_THAT(told,
              ElementsAre(EndStage::kMonth, EndStage::kWeek, EndStage::kDay, EndStage::kEnded));
}

TEST(EndNoticesTest, LooksOnceAfterALongPauseAndTellsTheNearestAlone) {
  EndNotices notices;
  const std::vector<Peer> peers = {Approved("beta.example", kEnd)};
  EXPECT_THAT(Stages(notices.Due(peers, kEnd - 20 * kDay)), ElementsAre(EndStage::kMonth));
  EXPECT_THAT(Stages(notices.Due(peers, kEnd - absl::Hours(1))), ElementsAre(EndStage::kDay));
  EXPECT_THAT(notices.Due(peers, kEnd - absl::Minutes(59)), IsEmpty());
}

TEST(EndNoticesTest, ARenewedAgreementBeginsAnew) {
  EndNotices notices;
  EXPECT_THAT(Stages(notices.Due({Approved("beta.example", kEnd)}, kEnd - kDay)),
              ElementsAre(EndStage::kDay));
  const std::vector<Peer> renewed = {Approved("beta.example", kEnd + 365 * kDay)};
  EXPECT_THAT(notices.Due(renewed, kEnd), IsEmpty());
  EXPECT_THAT(Stages(notices.Due(renewed, kEnd + 340 * kDay)), ElementsAre(EndStage::kMonth));
}

TEST(EndNoticesTest, AClockThatIsSetBackRepeatsNothing) {
  EndNotices notices;
  const std::vector<Peer> peers = {Approved("beta.example", kEnd)};
  EXPECT_THAT(Stages(notices.Due(peers, kEnd - kDay)), ElementsAre(EndStage::kDay));
  EXPECT_THAT(notices.Due(peers, kEnd - 20 * kDay), IsEmpty());
  EXPECT_THAT(notices.Due(peers, kEnd - kDay), IsEmpty());
}

TEST(EndNoticesTest, PendingAgreementsAreLeftOutAndRemovedOnesForgotten) {
  EndNotices notices;
  Peer pending = Approved("beta.example", kEnd);
  pending.set_state(admin::v1::PEER_STATE_PENDING);
  EXPECT_THAT(notices.Due({pending}, kEnd), IsEmpty());
  const std::vector<Peer> peers = {Approved("gamma.example", kEnd)};
  EXPECT_THAT(Stages(notices.Due(peers, kEnd)), ElementsAre(EndStage::kEnded));
  EXPECT_THAT(notices.Due({}, kEnd), IsEmpty());
  EXPECT_THAT(Stages(notices.Due(peers, kEnd)), ElementsAre(EndStage::kEnded));
}

}  // namespace
}  // namespace cdgate::manager
