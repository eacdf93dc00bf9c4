#include "gateway/app/trust_upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Not a whole hour: what happens every hour is something else.
constexpr absl::Duration kGrace = absl::Minutes(210);

// Its list is due a day after the clock begins.
class TrustUpkeepTest : public testing::Test {
 protected:
  void SetUp() override {
    CDGATE_ASSERT_OK(trust_.Replace("alpha.example", ca_.bundle_pem(), {ca_.EmptyCrl()}));
  }
  // Whether everybody has to verify again.
  bool Look() {
    const uint64_t before = trust_.source()->version();
    upkeep_.Look(health_);
    return trust_.source()->version() != before;
  }

  test::FakeClock clock_;
  const test::TestCa ca_{"alpha.example", clock_.Now()};
  trust::TrustRegistry trust_{kGrace};
  base::Metrics metrics_;
  rpc::HealthRegistry health_;
  TrustUpkeep upkeep_{trust_, clock_, metrics_};
};

TEST_F(TrustUpkeepTest, AnOverdueListIsToldBeforeItIsRefused) {
  Look();
  EXPECT_EQ(health_.Get("trust:alpha.example"), true);
  EXPECT_THAT(upkeep_.Problems(), IsEmpty());
  clock_.Advance(absl::Hours(24));
  Look();
  EXPECT_EQ(health_.Get("trust:alpha.example"), false);
  EXPECT_THAT(upkeep_.Problems(), ElementsAre(HasSubstr("is refused from")));
  clock_.Advance(kGrace);
  Look();
  EXPECT_THAT(upkeep_.Problems(), ElementsAre(HasSubstr("what needs it is refused;")));
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", ca_.bundle_pem(), {}));
  EXPECT_THAT(upkeep_.Problems(), IsEmpty());
}

TEST_F(TrustUpkeepTest, WhoIsConnectedIsVerifiedAgainWhenAListEndsAndEveryHour) {
  Look();
  const absl::Time end = clock_.Now() + absl::Hours(24) + kGrace;
  clock_.Advance(end - clock_.Now() - absl::Minutes(1));
  Look();
  clock_.Advance(absl::Seconds(2));
  EXPECT_FALSE(Look());
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Look()) << "the list has ended";
  clock_.Advance(absl::Seconds(2));
  EXPECT_FALSE(Look());
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(Look());
}

TEST_F(TrustUpkeepTest, TheFirstListThatIsDueIsAMetric) {
  upkeep_.UpdateGauges();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("cdgate_revocation_list_due_timestamp_seconds{domain=\"alpha.example\"}"));
}

}  // namespace
}  // namespace cdgate::app
