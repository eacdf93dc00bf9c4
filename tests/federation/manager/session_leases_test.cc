#include "federation/manager/session_leases.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "absl/time/time.h"
#include "gateway/base/clock.h"

namespace cdgate::manager {
namespace {

class SessionLeasesTest : public testing::Test {
 protected:
  std::shared_ptr<void> Take() { return leases_->Take(leases_); }
  bool CloseNow() { return leases_->Close(absl::ZeroDuration()); }

  std::shared_ptr<SessionLeases> leases_ = std::make_shared<SessionLeases>(base::SystemClock());
};

TEST_F(SessionLeasesTest, NoneIsLeftWhenTheLastCopyIsGivenBack) {
  std::shared_ptr<void> lease = Take();
  std::shared_ptr<void> copy = lease;
  lease = nullptr;
  EXPECT_FALSE(CloseNow());
  copy = nullptr;
  EXPECT_TRUE(CloseNow());
}

TEST_F(SessionLeasesTest, MayBeTakenUntilClosed) {
  std::shared_ptr<void> lease = Take();
  EXPECT_FALSE(CloseNow());
  EXPECT_NE(Take(), nullptr);
  lease = nullptr;
  EXPECT_TRUE(CloseNow());
  EXPECT_EQ(Take(), nullptr);
  EXPECT_TRUE(CloseNow());
}

TEST_F(SessionLeasesTest, WhatWasExpectedIsWaitedFor) {
  leases_->ExpectStep();
  leases_->ExpectStep();
  leases_->StepIsDone();
  EXPECT_FALSE(CloseNow());
  leases_->StepIsDone();
  EXPECT_TRUE(CloseNow());
}

TEST_F(SessionLeasesTest, WhoWaitsIsToldAtOnce) {
  std::shared_ptr<void> lease = Take();
  auto closed =
      std::async(std::launch::async, [this] { return leases_->Close(absl::Seconds(60)); });
  lease = nullptr;
  EXPECT_TRUE(closed.get());
}

// As a session's callbacks may have the last of whoever counts it.
TEST_F(SessionLeasesTest, ALeaseKeepsItsOwner) {
  const std::weak_ptr<SessionLeases> weak = leases_;
  std::shared_ptr<void> lease = Take();
  leases_ = nullptr;
  EXPECT_FALSE(weak.expired());
  lease = nullptr;
  EXPECT_TRUE(weak.expired());
}

}  // namespace
}  // namespace cdgate::manager
