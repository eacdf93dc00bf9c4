// Every mode of the binding, and what real producers send instead of it.
#include "gateway/http/ingress_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gateway/event/valid_event.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/status_matchers.h"

namespace cdgate::http {
namespace {

using base::Reason;
using io::cloudevents::v1::CloudEvent;
using test::SampleJson;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kType[] = "dev.cdevents.build.queued.0.2.0";
constexpr char kSource[] = "/alpha/jenkins/1";

using Fields = std::vector<std::pair<std::string, std::string>>;

HttpHead HeadOf(const Fields& fields) {
  HttpHead head;
  head.method = "POST";
  head.path = "/";
  for (const auto& [name, value] : fields) head.fields.push_back({name, value});
  return head;
}

Fields Binary(const std::string& id) {
  return {{"content-type", "application/json"},
          {"ce-specversion", "1.0"},
          {"ce-id", id},
          {"ce-source", kSource},
          {"ce-type", kType}};
}

Fields With(Fields fields, const std::string& name, const std::string& value) {
  fields.emplace_back(name, value);
  return fields;
}

std::string Structured(const std::string& id, const std::string& version = "1.0",
                       const std::string& extra = "") {
  return absl::StrCat("{\"specversion\":\"", version, "\",\"id\":\"outer\",\"source\":\"", kSource,
                      "\",\"type\":\"", kType, "\",\"datacontenttype\":\"application/json\",",
                      extra, "\"data\":", SampleJson(id), "}");
}

class IngressRequestTest : public testing::Test {
 protected:
  absl::StatusOr<IngressEvents> Read(const Fields& fields, const std::string& body) {
    return reader_.Read(HeadOf(fields), body);
  }
  // Of a request with one event: that event.
  IngressEvent One(const Fields& fields, const std::string& body) {
    auto read = Read(fields, body);
    EXPECT_THAT(read, test::IsOk());
    if (!read.ok()) return {"", "", "", read.status()};
    EXPECT_EQ(read->events.size(), 1u);
    return read->events.front();
  }
  CloudEvent ProtoOf(const IngressEvent& event) {
    CloudEvent proto;
    EXPECT_THAT(event.status, test::IsOk());
    EXPECT_TRUE(proto.ParseFromString(event.cloud_event));
    return proto;
  }
  // What admission makes of it.
  absl::StatusOr<event::ValidEvent> Admit(const IngressEvent& event) {
    if (!event.status.ok()) return event.status;
    return admitter_.Admit(event.cloud_event);
  }

  RequestReader reader_;
  event::Admitter admitter_;
};

TEST_F(IngressRequestTest, BinaryModeKeepsTheBodyVerbatim) {
  const std::string body = absl::StrCat("  ", SampleJson("1"), "\n");
  const CloudEvent proto = ProtoOf(One(With(Binary("1"), "ce-myext", "x%20y"), body));
  EXPECT_EQ(proto.binary_data(), body);
  EXPECT_EQ(proto.id(), "1");
  EXPECT_EQ(proto.spec_version(), "1.0");
  EXPECT_EQ(proto.attributes().at("datacontenttype").ce_string(), "application/json");
  EXPECT_EQ(proto.attributes().at("myext").ce_string(), "x y");
}

TEST_F(IngressRequestTest, BinaryAttributesAreDecodedOnceAndTyped) {
  Fields fields = With(Binary("1"), "ce-subject", "pkg:oci/a@sha256%253Aab");
  fields = With(fields, "ce-time", "2025-05-20T10:15:42.5Z");
  fields = With(fields, "ce-dataschema", "https://cdevents.dev/s");
  const CloudEvent proto = ProtoOf(One(fields, SampleJson("1")));
  EXPECT_EQ(proto.attributes().at("subject").ce_string(), "pkg:oci/a@sha256%3Aab");
  EXPECT_EQ(proto.attributes().at("time").ce_timestamp().nanos(), 500'000'000);
  EXPECT_EQ(proto.attributes().at("dataschema").ce_uri(), "https://cdevents.dev/s");
}

TEST_F(IngressRequestTest, MissingTimeAndSubjectAreTheCdEventsOwn) {
  const IngressEvent event = One(Binary("1"), SampleJson("1"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const event::ValidEvent valid, Admit(event));
  EXPECT_FALSE(valid.subject().empty());
  EXPECT_EQ(valid.notes(), 0u);
}

TEST_F(IngressRequestTest, ARandomIdIsReplacedAndTheAnswerNamesTheRealOne) {
  const IngressEvent event = One(Binary("d9b2d63d-a233-4123-847a-7090a4b8d2a3"), SampleJson("1"));
  EXPECT_EQ(event.id, "1");
  EXPECT_EQ(event.source, kSource);
  CDGATE_ASSERT_OK_AND_ASSIGN(const event::ValidEvent valid, Admit(event));
  EXPECT_EQ(valid.id(), "1");
  EXPECT_NE(valid.notes(), 0u);
}

TEST_F(IngressRequestTest, AnotherSourceOrTypeIsRefusedByAdmission) {
  Fields fields = Binary("1");
  fields[3].second = "/somewhere/else";
  EXPECT_THAT(Admit(One(fields, SampleJson("1"))), test::HasReason(Reason::kEnvelopeMismatch));
}

TEST_F(IngressRequestTest, BinaryFaultsAreNamed) {
  const auto fault = [this](const Fields& fields) { return One(fields, SampleJson("1")).status; };
  Fields without = Binary("1");
  without.erase(without.begin() + 1);
  EXPECT_THAT(fault(without),
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("ce-specversion")));
  EXPECT_THAT(fault(With(Binary("1"), "ce-subject", "100%")),
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("ce-subject")));
  EXPECT_THAT(fault(With(Binary("1"), "ce-id", "2")),
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("twice")));
  EXPECT_THAT(fault(With(Binary("1"), "ce-time", "yesterday")),
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("time")));
  EXPECT_THAT(fault(With(Binary("1"), "ce-datacontenttype", "application/json")),
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("Content-Type")));
}

TEST_F(IngressRequestTest, BinaryFaultsThatAdmissionFinds) {
  EXPECT_THAT(Admit(One(With(Binary("1"), "ce-my-ext", "x"), SampleJson("1"))),
              test::HasReason(Reason::kInvalidCloudEvent));
  EXPECT_THAT(Admit(One(With(Binary("1"), "ce-cdgatehops", "1"), SampleJson("1"))),
              test::HasReason(Reason::kReservedAttribute));
  Fields xml = Binary("1");
  xml[0].second = "application/xml";
  EXPECT_THAT(Admit(One(xml, SampleJson("1"))), test::HasReason(Reason::kInvalidCloudEvent));
  EXPECT_THAT(Admit(One(Binary("1"), "")), test::HasReason(Reason::kInvalidJson));
}

TEST_F(IngressRequestTest, StructuredModeByHeaderAndByShape) {
  for (const char* type :
       {"application/cloudevents+json", "application/cloudevents+json; charset=UTF-8",
        "Application/CloudEvents+JSON", "application/json", "application/json; charset=\"utf-8\"",
        ""}) {
    Fields fields;
    if (*type != '\0') fields.emplace_back("content-type", type);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, Read(fields, Structured("1")));
    EXPECT_EQ(read.mode, IngressMode::kStructured) << type;
    const CloudEvent proto = ProtoOf(read.events.front());
    EXPECT_EQ(proto.binary_data(), SampleJson("1"));
    EXPECT_EQ(proto.id(), "outer");
    EXPECT_EQ(read.events.front().id, "1");
  }
}

TEST_F(IngressRequestTest, TheContentTypeGoesBeforeCeFields) {
  Fields fields = Binary("1");
  fields[0].second = "application/cloudevents+json";
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, Read(fields, Structured("1")));
  EXPECT_EQ(read.mode, IngressMode::kStructured);
}

TEST_F(IngressRequestTest, ABareCdEventGetsTheEnvelopeOfTheBinding) {
  for (const char* type : {"application/json", "application/vnd.cdevents+json", ""}) {
    Fields fields;
    if (*type != '\0') fields.emplace_back("content-type", type);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, Read(fields, SampleJson("1")));
    EXPECT_EQ(read.mode, IngressMode::kRaw);
    CDGATE_ASSERT_OK_AND_ASSIGN(const event::ValidEvent valid, Admit(read.events.front()));
    CDGATE_ASSERT_OK_AND_ASSIGN(const event::ValidEvent direct,
                                admitter_.AdmitCdEventJson(SampleJson("1")));
    EXPECT_EQ(valid.cloud_event(), direct.cloud_event());
    EXPECT_EQ(valid.data(), SampleJson("1"));
  }
}

TEST_F(IngressRequestTest, ABareCdEventWithAFaultIsRefusedWithItsId) {
  const IngressEvent event =
      One({{"content-type", "application/json"}}, R"({"context":{"id":"7"},"subject":{}})");
  EXPECT_THAT(event.status, test::HasReason(Reason::kInvalidEvent));
  EXPECT_EQ(event.id, "7");
}

TEST_F(IngressRequestTest, Version03IsReadAs10) {
  const CloudEvent proto = ProtoOf(One(
      {{"content-type", "application/json"}},
      Structured("1", "0.3",
                 "\"schemaurl\":\"https://cdevents.dev/s\",\"time\":\"2025-05-20T10:15:42Z\",")));
  EXPECT_EQ(proto.spec_version(), "1.0");
  EXPECT_EQ(proto.attributes().at("dataschema").ce_uri(), "https://cdevents.dev/s");
  EXPECT_EQ(proto.attributes().count("schemaurl"), 0u);
  Fields fields = Binary("1");
  fields[1].second = "0.3";
  CDGATE_EXPECT_OK(Admit(One(fields, SampleJson("1"))).status());
}

TEST_F(IngressRequestTest, Version03IsNotReadWhereThatChangesWhatItSays) {
  const Fields json = {{"content-type", "application/json"}};
  EXPECT_THAT(One(json, Structured("1", "0.3", "\"dssematerial\":\"YQ==\",")).status,
              test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("dssematerial")));
  EXPECT_THAT(One(json, Structured("1", "0.3", "\"datacontentencoding\":\"base64\",")).status,
              test::HasReason(Reason::kInvalidCloudEvent));
  for (const char* version : {"0.1", "0.2", "2.0", ""}) {
    EXPECT_THAT(Admit(One(json, Structured("1", version))),
                test::HasReason(Reason::kInvalidCloudEvent));
  }
}

TEST_F(IngressRequestTest, ABatchIsJudgedMemberByMember) {
  const std::string body = absl::StrCat("[", Structured("1"), " , {\"a\":1,\"a\":2},\n",
                                        SampleJson("3"), ",{\"specversion\":\"1.0\"}]");
  for (const char* type : {"application/cloudevents-batch+json", "application/json"}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, Read({{"content-type", type}}, body));
    EXPECT_EQ(read.mode, IngressMode::kBatch);
    ASSERT_EQ(read.events.size(), 4u);
    EXPECT_EQ(ProtoOf(read.events[0]).binary_data(), SampleJson("1"));
    EXPECT_THAT(read.events[1].status, test::HasReason(Reason::kAmbiguousJson));
    EXPECT_EQ(ProtoOf(read.events[2]).binary_data(), SampleJson("3"));
    EXPECT_THAT(read.events[3].status, test::HasReason(Reason::kUnsupportedData));
  }
}

TEST_F(IngressRequestTest, NumbersOfAnySizeAreTakenInABatchAsAlone) {
  const std::string large = absl::StrReplaceAll(
      SampleJson("1"), {{"{\"context\"",
                         "{\"customData\":{\"n\":123456789012345678901234567890,\"m\":1e400},"
                         "\"context\""}});
  ASSERT_THAT(large, HasSubstr("1e400"));
  CDGATE_ASSERT_OK(Admit(One({{"content-type", "application/json"}}, large)).status());
  const std::string structured =
      absl::StrCat("{\"specversion\":\"1.0\",\"id\":\"outer\",\"source\":\"", kSource,
                   "\",\"type\":\"", kType, "\",\"data\":", large, "}");
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto read, Read({{"content-type", "application/cloudevents-batch+json"}},
                            absl::StrCat("[", SampleJson("2"), ",", large, ",", structured, "]")));
  ASSERT_EQ(read.events.size(), 3u);
  for (const IngressEvent& event : read.events) CDGATE_EXPECT_OK(Admit(event).status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const event::ValidEvent valid, Admit(read.events[1]));
  EXPECT_EQ(valid.data(), large);
}

TEST_F(IngressRequestTest, AnEmptyBatchHasNoEvents) {
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto read, Read({{"content-type", "application/cloudevents-batch+json"}}, "[ ]"));
  EXPECT_TRUE(read.events.empty());
}

TEST_F(IngressRequestTest, ABatchThatIsNoneIsRefusedAsAWhole) {
  const Fields batch = {{"content-type", "application/cloudevents-batch+json"}};
  for (const std::string& body :
       {std::string(""), std::string("{}"), std::string("[1]"), std::string("[{}"),
        std::string("[{} {}]"), std::string("[{}],[]"), std::string("[[{}]]"), std::string("[{},]"),
        std::string("\xef\xbb\xbf[}")}) {
    EXPECT_THAT(Read(batch, body), test::HasReason(Reason::kInvalidJson)) << body;
  }
  const std::string many =
      absl::StrCat("[{}", absl::StrJoin(std::vector<std::string>(1000, ",{}"), ""), "]");
  EXPECT_THAT(Read(batch, many), test::HasReason(Reason::kTooLarge));
}

TEST_F(IngressRequestTest, ProtobufFormsAreTaken) {
  const std::string event = test::SampleCloudEvent(SampleJson("1"));
  EXPECT_EQ(
      ProtoOf(One({{"content-type", "application/cloudevents+protobuf"}}, event)).binary_data(),
      SampleJson("1"));
  io::cloudevents::v1::CloudEventBatch batch;
  ASSERT_TRUE(batch.add_events()->ParseFromString(event));
  ASSERT_TRUE(batch.add_events()->ParseFromString(event));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read,
                              Read({{"content-type", "application/cloudevents-batch+protobuf"}},
                                   batch.SerializeAsString()));
  EXPECT_EQ(read.events.size(), 2u);
  EXPECT_THAT(One({{"content-type", "application/cloudevents+protobuf"}}, "\xff").status,
              test::HasReason(Reason::kInvalidCloudEvent));
}

TEST_F(IngressRequestTest, EventsOfAProtobufBatchAreCountedFirst) {
  const Fields fields = {{"content-type", "application/cloudevents-batch+protobuf"}};
  std::string empty;
  for (int i = 0; i < 1000; ++i) empty += std::string("\x0a\x00", 2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto read, Read(fields, empty));
  EXPECT_EQ(read.events.size(), 1000u);
  EXPECT_THAT(Read(fields, empty + std::string("\x0a\x00", 2)), test::HasReason(Reason::kTooLarge));
  // Counting comes before parsing: the parser would refuse the last byte.
  EXPECT_THAT(Read(fields, empty + std::string("\x0a\x00\xff", 3)),
              test::HasReason(Reason::kTooLarge));
  // A group, which the parser would pass over.
  EXPECT_THAT(Read(fields, absl::StrCat("\x13\x14", empty, empty)),
              test::HasReason(Reason::kInvalidCloudEvent));
}

TEST_F(IngressRequestTest, AContentTypeThatIsNotAsciiIsRefused) {
  for (const char* type : {"application/json; x=\xc3\xa4", "application/json; x=\xff"}) {
    Fields fields = Binary("1");
    fields[0].second = type;
    testing::internal::CaptureStderr();
    const IngressEvent event = One(fields, SampleJson("1"));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_THAT(event.status,
                test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr("Content-Type")));
    EXPECT_EQ(event.id, "1");
  }
}

TEST_F(IngressRequestTest, AJavaToStringIsRefusedWithAnExplanation) {
  const std::string body =
      "CloudEvent{id='4d2f', source=job/x/1/, type='dev.cdevents.pipelinerun.started.0.1.0', "
      "data=BytesCloudEventData{value=[123, 34]}, extensions={}}";
  for (const char* type : {"application/json", "application/cloudevents+json"}) {
    auto read = Read({{"content-type", type}}, body);
    const absl::Status status = read.ok() ? read->events.front().status : read.status();
    EXPECT_THAT(status, test::HasReasonAndMessage(Reason::kInvalidJson, HasSubstr("Jenkins")));
  }
}

TEST_F(IngressRequestTest, OtherMediaTypesAreRefusedWithTheRemedy) {
  for (const Fields& fields :
       {Fields{{"content-type", "application/x-www-form-urlencoded"}},
        Fields{{"content-type", "text/plain"}},
        Fields{{"content-type", "application/json; charset=iso-8859-1"}},
        Fields{{"content-type", "application/cloudevents+xml"}},
        Fields{{"content-type", "application/cloudevents-batch+avro"}},
        Fields{{"content-type", "application/json"}, {"content-encoding", "gzip"}},
        Fields{{"content-type", "application/json"}, {"content-type", "text/plain"}}}) {
    EXPECT_THAT(
        Read(fields, SampleJson("1")),
        test::HasReasonAndMessage(Reason::kMediaTypeUnsupported, HasSubstr("application/json")));
  }
}

TEST_F(IngressRequestTest, WhatIsNotIJsonIsRefused) {
  const Fields json = {{"content-type", "application/json"}};
  EXPECT_THAT(Read(json, "\xef\xbb\xbf{}"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Read(json, "{\"context\":1,\"context\":2}"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Read(json, "{"), test::HasReason(Reason::kInvalidJson));
  EXPECT_THAT(Read(json, ""), test::HasReason(Reason::kInvalidJson));
}

}  // namespace
}  // namespace cdgate::http
