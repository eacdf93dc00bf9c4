#include "gateway/event/structured_json.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using base::Reason;
using io::cloudevents::v1::CloudEvent;
using testing::HasSubstr;

class StructuredReaderTest : public testing::Test {
 protected:
  CloudEvent Read(const std::string& json) {
    CloudEvent event;
    CDGATE_EXPECT_OK(reader_.Read(json, &event)) << json;
    return event;
  }
  absl::Status Fault(const std::string& json) {
    CloudEvent event;
    return reader_.Read(json, &event);
  }

  StructuredReader reader_;
};

TEST_F(StructuredReaderTest, ReadsEveryKindOfAttribute) {
  const CloudEvent event = Read(R"({
    "specversion": "1.0", "id": "e1", "source": "/a", "type": "dev.cdevents.x",
    "subject": "s", "time": "2026-01-02T03:04:05.5+01:00", "datacontenttype": "application/json",
    "dataschema": "https://example.org/s", "sampledrate": -7, "urgent": true, "gone": null,
    "data": {}})");
  EXPECT_EQ(event.id(), "e1");
  EXPECT_EQ(event.source(), "/a");
  EXPECT_EQ(event.type(), "dev.cdevents.x");
  EXPECT_EQ(event.spec_version(), "1.0");
  EXPECT_EQ(event.attributes().at("subject").ce_string(), "s");
  EXPECT_EQ(event.attributes().at("time").ce_timestamp().seconds(), 1767319445);
  EXPECT_EQ(event.attributes().at("time").ce_timestamp().nanos(), 500000000);
  EXPECT_EQ(event.attributes().at("dataschema").ce_uri(), "https://example.org/s");
  EXPECT_EQ(event.attributes().at("sampledrate").ce_integer(), -7);
  EXPECT_TRUE(event.attributes().at("urgent").ce_boolean());
  EXPECT_EQ(event.attributes().count("gone"), 0u);
  EXPECT_EQ(event.attributes().size(), 6u);
}

TEST_F(StructuredReaderTest, KeepsTheBytesOfTheData) {
  const std::string data = "{ \"n\": 1.0e2,\n\t\"u\": \"\\u00e9é\", \"l\": [ 1, {\"x\":{}} ] }";
  EXPECT_EQ(Read(R"({"data": )" + data + R"(  , "specversion":"1.0"})").binary_data(), data);
  EXPECT_EQ(Read(R"({"specversion":"1.0","data":)" + data + "}").binary_data(), data);
}

TEST_F(StructuredReaderTest, TakesDataInBase64) {
  EXPECT_EQ(Read(R"({"specversion":"1.0","data_base64":"eyJhIjoxfQ=="})").binary_data(),
            R"({"a":1})");
}

TEST_F(StructuredReaderTest, NeedsExactlyOneKindOfData) {
  for (const char* json :
       {R"({"specversion":"1.0"})", R"({"specversion":"1.0","data":null})",
        R"({"specversion":"1.0","data":"{}"})", R"({"specversion":"1.0","data":[1]})",
        R"({"specversion":"1.0","data":{},"data_base64":"e30="})",
        R"({"specversion":"1.0","data_base64":"%"})", R"({"specversion":"1.0","data_base64":5})"}) {
    EXPECT_THAT(Fault(json), test::HasReason(Reason::kUnsupportedData)) << json;
  }
}

TEST_F(StructuredReaderTest, NamesTheAttributeThatIsWrong) {
  const struct {
    const char* json;
    const char* named;
  } cases[] = {{R"({"id":5,"data":{}})", "attribute id is not a string"},
               {R"({"time":"yesterday","data":{}})", "attribute time is not a timestamp"},
               {R"({"x":1.5,"data":{}})", "attribute x is not"},
               {R"({"x":2147483648,"data":{}})", "attribute x is not"},
               {R"({"x":{},"data":{}})", "attribute x is not"}};
  for (const auto& c : cases) {
    EXPECT_THAT(Fault(c.json),
                test::HasReasonAndMessage(Reason::kInvalidCloudEvent, HasSubstr(c.named)));
  }
}

TEST_F(StructuredReaderTest, TwoReadersCannotDisagree) {
  EXPECT_THAT(Fault(R"({"id":"a","id":"b","data":{}})"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Fault(R"({"data":{},"data":{"a":1}})"), test::HasReason(Reason::kAmbiguousJson));
  EXPECT_THAT(Fault(R"({"data":{})"), test::HasReason(Reason::kInvalidJson));
  EXPECT_THAT(Fault("[]"), test::HasReason(Reason::kInvalidCloudEvent));
}

TEST(LooksStructuredTest, TellsAnEnvelopeFromABareCdEvent) {
  JsonParser parser;
  EXPECT_TRUE(LooksStructured(*parser.ParseIJson(R"({"specversion":"1.0","data":{}})")));
  EXPECT_FALSE(LooksStructured(*parser.ParseIJson(R"({"context":{},"subject":{}})")));
  EXPECT_FALSE(LooksStructured(*parser.ParseIJson("[1]")));
}

}  // namespace
}  // namespace cdgate::event
