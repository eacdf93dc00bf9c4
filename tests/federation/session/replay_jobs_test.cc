#include "federation/session/replay_jobs.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "gateway/base/errors.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::session {
namespace {

constexpr char kBeta[] = "beta.example";

class ReplayJobsTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }

  absl::Status Add(uint64_t first) {
    storage::v1::ReplayJob job;
    job.set_first_sequence(first);
    job.set_last_sequence(first);
    job.set_author("ann");
    auto edit = AddReplayJob(*world_.store->Resources(), kBeta, std::move(job));
    return edit.ok() ? world_.Apply(*std::move(edit)) : edit.status();
  }
  storage::v1::ReplayJobs Jobs() { return *ReplayJobsOf(*world_.store->Resources(), kBeta); }
  void Finish() {
    CDGATE_ASSERT_OK(world_.Apply(
        {.kind = state::kReplayKind, .name = kBeta, .deleted = true, .author = "cdgate"}));
  }

  test::StoreWorld world_;
};

TEST_F(ReplayJobsTest, ANumberIsNeverUsedAgain) {
  CDGATE_ASSERT_OK(Add(1));
  CDGATE_ASSERT_OK(Add(2));
  ASSERT_EQ(Jobs().jobs_size(), 2);
  const uint64_t last = Jobs().jobs(1).number();
  EXPECT_GT(last, Jobs().jobs(0).number());
  Finish();
  EXPECT_EQ(Jobs().jobs_size(), 0);
  CDGATE_ASSERT_OK(Add(3));
  EXPECT_GT(Jobs().jobs(0).number(), last);
}

TEST_F(ReplayJobsTest, OnlySoManyWait) {
  for (int i = 0; i < kMaxReplayJobs; ++i) CDGATE_ASSERT_OK(Add(1));
  EXPECT_EQ(base::ReasonOf(Add(1)), base::Reason::kQuota);
  EXPECT_EQ(Jobs().jobs_size(), kMaxReplayJobs);
  Finish();
  CDGATE_EXPECT_OK(Add(1));
}

}  // namespace
}  // namespace cdgate::session
