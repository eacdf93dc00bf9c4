// Events are decided and signed for a peer while they are on their way to the disk, and leave when
// they are there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "gateway/base/mutex.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

using test::Eventually;
using testing::ElementsAre;

constexpr char kBuild[] = "dev.cdevents.build.finished.0.2.0";

// A disk that takes its time.
class SlowDisk final : public eventlog::CommitObserver {
 public:
  void OnAppend(const event::CommitPtr&) override {
    base::MutexLock lock(mu_);
    waiting_ = held_;
    while (held_) released_.Wait(mu_);
    waiting_ = false;
  }
  void OnCommit(const event::CommitPtr&) override {}
  void Hold(bool held) {
    base::MutexLock lock(mu_);
    held_ = held;
    released_.SignalAll();
  }
  bool waiting() {
    base::MutexLock lock(mu_);
    return waiting_;
  }

 private:
  base::Mutex mu_;
  base::CondVar released_;
  bool held_ CDGATE_GUARDED_BY(mu_) = false;
  bool waiting_ CDGATE_GUARDED_BY(mu_) = false;
};

// alpha dials beta; both sign, and let everything through.
class AheadTest : public testing::Test {
 protected:
  AheadTest() : alpha_(network_.Add("alpha.example")), beta_(network_.Add("beta.example")) {
    for (test::TestNode* node : {&alpha_, &beta_}) {
      node->Stop();
      node->set_attests(true);
      node->Start();
    }
  }
  // Begins to publish an event that does not get to the disk, but is decided and signed.
  std::thread PublishAhead(const std::string& id) {
    const int before = network_.attestors().BatchesSigned("alpha.example");
    disk_.Hold(true);
    std::thread publisher([this, id] { alpha_.Publish(id, kBuild); });
    EXPECT_TRUE(Eventually([this] { return disk_.waiting(); }));
    EXPECT_TRUE(Eventually(
        [&] { return network_.attestors().BatchesSigned("alpha.example") == before + 1; }));
    return publisher;
  }
  void Connect() {
    alpha_.ApplyPolicy("beta.example", test::kAllowAll);
    beta_.ApplyPolicy("alpha.example", test::kAllowAll);
    network_.Peer("alpha.example", "beta.example");
    alpha_.Publish("first", kBuild);
    ASSERT_TRUE(BetaHas(1));
    ASSERT_TRUE(AllAcknowledged());
    alpha_.log().AddObserver(&disk_);
  }
  void TearDown() override { alpha_.log().RemoveObserver(&disk_); }
  uint64_t InterestVersion() {
    const auto report = alpha_.links().Report("beta.example");
    return report && report->interest != nullptr ? report->interest->version() : 0;
  }

  bool BetaHas(size_t events) {
    return Eventually([&] { return beta_.Received().size() >= events; });
  }
  // Every event of alpha has an outcome at alpha.
  bool AllAcknowledged() {
    return Eventually([this] {
      const auto report = alpha_.links().Report("beta.example");
      return report && report->acknowledged_through == alpha_.store().head().sequence;
    });
  }

  test::TestNetwork network_;
  test::TestNode& alpha_;
  test::TestNode& beta_;
  SlowDisk disk_;
};

TEST_F(AheadTest, WhatIsOnItsWayToTheDiskIsSignedAndNotSent) {
  Connect();
  std::thread publisher = PublishAhead("second");
  EXPECT_EQ(alpha_.LinkTo("beta.example").sent_position(), 1u);
  const int signatures = network_.attestors().BatchesSigned("alpha.example");
  disk_.Hold(false);
  publisher.join();
  ASSERT_TRUE(BetaHas(2));
  EXPECT_FALSE(beta_.Stored("second").import_leaf().empty());
  EXPECT_TRUE(AllAcknowledged());
  EXPECT_EQ(network_.attestors().BatchesSigned("alpha.example"), signatures) << "it was used";
}

TEST_F(AheadTest, AnInterestThatComesMeanwhileDecides) {
  Connect();
  std::thread publisher = PublishAhead("second");
  const uint64_t before = InterestVersion();
  beta_.ApplyPolicy("alpha.example",
                    "import {rules {name: 'incidents' when: \"SUBJECT_TYPE() = 'incident'\" "
                    "action: ACTION_ALLOW}}");
  EXPECT_TRUE(Eventually([&] { return InterestVersion() > before; }));
  disk_.Hold(false);
  publisher.join();
  ASSERT_TRUE(Eventually([this] { return alpha_.Outcome("second", "beta.example") != "waiting"; }));
  EXPECT_EQ(alpha_.LinkTo("beta.example").sent_position(), 1u);
  EXPECT_THAT(beta_.Received(), ElementsAre("first"));
}

}  // namespace
}  // namespace cdgate
