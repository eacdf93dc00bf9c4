#include "gateway/webhook/push_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/event/structured_json.h"
#include "gateway/http/ce_header.h"
#include "tests/support/status_matchers.h"

namespace cdgate::webhook {
namespace {

using admin::v1::PUSH_FORMAT_BINARY;
using admin::v1::PUSH_FORMAT_STRUCTURED;
using testing::Contains;
using testing::Not;
using testing::StartsWith;

constexpr char kData[] = "{\"context\": {\"id\":\"e1\"},\n \"n\": 1.50, \"u\":\"\\u00fc\"}";

events::v1::DeliveredEvent Event() {
  events::v1::DeliveredEvent delivered;
  delivered.set_sequence(42);
  delivered.set_attempt(3);
  auto& event = *delivered.mutable_event();
  event.set_id("e 1%");
  event.set_source("/ci/\xc3\xbc\"x\"");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.build.finished.0.3.0");
  event.set_binary_data(kData);
  auto& attributes = *event.mutable_attributes();
  attributes["datacontenttype"].set_ce_string("application/json");
  attributes["subject"].set_ce_string("pkg:oci/a@sha256%3Aab");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767323045);
  attributes["time"].mutable_ce_timestamp()->set_nanos(500'000'000);
  attributes["flag"].set_ce_boolean(true);
  attributes["count"].set_ce_integer(-7);
  attributes["blob"].set_ce_bytes(std::string("\x00\xff", 2));
  attributes["schema"].set_ce_uri("https://s.example/a b");
  return delivered;
}

TEST(PushRequestTest, BinaryHasAttributesAsHeaderFields) {
  const PushBody push = BodyOf(Event(), PUSH_FORMAT_BINARY);
  EXPECT_EQ(push.body, kData);
  for (const char* field :
       {"ce-specversion: 1.0", "ce-id: e%201%25", "ce-source: /ci/%C3%BC%22x%22",
        "ce-type: dev.cdevents.build.finished.0.3.0", "ce-subject: pkg:oci/a@sha256%253Aab",
        "ce-time: 2026-01-02T03:04:05.5Z", "ce-flag: true", "ce-count: -7",
        "ce-blob: AP8=", "ce-schema: https://s.example/a%20b", "Content-Type: application/json",
        "Cdgate-Sequence: 42", "Cdgate-Attempt: 3"}) {
    EXPECT_THAT(push.fields, Contains(field));
  }
  EXPECT_THAT(push.fields, Not(Contains(StartsWith("ce-datacontenttype"))));
  EXPECT_THAT(push.fields, Not(Contains(StartsWith("Cdgate-Not-Converted"))));
}

TEST(PushRequestTest, WhatIsEncodedTheIngressDecodes) {
  for (const std::string text :
       {"", "plain", "a b\tc", "\"quoted\"", "100%", "%41", "\xe2\x82\xac \xf0\x9f\x98\x80"}) {
    if (text.find('\t') != std::string::npos) continue;  // no attribute has a control character
    const auto decoded = http::DecodeCeHeader("ce-x", EncodeCeHeader(text));
    CDGATE_ASSERT_OK(decoded);
    EXPECT_EQ(*decoded, text);
  }
}

TEST(PushRequestTest, NothingEndsAHeaderField) {
  events::v1::DeliveredEvent delivered = Event();
  delivered.mutable_event()->set_id("a\r\nX-Evil: 1");
  (*delivered.mutable_event()->mutable_attributes())["datacontenttype"].set_ce_string(
      "application/json\r\nX-Evil: 1");
  delivered.set_not_converted("line\none");
  const PushBody push = BodyOf(delivered, PUSH_FORMAT_BINARY);
  for (const std::string& field : push.fields) {
    EXPECT_EQ(field.find_first_of("\r\n"), std::string::npos) << field;
  }
  EXPECT_THAT(push.fields, Contains("Content-Type: application/json"));
  EXPECT_THAT(push.fields, Contains("Cdgate-Not-Converted: line%0Aone"));
}

TEST(PushRequestTest, StructuredIsReadBackAsItWas) {
  const events::v1::DeliveredEvent delivered = Event();
  const PushBody push = BodyOf(delivered, PUSH_FORMAT_STRUCTURED);
  EXPECT_THAT(push.fields, Contains("Content-Type: application/cloudevents+json"));
  EXPECT_THAT(push.fields, Contains("Cdgate-Attempt: 3"));
  EXPECT_THAT(push.fields, Not(Contains(StartsWith("ce-"))));
  event::StructuredReader reader;
  io::cloudevents::v1::CloudEvent read;
  CDGATE_ASSERT_OK(reader.Read(push.body, &read));
  EXPECT_EQ(read.id(), "e 1%");
  EXPECT_EQ(read.source(), delivered.event().source());
  EXPECT_EQ(read.binary_data(), kData);
  EXPECT_EQ(read.attributes().at("count").ce_integer(), -7);
  EXPECT_TRUE(read.attributes().at("flag").ce_boolean());
  EXPECT_EQ(read.attributes().at("blob").ce_string(), "AP8=");
}

TEST(PushRequestTest, DataThatIsNoJsonIsInBase64) {
  events::v1::DeliveredEvent delivered = Event();
  (*delivered.mutable_event()->mutable_attributes())["datacontenttype"].set_ce_string(
      "application/octet-stream");
  delivered.mutable_event()->set_binary_data(std::string("\x00\x01", 2));
  const PushBody push = BodyOf(delivered, PUSH_FORMAT_STRUCTURED);
  EXPECT_THAT(push.body, testing::HasSubstr("\"data_base64\":\"AAE=\""));
}

}  // namespace
}  // namespace cdgate::webhook
