#include "federation/link/importer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/federation/link/received.h"

namespace cdgate::link {
namespace {

class ImporterTest : public ::testing::Test {
 protected:
  ImporterTest() : importer_(LinkConfig{}) {
    importer_.MakeResume();
    EXPECT_TRUE(importer_.HasCredit(now_));
    importer_.TakeCredit();
  }

  // The next batch of the peer.
  void Receive(int events) {
    federation::v1::Frame frame;
    federation::v1::Batch& batch = *frame.mutable_batch();
    batch.set_first_position(importer_.received().Next().value());
    batch.set_token("token");
    batch.set_link_epoch("epoch");
    for (int i = 0; i < events; ++i) {
      federation::v1::RelayedEvent& event = *batch.add_events();
      event.set_cloud_event("{}");
      event.add_path("alpha.example");
    }
    Input input = test::Received(frame, frame.ByteSizeLong());
    ASSERT_TRUE(importer_.OnBatch(std::get<FrameReceived>(std::move(input)), &out_).ok());
  }
  void Commit(uint64_t through) { importer_.OnCommitted({base::Position(through), {}}); }

  const absl::Time now_ = absl::UnixEpoch();
  Importer importer_;
  Outputs out_;
};

TEST_F(ImporterTest, WhatIsOnDiskIsAcknowledgedAtOnceWhereNothingFollows) {
  Receive(1);
  EXPECT_FALSE(importer_.HasAck());
  Commit(1);
  ASSERT_TRUE(importer_.HasAck());
  EXPECT_EQ(importer_.TakeAck().position(), 1u);
  EXPECT_FALSE(importer_.HasAck());
}

TEST_F(ImporterTest, AnAckWaitsForWhatIsAboutToBeOnDisk) {
  Receive(1);
  Receive(1);
  Commit(1);
  EXPECT_FALSE(importer_.HasAck());
  Commit(2);
  ASSERT_TRUE(importer_.HasAck());
  EXPECT_EQ(importer_.TakeAck().position(), 2u);
}

TEST_F(ImporterTest, AnAckWaitsForSoManyEventsOnly) {
  constexpr int kMost = static_cast<int>(kMostUnacknowledged);
  Receive(kMost - 1);
  Receive(1);
  Receive(1);
  Commit(kMostUnacknowledged - 1);
  EXPECT_FALSE(importer_.HasAck());
  Commit(kMostUnacknowledged);
  ASSERT_TRUE(importer_.HasAck());
  EXPECT_EQ(importer_.TakeAck().position(), kMostUnacknowledged);
  Commit(kMostUnacknowledged + 1);
  EXPECT_TRUE(importer_.HasAck());
}

TEST_F(ImporterTest, ARefusalIsToldAtOnce) {
  Receive(1);
  Receive(1);
  Committed committed{base::Position(1), {}};
  committed.refused.emplace_back().set_position(1);
  importer_.OnCommitted(std::move(committed));
  ASSERT_TRUE(importer_.HasAck());
  EXPECT_EQ(importer_.TakeAck().refusals_size(), 1);
}

TEST_F(ImporterTest, NothingWaitsWhereTheLinkEnds) {
  Receive(1);
  Receive(1);
  Commit(1);
  importer_.Stop(&out_);
  EXPECT_TRUE(importer_.HasAck());
}

}  // namespace
}  // namespace cdgate::link
