#include "gateway/event/cloud_event_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <string>

#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::event {
namespace {

using Proto = io::cloudevents::v1::CloudEvent;

std::string Deterministic(const Proto& proto) {
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  proto.SerializeToCodedStream(&coded);
  coded.Trim();
  return out;
}

// Renders what the generated parser read.
std::string Render(const Proto& proto) {
  const std::string bytes = proto.SerializeAsString();
  const CloudEventView view = *CloudEventView::Scan(bytes);
  CloudEventFields fields;
  fields.id = view.id();
  fields.source = view.source();
  fields.type = view.type();
  fields.data = view.data();
  view.ForEach([&](const AttributeView& a) { fields.attributes.push_back(a); });
  return RenderCloudEvent(&fields);
}

TEST(CloudEventWriterTest, WritesWhatAGeneratedMessageSerialisesTo) {
  Proto proto;
  proto.set_id("1");
  proto.set_source("/s");
  proto.set_spec_version("1.0");
  proto.set_type("t");
  auto& attributes = *proto.mutable_attributes();
  attributes["zz"].set_ce_boolean(false);
  attributes["b"].set_ce_boolean(true);
  attributes["i"].set_ce_integer(-5);
  attributes["i0"].set_ce_integer(0);
  attributes["s"].set_ce_string("é");
  attributes["s0"].set_ce_string("");
  attributes["y"].set_ce_bytes("\xff");
  attributes["u"].set_ce_uri("https://a");
  attributes["r"].set_ce_uri_ref(std::string(300, 'r'));
  attributes["t"].mutable_ce_timestamp()->set_seconds(-62135596800);
  attributes["t0"].mutable_ce_timestamp();
  attributes["t1"].mutable_ce_timestamp()->set_nanos(999'999'999);
  attributes["n"];
  proto.set_binary_data(std::string(20'000, 'd'));
  EXPECT_EQ(Render(proto), Deterministic(proto));
}

TEST(CloudEventWriterTest, WritesEmptyDataAndLeavesEmptyTextsOut) {
  Proto proto;
  proto.set_spec_version("1.0");
  proto.set_binary_data("");
  EXPECT_EQ(Render(proto), Deterministic(proto));
}

TEST(CloudEventWriterTest, OrderOfAttributesDoesNotMatter) {
  CloudEventFields a;
  a.attributes = {TextAttribute("x", "1"), TextAttribute("a", "2"), TimeAttribute("m", 3, 4)};
  CloudEventFields b;
  b.attributes = {TimeAttribute("m", 3, 4), TextAttribute("x", "1"), TextAttribute("a", "2")};
  EXPECT_EQ(RenderCloudEvent(&a), RenderCloudEvent(&b));
}

}  // namespace
}  // namespace cdgate::event
