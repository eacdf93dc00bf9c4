// Frames as bytes, tokens, and the pace of a limited direction.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "federation/link/codec.h"
#include "federation/link/config.h"
#include "federation/link/pace.h"
#include "tests/federation/link/describe.h"

namespace cdgate::link {
namespace {

using federation::v1::Frame;
using federation::v1::RelayedEvent;

RelayedEvent SampleEvent(size_t data_bytes) {
  RelayedEvent event;
  event.set_cloud_event(std::string(data_bytes, 'x'));
  event.set_origin("alpha.example");
  event.set_accepted_time_nanos(1'700'000'000'000'000'000);
  event.set_salt(std::string(16, 's'));
  event.set_commitment(std::string(32, 'c'));
  event.set_hops(1);
  event.add_path("alpha.example");
  event.mutable_export_()->mutable_terms()->set_onward(0);
  return event;
}

TEST(CodecTest, SplicedBatchParsesAsTheWholeMessage) {
  Frame want;
  want.mutable_batch()->set_first_position(7);
  want.mutable_batch()->set_token("token");
  want.mutable_batch()->set_link_epoch("epoch");
  want.mutable_batch()->set_replay(true);
  SendFrame send{.frame = want, .events = {}};
  // Around the sizes at which a length takes another byte.
  for (const size_t bytes : {0, 1, 100, 127, 128, 1000, 16383, 16384, 70000}) {
    const RelayedEvent event = SampleEvent(bytes);
    *want.mutable_batch()->add_events() = event;
    RelayedEvent rest = event;
    rest.clear_cloud_event();
    const size_t before = send.events.size();
    AppendRelayedEvent(event.cloud_event(), rest.SerializeAsString(), &send.events);
    EXPECT_EQ(send.events.size() - before, RelayedEventSize(bytes, rest.ByteSizeLong()));
  }
  const std::string bytes = EncodeHead(send) + send.events;
  EXPECT_EQ(bytes.size(), EncodedSize(send));
  Frame got;
  ASSERT_TRUE(got.ParseFromString(bytes));
  EXPECT_EQ(got.SerializeAsString(), want.SerializeAsString());
  FrameReceived received;
  ASSERT_TRUE(DecodeFrame(bytes, nullptr, &received));
  EXPECT_TRUE(received.frame.batch().replay());
  EXPECT_EQ(received.events.size(), 9u);
}

// Two bytes for each event, and much more for what is read of it.
TEST(CodecTest, ABatchOfVeryManyEventsCostsNoMoreThanOneOfTooMany) {
  Frame frame;
  for (size_t i = 0; i < 20 * kMaxBatchEvents; ++i) frame.mutable_batch()->add_events();
  const auto bytes = std::make_shared<std::string>(frame.SerializeAsString());
  FrameReceived received;
  ASSERT_TRUE(DecodeFrame(*bytes, bytes, &received));
  EXPECT_EQ(received.events.size(), kMaxBatchEvents + 1);
  EXPECT_EQ(received.events.views.capacity(), kMaxBatchEvents + 1);

  *bytes += *bytes;  // not the usual form any more
  EXPECT_FALSE(DecodeFrame(*bytes, bytes, &received));
}

TEST(CodecTest, HeartbeatsHaveOneSize) {
  for (const size_t token : {0, 1, 48, 256}) {
    for (const uint64_t position : {uint64_t{0}, uint64_t{127}, uint64_t{1} << 63}) {
      Frame frame;
      frame.mutable_heartbeat()->set_token(std::string(token, 't'));
      frame.mutable_heartbeat()->set_last_position(position);
      if (token > 0)
        frame.mutable_heartbeat()->set_link_epoch(std::string(kMaxLinkEpochBytes, 'e'));
      frame.mutable_heartbeat()->mutable_caught_up_as_of()->set_seconds(1'700'000'000);
      PadHeartbeat(&frame);
      EXPECT_EQ(frame.ByteSizeLong(), kHeartbeatFrameBytes);
    }
  }
}

TEST(PaceTest, WithoutALimitEverythingMayGo) {
  Pace pace(Rate{});
  EXPECT_EQ(pace.Available(test::ScriptEpoch(), 1'000'000), 1'000'000u);
}

TEST(PaceTest, BeginsFullAndRefillsAtItsRate) {
  absl::Time now = test::ScriptEpoch();
  Pace pace(Rate{.events_per_second = 10, .burst = 5});
  EXPECT_EQ(pace.Available(now, 100), 5u);
  pace.Take(5);
  EXPECT_EQ(pace.Available(now, 100), 0u);
  now = pace.When(2);
  EXPECT_LE(now, test::ScriptEpoch() + absl::Milliseconds(202));
  EXPECT_EQ(pace.Available(now, 100), 2u);
  EXPECT_EQ(pace.Available(now + absl::Hours(1), 100), 5u);
}

TEST(PaceTest, TimeThatGoesBackGivesNothing) {
  Pace pace(Rate{.events_per_second = 10, .burst = 0});
  pace.Take(pace.Available(test::ScriptEpoch(), 100));
  EXPECT_EQ(pace.Available(test::ScriptEpoch() - absl::Hours(1), 100), 0u);
  EXPECT_EQ(pace.Available(test::ScriptEpoch() + absl::Seconds(1), 100), 10u);
}

TEST(PaceTest, ANewRateBeginsFull) {
  Pace pace(Rate{.events_per_second = 1, .burst = 1});
  pace.Take(pace.Available(test::ScriptEpoch(), 1));
  pace.SetRate(Rate{.events_per_second = 1, .burst = 3});
  EXPECT_EQ(pace.Available(test::ScriptEpoch(), 9), 3u);
}

}  // namespace
}  // namespace cdgate::link
