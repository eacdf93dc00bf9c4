#include "gateway/app/retention_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/base/logging.h"

namespace cdgate::app {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class RetentionWatchTest : public testing::Test {
 protected:
  void SetUp() override { base::InitLogging(base::LogLevel::kInfo, base::LogFormat::kText); }

  // What is logged of beta.example at kNow.
  std::string Look(uint64_t waiting, absl::Duration until_loss, uint64_t lost = 0) {
    testing::internal::CaptureStderr();
    watch_.Look(
        {.peer = "beta.example", .waiting = waiting, .loss = kNow + until_loss, .lost = lost},
        kNow);
    return testing::internal::GetCapturedStderr();
  }

  RetentionWatch watch_{absl::Hours(40)};
};

TEST_F(RetentionWatchTest, WarnsOnceFromTheLastQuarterOn) {
  EXPECT_THAT(Look(5, absl::Hours(10)), IsEmpty());
  EXPECT_THAT(watch_.Problems(), IsEmpty());
  EXPECT_THAT(Look(7, absl::Hours(9)), AllOf(HasSubstr("peer=beta.example"), HasSubstr("waiting=7"),
                                             HasSubstr("from=2027-01-15T17:00:00Z")));
  EXPECT_THAT(Look(8, absl::Hours(8)), IsEmpty());
  EXPECT_THAT(watch_.Problems(), ElementsAre(AllOf(HasSubstr("beta.example"), HasSubstr("8 events"),
                                                   HasSubstr("2027-01-15T16:00:00Z"))));
}

TEST_F(RetentionWatchTest, WarnsAgainAfterItWasCaughtUpWith) {
  EXPECT_THAT(Look(1, absl::Hours(1)), HasSubstr("will remove"));
  EXPECT_THAT(Look(0, absl::Hours(1)), IsEmpty());
  EXPECT_THAT(watch_.Problems(), IsEmpty());
  EXPECT_THAT(Look(1, absl::Hours(1)), HasSubstr("will remove"));
}

TEST_F(RetentionWatchTest, SaysHowManyWereLost) {
  EXPECT_THAT(Look(0, absl::InfiniteDuration(), 3), IsEmpty());  // told when it happened
  EXPECT_THAT(Look(0, absl::InfiniteDuration(), 10),
              AllOf(HasSubstr("removed events that a peer had not got"), HasSubstr("events=7"),
                    HasSubstr("in_all=10"), HasSubstr("cdgate peer lost beta.example")));
  EXPECT_THAT(Look(0, absl::InfiniteDuration(), 10), IsEmpty());
}

}  // namespace
}  // namespace cdgate::app
