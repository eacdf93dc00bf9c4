#include "gateway/event/valid_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cdevents/v1/event.pb.h"
#include "gateway/event/record.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::event {
namespace {

using base::Reason;
using Proto = io::cloudevents::v1::CloudEvent;
using testing::HasSubstr;

constexpr char kData[] = R"({
  "context": {"version": "0.4.1", "id": "id-1", "source": "/alpha/jenkins",
    "type": "dev.cdevents.build.finished.0.2.0", "timestamp": "2026-01-02T03:04:05.5+01:00"},
  "subject": {"id": "build/7", "type": "build", "content": {"artifactId": "pkg:oci/a@sha256%3Aab"}},
  "customData": {"n": 9007199254740993, "x": 1.0}
})";

// An event whose envelope is what the binding asks for.
Proto Good(const std::string& data = kData) {
  Proto proto;
  proto.set_id("id-1");
  proto.set_source("/alpha/jenkins");
  proto.set_spec_version("1.0");
  proto.set_type("dev.cdevents.build.finished.0.2.0");
  auto& attributes = *proto.mutable_attributes();
  attributes["subject"].set_ce_string("build/7");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767319445);
  attributes["time"].mutable_ce_timestamp()->set_nanos(500'000'000);
  attributes["datacontenttype"].set_ce_string("application/json");
  attributes["traceparent"].set_ce_string(
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  proto.set_binary_data(data);
  return proto;
}

absl::StatusOr<ValidEvent> Admit(const Proto& proto) {
  Admitter admitter;
  return admitter.Admit(proto.SerializeAsString());
}

Proto Canonical(const ValidEvent& event) {
  Proto proto;
  EXPECT_TRUE(proto.ParseFromString(std::string(event.cloud_event())));
  return proto;
}

storage::v1::StoredEvent Stored(ValidEvent event) {
  return test::ParseStored(std::move(event).IntoStored({}));
}

// kData with `from` replaced.
std::string DataWith(const std::string& from, const std::string& to) {
  const std::string data = absl::StrReplaceAll(kData, {{from, to}});
  EXPECT_NE(data, kData) << from;
  return data;
}

TEST(ValidEventTest, AdmitsAndKeepsTheDataVerbatim) {
  const auto event = Admit(Good());
  CDGATE_ASSERT_OK(event);
  EXPECT_EQ(event->id(), "id-1");
  EXPECT_EQ(event->source(), "/alpha/jenkins");
  EXPECT_EQ(event->type(), "dev.cdevents.build.finished.0.2.0");
  EXPECT_EQ(event->subject(), "build/7");
  EXPECT_EQ(absl::ToUnixMillis(event->time()), 1767319445500);
  EXPECT_EQ(event->data(), kData);
  EXPECT_EQ(event->notes(), 0u);
  EXPECT_EQ(std::string(event->content_digest().begin(), event->content_digest().end()),
            crypto::Sha256(kData));
  const Proto canonical = Canonical(*event);
  EXPECT_EQ(canonical.binary_data(), kData);
  EXPECT_EQ(canonical.SerializeAsString().size(), Good().SerializeAsString().size());
  EXPECT_EQ(canonical.attributes_size(), 4);
}

TEST(ValidEventTest, ViewsSurviveCopyAndMove) {
  auto first = Admit(Good());
  CDGATE_ASSERT_OK(first);
  const ValidEvent copy = *first;
  const ValidEvent moved = *std::move(first);
  EXPECT_EQ(copy.subject(), "build/7");
  EXPECT_EQ(moved.subject(), "build/7");
  EXPECT_NE(copy.subject().data(), moved.subject().data());
}

TEST(ValidEventTest, SameEventGivesTheSameBytesWhateverTheEnvelope) {
  Proto text = Good();
  text.set_text_data(kData);
  Proto bare = Good();
  bare.mutable_attributes()->erase("subject");
  bare.mutable_attributes()->erase("time");
  const auto a = Admit(Good());
  const auto b = Admit(text);
  const auto c = Admit(bare);
  CDGATE_ASSERT_OK(b);
  CDGATE_ASSERT_OK(c);
  EXPECT_EQ(a->cloud_event(), b->cloud_event());
  EXPECT_EQ(a->cloud_event(), c->cloud_event());
  EXPECT_EQ(c->notes(), 0u);  // absent is not a disagreement
}

TEST(ValidEventTest, OuterIdSubjectAndTimeThatDisagreeAreNotedAndReplaced) {
  const std::function<void(Proto*)> kChanges[] = {
      [](Proto* p) { p->set_id("random"); },
      [](Proto* p) { (*p->mutable_attributes())["subject"].set_ce_string("other"); },
      [](Proto* p) { (*p->mutable_attributes())["subject"].set_ce_integer(7); },
      [](Proto* p) { (*p->mutable_attributes())["time"].mutable_ce_timestamp()->set_nanos(0); },
      [](Proto* p) { (*p->mutable_attributes())["time"].set_ce_string("yesterday"); },
      [](Proto* p) { (*p->mutable_attributes())["time"].set_ce_boolean(true); },
  };
  const auto good = Admit(Good());
  for (const auto& change : kChanges) {
    Proto proto = Good();
    change(&proto);
    const auto event = Admit(proto);
    CDGATE_ASSERT_OK(event);
    EXPECT_EQ(event->notes(), kNoteOuterDisagrees);
    EXPECT_EQ(event->cloud_event(), good->cloud_event());
    const storage::v1::StoredEvent stored = Stored(*event);
    EXPECT_EQ(stored.inner_id() + stored.inner_subject() + stored.inner_time(), "");
  }
}

TEST(ValidEventTest, TimeAsTextOfTheSameInstantAgrees) {
  Proto proto = Good();
  (*proto.mutable_attributes())["time"].set_ce_string("2026-01-02T02:04:05.50Z");
  EXPECT_EQ(Admit(proto)->notes(), 0u);
  EXPECT_EQ(Admit(proto)->cloud_event(), Admit(Good())->cloud_event());
}

TEST(ValidEventTest, SignedEnvelopeIsKeptAndTheInnerValuesAreBesideIt) {
  Proto proto = Good();
  (*proto.mutable_attributes())["dssematerial"].set_ce_bytes("{}");
  proto.set_id("random");
  proto.mutable_attributes()->erase("subject");
  (*proto.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(5);
  const auto event = Admit(proto);
  CDGATE_ASSERT_OK(event);
  EXPECT_EQ(event->notes(), kNoteOuterDisagrees);
  EXPECT_EQ(event->id(), "id-1");
  EXPECT_EQ(event->subject(), "build/7");
  const storage::v1::StoredEvent stored = Stored(*event);
  EXPECT_EQ(stored.inner_id(), "id-1");
  EXPECT_EQ(stored.inner_subject(), "build/7");
  EXPECT_EQ(stored.inner_time(), "2026-01-02T03:04:05.5+01:00");
  const Proto canonical = Canonical(*event);
  EXPECT_EQ(canonical.id(), "random");
  EXPECT_EQ(canonical.attributes().count("subject"), 0u);
  EXPECT_EQ(canonical.attributes().at("time").ce_timestamp().seconds(), 5);
  const test::StoredRecord owner(stored);
  const Record& record = owner.record;
  EXPECT_EQ(record.id(), "id-1");
  EXPECT_EQ(record.subject(), "build/7");
  EXPECT_EQ(record.time_text(), "2026-01-02T02:04:05.5Z");
}

TEST(ValidEventTest, SignedEnvelopeThatAgreesNeedsNothingBeside) {
  Proto proto = Good();
  (*proto.mutable_attributes())["dssematerial"].set_ce_bytes("{}");
  const auto event = Admit(proto);
  CDGATE_ASSERT_OK(event);
  EXPECT_EQ(event->notes(), 0u);
  const storage::v1::StoredEvent stored = Stored(*event);
  EXPECT_EQ(stored.inner_id() + stored.inner_subject() + stored.inner_time(), "");
  EXPECT_EQ(stored.content_digest(), crypto::Sha256(kData));
  EXPECT_EQ(test::StoredRecord(stored).record.subject(), "build/7");
}

TEST(ValidEventTest, OuterTypeOrSourceThatContradictsIsRefused) {
  Proto proto = Good();
  proto.set_type("dev.cdevents.build.started.0.2.0");
  EXPECT_THAT(Admit(proto),
              test::HasReasonAndMessage(Reason::kEnvelopeMismatch, HasSubstr("type")));
  proto = Good();
  proto.set_source("/alpha/jenkins/");
  EXPECT_THAT(Admit(proto),
              test::HasReasonAndMessage(Reason::kEnvelopeMismatch, HasSubstr("source")));
}

TEST(ValidEventTest, RefusesWhatIsNoCloudEvent10) {
  const struct {
    const char* name;
    std::function<void(Proto*)> change;
    Reason reason;
  } kCases[] = {
      {"CloudEvents 0.3", [](Proto* p) { p->set_spec_version("0.3"); }, Reason::kInvalidCloudEvent},
      {"CDEvents version", [](Proto* p) { p->set_spec_version("0.5.1"); },
       Reason::kInvalidCloudEvent},
      {"no version", [](Proto* p) { p->clear_spec_version(); }, Reason::kInvalidCloudEvent},
      {"no id", [](Proto* p) { p->clear_id(); }, Reason::kInvalidCloudEvent},
      {"no source", [](Proto* p) { p->clear_source(); }, Reason::kInvalidCloudEvent},
      {"no type", [](Proto* p) { p->clear_type(); }, Reason::kInvalidCloudEvent},
      {"no data", [](Proto* p) { p->clear_binary_data(); }, Reason::kUnsupportedData},
      {"proto data", [](Proto* p) { p->mutable_proto_data(); }, Reason::kUnsupportedData},
      {"empty data", [](Proto* p) { p->set_binary_data(""); }, Reason::kInvalidJson},
      {"reserved", [](Proto* p) { (*p->mutable_attributes())["cdgatehops"].set_ce_integer(1); },
       Reason::kReservedAttribute},
      {"reserved, misspelt",
       [](Proto* p) { (*p->mutable_attributes())["cdgate-hops"].set_ce_integer(1); },
       Reason::kReservedAttribute},
      {"name of Open Cluster Management",
       [](Proto* p) { (*p->mutable_attributes())["ce-subject"].set_ce_string("s"); },
       Reason::kInvalidCloudEvent},
      {"upper case", [](Proto* p) { (*p->mutable_attributes())["Team"].set_ce_string("s"); },
       Reason::kInvalidCloudEvent},
      {"empty name", [](Proto* p) { (*p->mutable_attributes())[""].set_ce_string("s"); },
       Reason::kInvalidCloudEvent},
      {"second id", [](Proto* p) { (*p->mutable_attributes())["id"].set_ce_string("s"); },
       Reason::kInvalidCloudEvent},
      {"second type", [](Proto* p) { (*p->mutable_attributes())["type"].set_ce_string("s"); },
       Reason::kInvalidCloudEvent},
      {"no value", [](Proto* p) { (*p->mutable_attributes())["team"]; },
       Reason::kInvalidCloudEvent},
      {"XML",
       [](Proto* p) { (*p->mutable_attributes())["datacontenttype"].set_ce_string("text/xml"); },
       Reason::kInvalidCloudEvent},
      {"content type of another kind",
       [](Proto* p) { (*p->mutable_attributes())["datacontenttype"].set_ce_integer(1); },
       Reason::kInvalidCloudEvent},
  };
  for (const auto& c : kCases) {
    Proto proto = Good();
    c.change(&proto);
    EXPECT_THAT(Admit(proto), test::HasReason(c.reason)) << c.name;
  }
  Admitter admitter;
  EXPECT_THAT(admitter.Admit("\xff"), test::HasReason(Reason::kInvalidCloudEvent));
}

TEST(ValidEventTest, AdmitsTheJsonContentTypesInUse) {
  for (const char* type : {"application/json", "application/json; charset=utf-8", "text/json",
                           "application/cloudevents+json", "Application/JSON ;q=1"}) {
    Proto proto = Good();
    (*proto.mutable_attributes())["datacontenttype"].set_ce_string(type);
    CDGATE_EXPECT_OK(Admit(proto)) << type;
  }
}

// A type that no release has is noted; whether it may enter, admission decides.
TEST(ValidEventTest, NotesATypeThatNoReleaseHas) {
  for (const std::string type : {"dev.cdevents.build.finished.9.9.9", "com.example.ping.0.1.0"}) {
    Proto proto = Good(DataWith("dev.cdevents.build.finished.0.2.0", type));
    proto.set_type(type);
    const auto event = Admit(proto);
    CDGATE_ASSERT_OK(event) << type;
    EXPECT_EQ(event->notes() & kNoteUnknownType, kNoteUnknownType);
    EXPECT_EQ(event->type(), type);
  }
}

TEST(ValidEventTest, ATypedEventBecomesJson) {
  ::cdevents::v1::BuildFinished typed;
  typed.mutable_context()->set_specversion("0.5.1");
  typed.mutable_context()->set_id("id-1");
  typed.mutable_context()->set_source("/alpha/jenkins");
  typed.mutable_context()->set_timestamp("2026-01-02T03:04:05.5+01:00");
  typed.mutable_subject()->set_id("build/7");
  typed.mutable_content()->set_artifact_id("");
  Proto proto = Good();
  proto.set_type("dev.cdevents.build.finished.0.3.0");
  (*proto.mutable_attributes())["datacontenttype"].set_ce_string("application/protobuf");
  (*proto.mutable_attributes())["dataschema"].set_ce_uri("type.googleapis.com/x");
  proto.mutable_proto_data()->PackFrom(typed);
  constexpr char kJson[] =
      R"({"context":{"specversion":"0.5.1","id":"id-1","source":"/alpha/jenkins",)"
      R"("type":"dev.cdevents.build.finished.0.3.0","timestamp":"2026-01-02T03:04:05.5+01:00"},)"
      R"("subject":{"id":"build/7","content":{"artifactId":""}}})";
  const auto event = Admit(proto);
  CDGATE_ASSERT_OK(event);
  EXPECT_EQ(event->data(), kJson);
  Proto stored;
  ASSERT_TRUE(stored.ParseFromString(std::string(event->cloud_event())));
  EXPECT_EQ(stored.attributes().at("datacontenttype").ce_string(), "application/json");
  EXPECT_EQ(stored.attributes().count("dataschema"), 0u);
  // Wrapped, it is the same event.
  ::cdevents::v1::CdEvent any;
  *any.mutable_build_finished() = typed;
  proto.mutable_proto_data()->PackFrom(any);
  EXPECT_EQ(Admit(proto)->data(), kJson);
}

TEST(ValidEventTest, ATypedEventIsJudgedLikeAnyOther) {
  ::cdevents::v1::BuildFinished typed;
  typed.mutable_context()->set_specversion("0.5.1");
  Proto proto = Good();
  proto.mutable_proto_data()->PackFrom(typed);
  EXPECT_THAT(Admit(proto),
              test::HasReasonAndMessage(Reason::kInvalidEvent, HasSubstr("/context/id: required")));
  proto.mutable_proto_data()->PackFrom(::cdevents::v1::CdEvent());
  EXPECT_THAT(Admit(proto), test::HasReason(Reason::kUnsupportedData));
  proto.mutable_proto_data()->PackFrom(::cdevents::v1::Context());
  EXPECT_THAT(Admit(proto), test::HasReason(Reason::kUnsupportedData));
  proto.mutable_proto_data()->PackFrom(Good());
  EXPECT_THAT(Admit(proto), test::HasReason(Reason::kUnsupportedData));
  proto.mutable_proto_data()->set_type_url("type.googleapis.com/cdevents.v1.NoSuchThing");
  EXPECT_THAT(Admit(proto), test::HasReason(Reason::kUnsupportedData));
  proto.mutable_proto_data()->PackFrom(typed);
  proto.mutable_proto_data()->mutable_value()->append("\xff\xff");
  EXPECT_THAT(Admit(proto), test::HasReason(Reason::kUnsupportedData));
  // What a signature covers is bytes that nobody sent.
  proto.mutable_proto_data()->PackFrom(typed);
  (*proto.mutable_attributes())["dssematerial"].set_ce_bytes("{}");
  EXPECT_THAT(Admit(proto),
              test::HasReasonAndMessage(Reason::kUnsupportedData, HasSubstr("dssematerial")));
}

TEST(ValidEventTest, EveryFaultOfTheCdEventNamesItsPath) {
  const struct {
    std::string from, to;
    const char* message;
  } kCases[] = {
      {"\"id\": \"id-1\"", "\"id\": \"\"", "/context/id: minLength 1"},
      {"\"id\": \"id-1\"", "\"id\": null", "/context/id: type string, found null"},
      {"\"id\": \"id-1\"", "\"id\": 1", "/context/id: type string, found 1"},
      {"\"id\": \"id-1\"", "\"id\": \"a\\u0000b\"", "/context/id: no control characters"},
      {"\"id\": \"id-1\"", "\"id\": \"a\\u0085b\"", "/context/id: no control characters"},
      {"\"id\": \"id-1\", ", "", "/context/id: required"},
      {"\"source\": \"/alpha/jenkins\",", "", "/context/source: required"},
      {"\"type\": \"dev.cdevents.build.finished.0.2.0\", ", "", "/context/type: required"},
      {"2026-01-02T03:04:05.5+01:00", "2026-01-02 03:04:05",
       "/context/timestamp: format date-time"},
      {"2026-01-02T03:04:05.5+01:00", "0000-01-02T03:04:05Z",
       "/context/timestamp: years 1 to 9999"},
      {"\"2026-01-02T03:04:05.5+01:00\"", "[]", "/context/timestamp: type string, found []"},
      {"\"version\": \"0.4.1\", ", "", "/context/version: required"},
      {"\"version\": \"0.4.1\"", "\"version\": \"0.4.1\", \"specversion\": \"0.5.1\"",
       "/context/specversion: additionalProperties"},
      {"\"version\": \"0.4.1\"", "\"version\": \"\"", "/context/version: minLength 1"},
      {"\"version\": \"0.4.1\"", "\"specversion\": 1", "/context/specversion: additionalProp"},
      {"\"subject\": {", "\"subject\": null, \"x\": {", "/subject: type object, found null"},
      {"\"subject\": {", "\"Subject\": {", "/Subject: additionalProperties"},
      {"\"context\": {", "\"context\": true, \"x\": {", "/context: type object, found true"},
      {"\"id\": \"build/7\", ", "", "/subject/id: required"},
      {"\"id\": \"build/7\"", "\"id\": \"\"", "/subject/id: minLength 1"},
      {"\"content\": {\"artifactId\": \"pkg:oci/a@sha256%3Aab\"}", "\"content\": []",
       "/subject/content: type object, found []"},
      {", \"content\": {\"artifactId\": \"pkg:oci/a@sha256%3Aab\"}", "",
       "/subject/content: required"},
      {"\"customData\": {\"n\": 9007199254740993, \"x\": 1.0}", "\"customData\": null",
       "/customData: type object|string, found null"},
      {"\"customData\": {\"n\": 9007199254740993, \"x\": 1.0}", "\"customData\": [1]",
       "/customData: type object|string, found […]"},
      {"\"customData\": {\"n\": 9007199254740993, \"x\": 1.0}", "\"customDataContentType\": 1",
       "/customDataContentType: type string, found 1"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(Admit(Good(DataWith(c.from, c.to))),
                test::HasReasonAndMessage(Reason::kInvalidEvent, HasSubstr(c.message)))
        << c.from << " -> " << c.to;
  }
  for (const char* data : {"[]", "\"x\"", "1", "null"}) {
    EXPECT_THAT(Admit(Good(data)), test::HasReason(Reason::kInvalidEvent)) << data;
  }
  EXPECT_THAT(Admit(Good("{}")),
              test::HasReasonAndMessage(Reason::kInvalidEvent, HasSubstr("/context: required")));
}

TEST(ValidEventTest, AdmitsWhatSomeTypeOrReleaseAllows) {
  const struct {
    std::string from, to;
  } kCases[] = {
      {"\"version\": \"0.4.1\"", "\"version\": \"banana\""},
      {"\"version\": \"0.4.1\"", "\"version\": \"0.4.1\", \"chainId\": \"x\", \"links\": []"},
      {"\"content\": {\"artifactId\": \"pkg:oci/a@sha256%3Aab\"}", "\"content\": {}"},
      {"\"customData\": {\"n\": 9007199254740993, \"x\": 1.0}", "\"customData\": \"not base64!\""},
      {"\"customData\": {\"n\": 9007199254740993, \"x\": 1.0}", "\"customDataContentType\": \"\""},
      {"9007199254740993", "123456789012345678901234567890e500"},
      {"build/7", "\\u0062uild\\/7"},
  };
  for (const auto& c : kCases) {
    const auto event = Admit(Good(DataWith(c.from, c.to)));
    CDGATE_ASSERT_OK(event) << c.to;
    EXPECT_EQ(event->notes(), 0u) << c.to;
  }
}

TEST(ValidEventTest, AmbiguousDataIsRefusedWhereverItIs) {
  EXPECT_THAT(Admit(Good(DataWith("\"x\": 1.0", "\"n\": 1.0"))),
              test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Admit(Good(DataWith("\"id\": \"id-1\"", "\"id\": \"id-1\", \"i\\u0064\": \"id-2\""))),
              test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Admit(Good(absl::StrCat("\xef\xbb\xbf", kData))),
              test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Admit(Good(absl::StrCat(kData, kData))), test::HasReason(Reason::kInvalidJson));
}

TEST(ValidEventTest, SizeLimitIsOnTheEventAsItCame) {
  const std::string bytes = Good().SerializeAsString();
  Admitter enough({.max_event_bytes = bytes.size()});
  CDGATE_EXPECT_OK(enough.Admit(bytes));
  Admitter small({.max_event_bytes = bytes.size() - 1});
  EXPECT_THAT(small.Admit(bytes), test::HasReason(Reason::kTooLarge));
  EXPECT_THAT(small.AdmitCdEventJson(std::string(bytes.size(), ' ')),
              test::HasReason(Reason::kTooLarge));
}

TEST(ValidEventTest, CdEventWithoutAnEnvelopeGetsTheOneOfTheBinding) {
  Admitter admitter;
  const auto event = admitter.AdmitCdEventJson(kData);
  CDGATE_ASSERT_OK(event);
  Proto want = Good();
  want.mutable_attributes()->erase("traceparent");
  EXPECT_EQ(event->cloud_event(), Admit(want)->cloud_event());
  EXPECT_EQ(event->notes(), 0u);
  EXPECT_THAT(admitter.AdmitCdEventJson("{}"), test::HasReason(Reason::kInvalidEvent));
}

TEST(ValidEventTest, AdmittingTheCanonicalFormAgainChangesNothing) {
  const auto first = Admit(Good());
  Admitter admitter;
  const auto again = admitter.Admit(first->cloud_event());
  CDGATE_ASSERT_OK(again);
  EXPECT_EQ(again->cloud_event(), first->cloud_event());
  EXPECT_EQ(again->notes(), 0u);
}

// Refused ones among them get no digest, and take none from their neighbours.
TEST(ValidEventTest, AdmittingSeveralGivesWhatAdmittingEachDoes) {
  std::vector<std::string> events;
  for (int i = 0; i < 70; ++i) {
    const std::string other = absl::StrReplaceAll(kData, {{"90071992547", absl::StrCat(i)}});
    events.push_back(i % 5 == 3 ? "no event" : Good(other).SerializeAsString());
  }
  Admitter admitter;
  const auto all = admitter.AdmitAll(std::vector<absl::string_view>(events.begin(), events.end()));
  ASSERT_EQ(all.size(), events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    const auto alone = Admitter().Admit(events[i]);
    ASSERT_EQ(all[i].status(), alone.status()) << i;
    if (!alone.ok()) continue;
    EXPECT_EQ(all[i]->content_digest(), alone->content_digest()) << i;
    EXPECT_EQ(all[i]->cloud_event(), alone->cloud_event()) << i;
  }
  EXPECT_TRUE(admitter.AdmitAll({}).empty());
}

TEST(ValidEventTest, FieldsMayPointIntoTheEvent) {
  Proto proto = Good();
  (*proto.mutable_attributes())["dataclassification"].set_ce_string("TLP:GREEN");
  for (const size_t publisher : {10, 1000}) {  // with room for it, and without
    Admitter admitter;
    ValidEvent event = *admitter.Admit(proto.SerializeAsString());
    StoredFields fields;
    fields.classification = event.classification();
    const std::string name(publisher, 'p');
    fields.publisher = name;
    const auto stored = test::ParseStored(std::move(event).IntoStored(fields));
    EXPECT_EQ(stored.classification(), "TLP:GREEN");
    EXPECT_EQ(stored.publisher(), name);
    EXPECT_EQ(stored.content_digest(), crypto::Sha256(kData));
  }
}

TEST(ValidEventTest, RepeatedAttributeOnTheWireCountsOnce) {
  Proto last = Good();
  (*last.mutable_attributes())["team"].set_ce_string("last");
  Proto first = Good();
  (*first.mutable_attributes())["team"].set_ce_string("first");
  Admitter admitter;
  const auto event = admitter.Admit(first.SerializeAsString() + last.SerializeAsString());
  CDGATE_ASSERT_OK(event);
  EXPECT_EQ(event->cloud_event(), Admit(last)->cloud_event());
}

}  // namespace
}  // namespace cdgate::event
