#include "gateway/event/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::event {
namespace {

io::cloudevents::v1::CloudEvent SampleEvent(const std::string& id) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id(id);
  event.set_source("/alpha/jenkins");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.build.finished.0.3.0");
  auto& attributes = *event.mutable_attributes();
  attributes["subject"].set_ce_string("build/7");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  attributes["time"].mutable_ce_timestamp()->set_nanos(500'000'000);
  event.set_binary_data("{}");
  return event;
}

storage::v1::CommitRecord SampleCommit() {
  storage::v1::CommitRecord record;
  record.set_format_version(1);
  record.set_epoch("e1");
  record.set_number(3);
  record.set_first_sequence(41);
  record.set_commit_time_nanos(1767225601'000000000);
  for (const char* id : {"a", "b"}) {
    storage::v1::StoredEvent* stored = record.add_events();
    stored->set_cloud_event(SampleEvent(id).SerializeAsString());
    stored->set_origin("alpha.example");
  }
  return record;
}

void ExpectSample(const Commit& commit) {
  EXPECT_EQ(commit.number, 3u);
  EXPECT_EQ(commit.first_sequence, base::Sequence(41));
  EXPECT_EQ(commit.last_sequence, base::Sequence(42));
  EXPECT_EQ(commit.epoch, base::Epoch("e1"));
  EXPECT_EQ(commit.commit_time, absl::FromUnixSeconds(1767225601));
  ASSERT_EQ(commit.events.size(), 2u);
  const Record& record = commit.events[1];
  EXPECT_EQ(record.sequence(), base::Sequence(42));
  EXPECT_EQ(record.id(), "b");
  EXPECT_EQ(record.source(), "/alpha/jenkins");
  EXPECT_EQ(record.type(), "dev.cdevents.build.finished.0.3.0");
  EXPECT_EQ(record.subject(), "build/7");
  EXPECT_EQ(record.time_text(), "2026-01-01T00:00:00.5Z");
  EXPECT_EQ(record.data(), "{}");
  EXPECT_EQ(record.origin(), "alpha.example");
  EXPECT_GT(record.byte_size(), record.stored().cloud_event().size());
  EXPECT_GT(commit.byte_size, 2 * record.stored().cloud_event().size());
}

TEST(RecordTest, MakeCommitReadsWhatWasMovedIn) { ExpectSample(*MakeCommit(SampleCommit())); }

TEST(RecordTest, ParseCommitReadsSerialisedBytes) {
  // The bytes are gone when the commit is read: it owns its memory.
  absl::StatusOr<CommitPtr> commit = ParseCommit(SampleCommit().SerializeAsString());
  CDGATE_ASSERT_OK(commit);
  ExpectSample(**commit);
}

TEST(RecordTest, CommitWithoutEventsEndsBeforeItsFirstSequence) {
  storage::v1::CommitRecord record;
  record.set_first_sequence(41);
  EXPECT_EQ(MakeCommit(std::move(record))->last_sequence, base::Sequence(40));
}

TEST(RecordTest, InnerValuesWinOverKeptOuterOnes) {
  storage::v1::CommitRecord record = SampleCommit();
  record.mutable_events(0)->set_inner_id("inner");
  record.mutable_events(0)->set_inner_subject("inner subject");
  record.mutable_events(0)->set_inner_time("2026-01-02T03:04:05+01:00");
  const CommitPtr commit = MakeCommit(std::move(record));
  const Record& first = commit->events[0];
  EXPECT_EQ(first.id(), "inner");
  EXPECT_EQ(first.subject(), "inner subject");
  EXPECT_EQ(first.time_text(), "2026-01-02T02:04:05Z");
  EXPECT_EQ(first.cloud_event().id(), "a");
}

TEST(RecordTest, TimeSentAsTextIsRead) {
  io::cloudevents::v1::CloudEvent event = SampleEvent("a");
  (*event.mutable_attributes())["time"].set_ce_string("2026-01-02T03:04:05Z");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  EXPECT_EQ(test::StoredRecord(stored).record.time_text(), "2026-01-02T03:04:05Z");
}

TEST(RecordTest, ClassificationIsTheAttributeUnlessGatewaysStampedOne) {
  io::cloudevents::v1::CloudEvent event = SampleEvent("a");
  auto& label = (*event.mutable_attributes())["dataclassification"];
  label.set_ce_string("internal");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  EXPECT_EQ(test::StoredRecord(stored).record.classification(), "internal");
  // The same where the data is first, which is not the form that serialisers write.
  io::cloudevents::v1::CloudEvent data;
  data.set_binary_data("{}");
  event.clear_data();
  stored.set_cloud_event(data.SerializeAsString() + event.SerializeAsString());
  EXPECT_EQ(test::StoredRecord(stored).record.classification(), "internal");
  stored.set_classification("TLP:RED");
  EXPECT_EQ(test::StoredRecord(stored).record.classification(), "TLP:RED");
}

TEST(RecordTest, ClassificationThatIsNoTextIsNone) {
  io::cloudevents::v1::CloudEvent event = SampleEvent("a");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  EXPECT_EQ(test::StoredRecord(stored).record.classification(), "");
  (*event.mutable_attributes())["dataclassification"].set_ce_bytes("internal");
  stored.set_cloud_event(event.SerializeAsString());
  EXPECT_EQ(test::StoredRecord(stored).record.classification(), "");
}

TEST(RecordTest, BytesThatAreNoCloudEventLeaveTheFieldsEmpty) {
  storage::v1::StoredEvent stored;
  stored.set_cloud_event("\xff\xff");
  const test::StoredRecord owner(stored);
  const Record& record = owner.record;
  EXPECT_EQ(record.id(), "");
  EXPECT_EQ(record.type(), "");
  EXPECT_EQ(record.data(), "");
}

TEST(RecordTest, ParseCommitRefusesWhatIsNone) {
  EXPECT_THAT(ParseCommit("\xff\xff"), test::HasReason(base::Reason::kLogCorrupt));
}

TEST(RecordTest, ParseCommitRefusesNewerFormat) {
  storage::v1::CommitRecord record = SampleCommit();
  record.set_format_version(2);
  EXPECT_THAT(ParseCommit(record.SerializeAsString()),
              test::HasReason(base::Reason::kLogFormatNewer));
}

}  // namespace
}  // namespace cdgate::event
