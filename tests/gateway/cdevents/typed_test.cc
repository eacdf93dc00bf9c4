#include "gateway/cdevents/typed.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cdevents/v1/core.pb.h"
#include "cdevents/v1/custom.pb.h"
#include "cdevents/v1/operations.pb.h"
#include "cdevents/v1/testing.pb.h"
#include "gateway/cdevents/faults.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_parser.h"
#include "tests/gateway/cdevents/official_events.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cdevents {
namespace {

namespace v1 = ::cdevents::v1;
using testing::HasSubstr;

const Form& FormOf(const std::string& json) {
  event::JsonParser parser;
  Envelope envelope;
  CDGATE_EXPECT_OK(parser.ParseIJson(json)) << json;
  EXPECT_EQ(Judge(parser.document(), &envelope), Verdict::kValid) << json;
  return *envelope.form;
}

std::unique_ptr<google::protobuf::Message> NewMessage(const Form& form) {
  auto* const factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<google::protobuf::Message>(factory->GetPrototype(form.message)->New());
}

// The digest of the canonical JSON: equal where two texts are equal as JSON.
std::string AsJson(const std::string& json) {
  const auto digest = event::CanonicalJsonDigest(json);
  CDGATE_EXPECT_OK(digest) << json;
  return digest.ok() ? *digest : "";
}

std::string ThereAndBack(const std::string& json) {
  const Form& form = FormOf(json);
  const auto message = NewMessage(form);
  TypedReader reader;
  CDGATE_EXPECT_OK(reader.Read(json, form, message.get())) << json;
  // Through the wire, as a client would get it.
  const auto again = NewMessage(form);
  EXPECT_TRUE(again->ParseFromString(message->SerializeAsString()));
  const auto written = WriteJson(*again, form.family);
  CDGATE_EXPECT_OK(written) << json;
  return written.ok() ? *written : "";
}

TEST(TypedTest, OfficialEventsComeBackEqual) {
  const auto events = test::OfficialEvents();
  if (events.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  for (const test::OfficialEvent& event : events) {
    const std::string back = ThereAndBack(event.json);
    EXPECT_EQ(AsJson(back), AsJson(event.json)) << event.release << " " << event.name << back;
  }
}

constexpr char kOdd[] = R"({
  "context": {"specversion": "0.5.1", "id": "\u00e9\ud83d\ude00\n", "source": "/s?a=%C3%A9",
    "type": "dev.cdevents.testcaserun.queued.0.3.0",
    "timestamp": "2024-12-18 17:58:39.674637507+0100", "links": [
      {"linkType": "RELATION", "linkKind": "K", "target": {"domainId": 5, "x": [1.0, 1e400]}},
      {"linkType": "PATH", "from": {"contextId": "c", "": null}, "tags": {"n": 12345678901234567890123}},
      {"linkType": "END"}]},
  "subject": {"id": "t", "source": "", "content": {
    "trigger": {"type": "manual", "a\"b": {"c": -0}, "z": 1.50, "\u0001": "\u2028"},
    "environment": {"id": "e"}, "testCase": {"id": "c", "name": ""}}},
  "customData": {"big": 123456789012345678901234567890, "one": 1.0, "e": 1E+2, "deep": [[{"k": []}]]},
  "customDataContentType": ""})";

TEST(TypedTest, KeepsWhatIsOpenWithItsDigits) {
  const std::string back = ThereAndBack(kOdd);
  EXPECT_EQ(AsJson(back), AsJson(kOdd)) << back;
  EXPECT_THAT(back, HasSubstr("123456789012345678901234567890"));
  EXPECT_THAT(back, HasSubstr("12345678901234567890123"));
  EXPECT_THAT(back, HasSubstr("1.50"));
  EXPECT_THAT(back, HasSubstr("1e400"));
  EXPECT_THAT(back, HasSubstr("2024-12-18 17:58:39.674637507+0100"));
}

// Names may be written with escapes, also the one that says what a link is.
TEST(TypedTest, ReadsNamesThatAreEscaped) {
  const std::string json = absl::StrReplaceAll(
      kOdd, {{"\"linkType\"", "\"link\\u0054ype\""}, {"\"from\"", "\"\\u0066rom\""}});
  EXPECT_EQ(AsJson(ThereAndBack(json)), AsJson(kOdd));
}

TEST(TypedTest, TellsEmptyFromAbsent) {
  v1::TestCaseRunQueued message;
  TypedReader reader;
  CDGATE_ASSERT_OK(reader.Read(kOdd, FormOf(kOdd), &message));
  EXPECT_TRUE(message.subject().has_source());
  EXPECT_TRUE(message.content().test_case().has_name());
  EXPECT_FALSE(message.content().test_case().has_version());
  EXPECT_TRUE(message.has_custom_data_content_type());
  EXPECT_EQ(message.context().links().links_size(), 3);
}

TEST(TypedTest, ANameOfAnotherReleaseIsTheSameField) {
  const std::string json = R"({"context": {"version": "0.4.0", "id": "1", "source": "/s",
      "type": "dev.cdevents.pipelinerun.queued.0.2.0", "timestamp": "2026-01-02T03:04:05Z",
      "chain_id": "c"},
      "subject": {"id": "r", "type": "pipelineRun", "content": {"url": "job/1"}}})";
  v1::PipelineRunQueued message;
  TypedReader reader;
  CDGATE_ASSERT_OK(reader.Read(json, FormOf(json), &message));
  EXPECT_EQ(message.content().uri(), "job/1");
  EXPECT_EQ(message.context().snake_chain_id(), "c");
  EXPECT_EQ(AsJson(ThereAndBack(json)), AsJson(json));
}

v1::PipelineRunFinished Finished() {
  v1::PipelineRunFinished event;
  event.mutable_context()->set_specversion("0.5.1");
  event.mutable_context()->set_id("e1");
  event.mutable_context()->set_source("/jenkins");
  event.mutable_context()->set_timestamp("2026-01-02T03:04:05Z");
  event.mutable_subject()->set_id("run");
  event.mutable_content()->set_outcome("success");
  return event;
}

TEST(TypedTest, WhatTheMessageSaysNeedNotBeSet) {
  EXPECT_EQ(
      *WriteJson(Finished(), Family::k05),
      R"({"context":{"specversion":"0.5.1","id":"e1","source":"/jenkins",)"
      R"("type":"dev.cdevents.pipelinerun.finished.0.3.0","timestamp":"2026-01-02T03:04:05Z"},)"
      R"("subject":{"id":"run","content":{"outcome":"success"}}})");
  v1::PipelineRunFinished older = Finished();
  older.mutable_context()->clear_specversion();
  older.mutable_context()->set_version("0.4.1");
  EXPECT_THAT(*WriteJson(older, Family::k041),
              testing::AllOf(HasSubstr(R"("type":"dev.cdevents.pipelinerun.finished.0.2.0")"),
                             HasSubstr(R"("subject":{"id":"run","type":"pipelineRun",)")));
}

TEST(TypedTest, NothingThatIsSetIsLost) {
  v1::PipelineRunFinished event = Finished();
  event.mutable_context()->set_version("0.4.1");
  EXPECT_THAT(WriteJson(event, Family::k05).status(),
              testing::AllOf(test::HasReason(base::Reason::kInvalidEvent),
                             test::MessageIs(HasSubstr("/context/version"))));
  event = Finished();
  event.mutable_subject()->set_type("pipelineRun");
  EXPECT_THAT(WriteJson(event, Family::k05).status(),
              test::MessageIs(HasSubstr("/subject/type: not in release 0.5.1")));
}

TEST(TypedTest, BytesHaveToBeObjects) {
  v1::PipelineRunFinished event = Finished();
  for (const char* const wrong :
       {"", "1", "[]", "{", "{}{}", "{\"a\":1},\"b\":{}", "1e400", "[1e400]", "{\"a\":1e400",
        "{\"a\":1e400},\"b\":{}", "{\"a\":01e400}", "{\"a\":1e400,\"b\":1.}", "{\"a\":1e400-1}",
        "{\"a\":1e400 1}", "{\"a\":true1e400}"}) {
    event.mutable_custom_data()->set_object(wrong);
    EXPECT_THAT(WriteJson(event, Family::k05).status(),
                test::MessageIs(HasSubstr("/customData: type object")))
        << wrong;
  }
}

TEST(TypedTest, NumbersInBytesHaveAnySize) {
  v1::PipelineRunFinished event = Finished();
  for (const char* const right : {R"({"a":1e400})", R"({"1e400\"":[-1E+400,{"b":0.5e-999}]})",
                                  R"({"a":123456789012345678901234567890})"}) {
    event.mutable_custom_data()->set_object(right);
    EXPECT_THAT(*WriteJson(event, Family::k05), HasSubstr(right));
  }
}

TEST(TypedTest, TheFamilyIsWhatTheEventDeclares) {
  v1::PipelineRunFinished event = Finished();
  EXPECT_EQ(*FamilyOf(event), Family::k05);
  event.mutable_context()->set_specversion("0.6.0-draft");
  EXPECT_EQ(*FamilyOf(event), Family::k06);
  event.mutable_context()->set_version("0.4.1");
  EXPECT_THAT(FamilyOf(event).status(), test::HasReason(base::Reason::kInvalidEvent));
  event.mutable_context()->clear_specversion();
  EXPECT_EQ(*FamilyOf(event), Family::k041);
  event.mutable_context()->set_version("0.3.0");
  EXPECT_EQ(*FamilyOf(event), Family::k03);
  // The type says more than what is declared.
  event.mutable_context()->set_type("dev.cdevents.pipelinerun.finished.0.2.0");
  EXPECT_EQ(*FamilyOf(event), Family::k041);
  v1::TicketCreated ticket;
  ticket.mutable_context()->set_version("0.3.0");
  EXPECT_THAT(FamilyOf(ticket).status(), test::HasReason(base::Reason::kInvalidEvent));
}

TEST(TypedTest, WhatWasNotJudgedIsRefused) {
  v1::PipelineRunFinished message;
  TypedReader reader;
  const Form& form = *Catalogue::Get().FindForm(message.GetDescriptor(), Family::k05);
  for (const char* const wrong :
       {"", "[]", "{\"context\": 1}", "{\"more\": 1}", "{\"subject\": {\"content\": []}}",
        "{\"context\": {\"id\": 1}}", "{\"context\": {\"links\": [{}]}}", "{\"context\": {",
        "{\"context\": {\"links\": [{\"linkType\": \"X\"}]}}"}) {
    EXPECT_FALSE(reader.Read(wrong, form, &message).ok()) << wrong;
  }
}

}  // namespace
}  // namespace cdgate::cdevents
