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
  absl::StatusOr<CommitPtr> commit = ParseCommit(OwnedBytes(SampleCommit().SerializeAsString()));
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

TEST(RecordTest, RegulationIsTheAttribute) {
  io::cloudevents::v1::CloudEvent event = SampleEvent("a");
  storage::v1::StoredEvent stored;
  const auto regulation = [&] {
    stored.set_cloud_event(event.SerializeAsString());
    return std::string(test::StoredRecord(stored).record.regulation());
  };
  EXPECT_EQ(regulation(), "");
  (*event.mutable_attributes())["dataregulation"].set_ce_string("GDPR,HIPAA");
  EXPECT_EQ(regulation(), "GDPR,HIPAA");
  (*event.mutable_attributes())["dataregulation"].set_ce_integer(5);
  EXPECT_EQ(regulation(), kNoRegulation);
}

void ExpectSame(const Record& a, const Record& b) {
  EXPECT_EQ(a.sequence(), b.sequence());
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.source(), b.source());
  EXPECT_EQ(a.type(), b.type());
  EXPECT_EQ(a.subject(), b.subject());
  EXPECT_EQ(a.time(), b.time());
  EXPECT_EQ(a.data(), b.data());
  EXPECT_EQ(a.origin(), b.origin());
  EXPECT_EQ(a.classification(), b.classification());
  EXPECT_EQ(a.regulation(), b.regulation());
  EXPECT_EQ(a.accept_time(), b.accept_time());
  EXPECT_EQ(a.byte_size(), b.byte_size());
  EXPECT_EQ(a.cloud_event().spec_version(), b.cloud_event().spec_version());
  EXPECT_EQ(a.cloud_event().bytes(), b.cloud_event().bytes());
  EXPECT_EQ(a.cloud_event().Find("subject")->text, b.cloud_event().Find("subject")->text);
  EXPECT_EQ(a.stored().bytes(), b.stored().bytes());
  EXPECT_EQ(a.stored().received_from(), b.stored().received_from());
  EXPECT_EQ(a.stored().import_rule(), b.stored().import_rule());
}

bool IsWithin(absl::string_view part, absl::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

TEST(RecordTest, ReadBeforeItsBytesMovedItIsAsReadAfter) {
  storage::v1::StoredEvent stored;
  stored.set_origin("alpha.example");
  stored.set_received_from("alpha.example");
  stored.set_accepted_time_nanos(1767225601'000000000);
  for (const bool inner : {false, true}) {
    io::cloudevents::v1::CloudEvent event = SampleEvent("a");
    (*event.mutable_attributes())["dataclassification"].set_ce_string("internal");
    (*event.mutable_attributes())["dataregulation"].set_ce_string("GDPR");
    stored.set_cloud_event(event.SerializeAsString());
    if (inner) {
      stored.set_inner_id("inner");
      stored.set_inner_subject("inner subject");
      stored.set_inner_time("2026-02-03T04:05:06Z");
    }
    std::string before = stored.SerializeAsString();
    const Record read(base::Sequence(0), before);
    OwnedBytes stored_bytes(before);
    AppendImport("rule@3", "", &stored_bytes);
    const absl::string_view bytes = stored_bytes;
    Record moved = read;
    moved.Move(base::Sequence(7), bytes);
    before.assign(before.size(), 'x');  // nothing points there any more
    ExpectSame(moved, Record(base::Sequence(7), bytes));
    EXPECT_EQ(moved.stored().import_rule(), "rule@3");
    for (const absl::string_view view : {moved.id(), moved.subject(), moved.data(), moved.type(),
                                         moved.classification(), moved.cloud_event().bytes()}) {
      EXPECT_TRUE(IsWithin(view, bytes)) << view;
    }
  }
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
  EXPECT_THAT(ParseCommit(OwnedBytes("\xff\xff")), test::HasReason(base::Reason::kLogCorrupt));
}

TEST(RecordTest, ParseCommitRefusesNewerFormat) {
  storage::v1::CommitRecord record = SampleCommit();
  record.set_format_version(2);
  EXPECT_THAT(ParseCommit(OwnedBytes(record.SerializeAsString())),
              test::HasReason(base::Reason::kLogFormatNewer));
}

}  // namespace
}  // namespace cdgate::event
