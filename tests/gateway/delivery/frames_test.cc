#include "gateway/delivery/frames.h"

#include <gtest/gtest.h>

#include <string>

#include "cdgate/events/v1/events.pb.h"
#include "tests/gateway/delivery/sample_commits.h"

namespace cdgate::delivery {
namespace {

events::v1::DeliveredEvent Generated(const event::Record& record, uint32_t attempt) {
  events::v1::DeliveredEvent out;
  out.set_sequence(record.sequence().value());
  out.set_origin(std::string(record.origin()));
  out.set_attempt(attempt);
  out.mutable_event()->ParseFromString(std::string(record.cloud_event().bytes()));
  out.mutable_accept_time()->set_seconds(record.stored().accepted_time_nanos() / 1'000'000'000);
  out.mutable_accept_time()->set_nanos(
      static_cast<int32_t>(record.stored().accepted_time_nanos() % 1'000'000'000));
  out.set_received_from(std::string(record.stored().received_from()));
  out.set_import_rule(std::string(record.stored().import_rule()));
  if (record.stored().notes() != 0) {
    for (const char* note : {"outer_disagrees", "unknown_type", "schema_invalid"}) {
      out.add_notes(note);
    }
  }
  return out;
}

event::CommitPtr ReceivedCommit() {
  storage::v1::CommitRecord record;
  record.set_first_sequence(300);
  *record.add_events() = test::SampleEvent(1);
  storage::v1::StoredEvent& received = *record.add_events();
  received = test::SampleEvent(2, "artifact");
  received.set_received_from("beta.example");
  received.set_import_rule("releases@3");
  received.set_notes(event::kNoteOuterDisagrees | event::kNoteUnknownType |
                     event::kNoteSchemaInvalid);
  return event::MakeCommit(std::move(record));
}

TEST(FramesTest, ASubscribeResponseIsThatOfTheGeneratedMessage) {
  const event::CommitPtr commit = ReceivedCommit();
  std::string batch;
  events::v1::SubscribeResponse expected;
  uint32_t attempt = 1;
  for (const event::Record& record : commit->events) {
    AppendDelivered(record, attempt, nullptr, &batch);
    *expected.mutable_events()->add_events() = Generated(record, attempt);
    ++attempt;
  }
  EXPECT_EQ(AsSubscribeResponse(batch), expected.SerializeAsString());
}

TEST(FramesTest, AWatchResponseIsThatOfTheGeneratedMessage) {
  const event::CommitPtr commit = ReceivedCommit();
  for (const event::Record& record : commit->events) {
    events::v1::WatchResponse expected;
    *expected.mutable_event() = Generated(record, 1);
    expected.mutable_position()->set_epoch("epoch-1");
    expected.mutable_position()->set_sequence(record.sequence().value());
    EXPECT_EQ(AsWatchResponse(record, nullptr, base::Epoch("epoch-1")),
              expected.SerializeAsString());
  }
}

TEST(FramesTest, ARenditionTakesThePlaceOfTheEvent) {
  const event::CommitPtr commit = ReceivedCommit();
  const event::Record& record = commit->events.front();
  io::cloudevents::v1::CloudEvent other;
  other.set_id("other");
  const Rendition converted{other.SerializeAsString(), "dev.cdevents.old", ""};
  const Rendition failed{"", "", "it cannot"};
  std::string batch;
  AppendDelivered(record, 1, &converted, &batch);
  AppendDelivered(record, 1, &failed, &batch);
  events::v1::SubscribeResponse expected;
  events::v1::DeliveredEvent* const first = expected.mutable_events()->add_events();
  *first = Generated(record, 1);
  *first->mutable_event() = other;
  first->set_converted_from("dev.cdevents.old");
  events::v1::DeliveredEvent* const second = expected.mutable_events()->add_events();
  *second = Generated(record, 1);
  second->set_not_converted("it cannot");
  EXPECT_EQ(AsSubscribeResponse(batch), expected.SerializeAsString());
}

}  // namespace
}  // namespace cdgate::delivery
