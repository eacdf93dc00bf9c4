#include "gateway/delivery/converter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/event/digests.h"
#include "gateway/event/valid_event.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::delivery {
namespace {

using testing::HasSubstr;
using testing::IsNull;

constexpr char kJson[] =
    R"({"context":{"version":"0.4.1","id":"e1","source":"/s",)"
    R"("type":"dev.cdevents.pipelinerun.queued.0.2.0","timestamp":"2026-01-02T03:04:05Z"},)"
    R"("subject":{"id":"r","type":"pipelineRun","content":{"url":"https://ci.example/1"}}})";

// A stored event, and the record of it.
struct Stored {
  explicit Stored(const std::string& json) {
    event::Admitter admitter;
    auto outer = admitter.AdmitCdEventJson(json);
    CDGATE_EXPECT_OK(outer);
    io::cloudevents::v1::CloudEvent event;
    EXPECT_TRUE(event.ParseFromString(std::string(outer->cloud_event())));
    (*event.mutable_attributes())["dssematerial"].set_ce_bytes("{}");
    (*event.mutable_attributes())["dataschema"].set_ce_uri("https://x.example/s");
    (*event.mutable_attributes())["team"].set_ce_string("blue");
    auto valid = admitter.Admit(event.SerializeAsString());
    CDGATE_EXPECT_OK(valid);
    event::StoredFields fields;
    fields.origin = "alpha.example";
    bytes = std::move(*valid).IntoStored(fields);
  }
  event::Record record() const { return event::Record(base::Sequence(1), bytes.view()); }
  event::OwnedBytes bytes;
};

TEST(ConverterTest, ConvertsAndSaysSo) {
  const Stored stored(kJson);
  auto converter = Converter::Make("0.5.1");
  CDGATE_ASSERT_OK(converter);
  const event::Record record = stored.record();
  const Rendition* const rendition = converter->Render(record);
  ASSERT_NE(rendition, nullptr);
  EXPECT_EQ(rendition->converted_from, "dev.cdevents.pipelinerun.queued.0.2.0");
  EXPECT_EQ(rendition->not_converted, "");
  io::cloudevents::v1::CloudEvent event;
  ASSERT_TRUE(event.ParseFromString(rendition->cloud_event));
  EXPECT_EQ(event.type(), "dev.cdevents.pipelinerun.queued.0.3.0");
  EXPECT_EQ(event.id(), "e1");
  EXPECT_THAT(event.binary_data(), HasSubstr(R"("uri":"https://ci.example/1")"));
  EXPECT_EQ(event.attributes().at("cdgateconvertedfrom").ce_string(),
            "dev.cdevents.pipelinerun.queued.0.2.0");
  EXPECT_EQ(event.attributes().at("team").ce_string(), "blue");
  // What speaks of the published bytes is gone.
  EXPECT_EQ(event.attributes().count("dssematerial"), 0u);
  EXPECT_EQ(event.attributes().count("dataschema"), 0u);
}

TEST(ConverterTest, WhatCannotBeConvertedIsDeliveredAsItIsWithTheReason) {
  const Stored stored(absl::StrReplaceAll(kJson, {{"https://ci.example/1", "job/1"}}));
  auto converter = Converter::Make("0.5.1");
  CDGATE_ASSERT_OK(converter);
  const event::Record record = stored.record();
  const Rendition* const rendition = converter->Render(record);
  ASSERT_NE(rendition, nullptr);
  EXPECT_EQ(rendition->cloud_event, "");
  EXPECT_EQ(rendition->converted_from, "");
  EXPECT_THAT(rendition->not_converted, HasSubstr("/subject/content/uri: format uri"));
}

TEST(ConverterTest, LeavesAloneWhatNeedNotBeConverted) {
  const Stored stored(kJson);
  const event::Record record = stored.record();
  EXPECT_THAT(Converter().Render(record), IsNull());
  auto none = Converter::Make("");
  CDGATE_ASSERT_OK(none);
  EXPECT_THAT(none->Render(record), IsNull());
  auto same = Converter::Make("0.4.1");
  CDGATE_ASSERT_OK(same);
  EXPECT_THAT(same->Render(record), IsNull());
}

TEST(ConverterTest, OtherReleasesAreRefused) {
  EXPECT_THAT(Converter::Make("0.3.0").status(),
              test::HasReasonAndMessage(base::Reason::kInvalidArgument, HasSubstr("convert_to")));
}

}  // namespace
}  // namespace cdgate::delivery
