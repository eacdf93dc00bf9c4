#include "federation/session/relay.h"

#include <gtest/gtest.h>

#include <string>

#include "cdgate/federation/v1/link.pb.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/stored_events.h"

namespace cdgate::test {
namespace {

const session::StatementSource::SignOrigin nobody_signs;

using federation::v1::Batch;
using federation::v1::RelayedEvent;
using session::RelayWriter;

storage::v1::StoredEvent Stored() {
  storage::v1::StoredEvent stored;
  io::cloudevents::v1::CloudEvent event;
  event.set_id("e1");
  event.set_source("/s");
  event.set_spec_version("1.0");
  event.set_type("t");
  stored.set_cloud_event(event.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(1'700'000'000'000'000'001);
  stored.set_salt(std::string(16, 's'));
  stored.set_commitment(std::string(32, 'c'));
  return stored;
}

RelayedEvent Expected(const storage::v1::StoredEvent& stored) {
  RelayedEvent want;
  want.set_cloud_event(stored.cloud_event());
  want.set_origin(stored.origin());
  want.set_accepted_time_nanos(stored.accepted_time_nanos());
  want.set_salt(stored.salt());
  want.set_commitment(stored.commitment());
  want.set_plane(stored.plane());
  want.set_classification(stored.classification());
  want.set_hops(stored.hops() + 1);
  *want.mutable_path() = stored.path();
  want.add_path("alpha.example");
  want.mutable_export_()->mutable_terms();
  // No statements: they go with what the commit has of its sender (transit_test).
  want.set_notes(stored.notes());
  return want;
}

void ExpectWritten(const storage::v1::StoredEvent& stored, const policy::Decision& decision,
                   const RelayedEvent& want) {
  const StoredRecord owner(stored);
  RelayWriter writer("alpha.example", nobody_signs);
  writer.Set(owner.record, decision);
  std::string events;
  writer.Append(&events);
  EXPECT_EQ(events.size(), writer.size());
  Batch whole;
  *whole.add_events() = want;
  EXPECT_EQ(events, whole.SerializeAsString()) << "byte for byte as protobuf writes it";
}

TEST(RelayWriterTest, LeavesOutWhatIsNotThere) {
  ExpectWritten(Stored(), policy::Decision(), Expected(Stored()));
}

TEST(RelayWriterTest, WritesEverythingThereIs) {
  storage::v1::StoredEvent stored = Stored();
  stored.set_plane("operations");
  stored.set_classification("TLP:AMBER");
  stored.set_hops(300);
  stored.add_path("gamma.example");
  stored.add_path("delta.example");
  stored.add_statements(std::string("\0binary", 7));
  stored.set_notes(5);
  policy::Decision decision;
  decision.terms = {.onward = 200, .classification = "TLP:RED", .groups = {"core@alpha.example"}};
  RelayedEvent want = Expected(stored);
  want.mutable_export_()->mutable_terms()->set_onward(200);
  want.mutable_export_()->mutable_terms()->set_classification("TLP:RED");
  want.mutable_export_()->mutable_terms()->add_groups("core@alpha.example");
  ExpectWritten(stored, decision, want);
}

TEST(RelayWriterTest, WritesTheEventAsItLeavesWithoutItsSalt) {
  policy::Outgoing outgoing;
  outgoing.cloud_event = "another cloud event";
  outgoing.withheld = {"/customData"};
  outgoing.substituted = {"/context/chainId", "/subject/content/user"};
  policy::Decision decision;
  decision.outgoing = &outgoing;
  RelayedEvent want = Expected(Stored());
  want.set_cloud_event("another cloud event");
  want.clear_salt();
  want.set_notes(event::kNoteRedacted | event::kNotePseudonymised);
  want.mutable_export_()->add_withheld("/customData");
  want.mutable_export_()->add_substituted("/context/chainId");
  want.mutable_export_()->add_substituted("/subject/content/user");
  ExpectWritten(Stored(), decision, want);
}

TEST(RelayWriterTest, PassesOnWhatEarlierSendersDid) {
  storage::v1::StoredEvent stored = Stored();
  stored.add_withheld("/customData");
  stored.add_substituted("/subject/content/user");
  RelayedEvent want = Expected(stored);
  want.mutable_export_()->add_withheld("/customData");
  want.mutable_export_()->add_substituted("/subject/content/user");
  ExpectWritten(stored, policy::Decision(), want);
}

TEST(RelayWriterTest, KeepsNothingOfTheEventBefore) {
  storage::v1::StoredEvent full = Stored();
  full.set_plane("operations");
  full.add_path("gamma.example");
  const StoredRecord first(full);
  const StoredRecord second(Stored());
  RelayWriter writer("alpha.example", nobody_signs);
  writer.Set(first.record, policy::Decision());
  writer.Set(second.record, policy::Decision());
  std::string events;
  writer.Append(&events);
  Batch whole;
  *whole.add_events() = Expected(Stored());
  EXPECT_EQ(events, whole.SerializeAsString());
}

}  // namespace
}  // namespace cdgate::test
