#include "gateway/event/plain_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gateway/event/cloud_event_writer.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::event {
namespace {

using Proto = io::cloudevents::v1::CloudEvent;

// Every kind of attribute, and a length and numbers that need several bytes.
Proto Sample() {
  Proto proto;
  proto.set_id("1");
  proto.set_source("/s");
  proto.set_spec_version("1.0");
  proto.set_type("t");
  auto& attributes = *proto.mutable_attributes();
  attributes["b0"].set_ce_boolean(false);
  attributes["b1"].set_ce_boolean(true);
  attributes["i"].set_ce_integer(-5);
  attributes["i0"].set_ce_integer(0);
  attributes["i9"].set_ce_integer(2'000'000'000);
  attributes["s"].set_ce_string("é");
  attributes["s0"].set_ce_string("");
  attributes["y"].set_ce_bytes("\xff");
  attributes["u"].set_ce_uri("https://a");
  attributes["r"].set_ce_uri_ref(std::string(300, 'r'));
  attributes["t"].mutable_ce_timestamp()->set_seconds(-62135596800);
  attributes["t0"].mutable_ce_timestamp();
  attributes["t1"].mutable_ce_timestamp()->set_nanos(999'999'999);
  attributes["subject"].set_ce_string("x");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1'767'225'600);
  attributes["time"].mutable_ce_timestamp()->set_nanos(-1);
  proto.set_binary_data(std::string(20'000, 'd'));
  return proto;
}

bool ReadPlain(absl::string_view bytes, CloudEventFields* fields) {
  PlainReader reader(bytes);
  if (!reader.ReadHead()) return false;
  fields->id = reader.id();
  fields->source = reader.source();
  fields->type = reader.type();
  AttributeView attribute;
  while (reader.NextAttribute(&attribute)) fields->attributes.push_back(attribute);
  return reader.ReadData(&fields->data);
}

std::string RenderView(const CloudEventView& view) {
  CloudEventFields fields;
  fields.id = view.id();
  fields.source = view.source();
  fields.type = view.type();
  fields.data = view.data();
  view.ForEach([&](const AttributeView& a) { fields.attributes.push_back(a); });
  return RenderCloudEvent(&fields);
}

// Whether the bytes are plain; where they are, that the view reads the same of them.
bool IsPlain(const std::string& bytes) {
  CloudEventFields fields;
  if (!ReadPlain(bytes, &fields)) return false;
  CloudEventView view;
  if (!view.Assign(bytes)) return true;  // texts are not judged
  EXPECT_EQ(view.spec_version(), "1.0");
  EXPECT_EQ(view.data_kind(), DataKind::kBinary);
  std::vector<std::string> names;
  for (const AttributeView& a : fields.attributes) names.emplace_back(a.name);
  const bool sorted = std::is_sorted(names.begin(), names.end());
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) return true;
  const std::string rendered = RenderCloudEvent(&fields);
  EXPECT_EQ(rendered, RenderView(view));
  EXPECT_EQ(rendered == bytes, sorted);
  return true;
}

TEST(PlainReaderTest, ReadsWhatAGeneratedMessageSerialisesTo) {
  const std::string bytes = Sample().SerializeAsString();
  EXPECT_TRUE(IsPlain(bytes));
  CloudEventFields fields;
  ASSERT_TRUE(ReadPlain(bytes, &fields));
  EXPECT_EQ(fields.attributes.size(), 15u);
  EXPECT_TRUE(IsPlain(RenderCloudEvent(&fields)));
}

TEST(PlainReaderTest, EventWithoutAttributesIsPlain) {
  Proto proto = Sample();
  proto.clear_attributes();
  EXPECT_TRUE(IsPlain(proto.SerializeAsString()));
}

TEST(PlainReaderTest, WhatAnEventHasBesidesIsNotPlain) {
  const std::string bytes = Sample().SerializeAsString();
  const auto changed = [](const std::function<void(Proto*)>& change) {
    Proto proto = Sample();
    change(&proto);
    return proto.SerializeAsString();
  };
  EXPECT_FALSE(IsPlain(""));
  EXPECT_FALSE(IsPlain(bytes + "\x0a\x01"
                               "2"));  // id again
  EXPECT_FALSE(IsPlain(bytes.substr(3) + bytes.substr(0, 3)));
  EXPECT_FALSE(IsPlain(bytes + std::string("\x48\x00", 2)));  // a field of number 9
  EXPECT_FALSE(IsPlain(bytes.substr(0, bytes.size() - 1)));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->clear_id(); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->clear_source(); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->clear_type(); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->set_spec_version("1.1"); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->clear_binary_data(); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->set_text_data("{}"); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { p->mutable_proto_data(); })));
  EXPECT_FALSE(IsPlain(changed([](Proto* p) { (*p->mutable_attributes())["n"]; })));
}

// An event with one attribute of these bytes, fewer than 128.
std::string WithEntry(const std::string& entry) {
  return "\x0a\x01"
         "1\x12\x01"
         "s\x1a\x03"
         "1.0\x22\x01t\x2a" +
         std::string(1, static_cast<char>(entry.size())) + entry + "\x32\x02{}";
}

// One with this value.
std::string WithValue(const std::string& value) {
  return WithEntry(std::string("\x0a\x01n\x12", 4) + static_cast<char>(value.size()) + value);
}

TEST(PlainReaderTest, OtherSpellingsOfTheSameValueAreNotPlain) {
  const auto plain = [](absl::string_view value) { return IsPlain(WithValue(std::string(value))); };
  using absl::string_view;
  EXPECT_TRUE(plain(string_view("\x08\x00", 2)));
  EXPECT_TRUE(plain("\x08\x01"));
  EXPECT_FALSE(plain("\x08\x02"));                                     // true
  EXPECT_FALSE(plain(string_view("\x08\x81\x00", 3)));                 // 1 in two bytes
  EXPECT_TRUE(plain("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));  // -1
  EXPECT_FALSE(plain("\x10\xff\xff\xff\xff\x0f"));                     // -1 in 32 bits
  EXPECT_FALSE(plain("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03"));
  EXPECT_TRUE(plain("\x1a\x01x"));
  EXPECT_FALSE(plain(string_view("\x1a\x81\x00x", 4)));  // length in two bytes
  EXPECT_FALSE(plain("\x1a\x01x\x1a\x01y"));             // two values
  EXPECT_FALSE(plain("\x1a\x02x"));                      // too long
  EXPECT_TRUE(plain("\x3a\x04\x08\x01\x10\x02"));
  EXPECT_FALSE(plain("\x3a\x04\x10\x02\x08\x01"));          // nanos first
  EXPECT_FALSE(plain(string_view("\x3a\x02\x08\x00", 4)));  // a zero that is written
  EXPECT_FALSE(plain(string_view("\x3a\x02\x10\x00", 4)));
  EXPECT_FALSE(plain("\x3a\x04\x08\x01\x18\x02"));  // a third part
  EXPECT_FALSE(plain("\x42\x01x"));                 // no such kind
  EXPECT_FALSE(plain("\x18\x01"));                  // no such wire type
  EXPECT_TRUE(IsPlain(WithEntry("\x0a\x01n\x12\x03\x1a\x01x")));
  EXPECT_FALSE(IsPlain(WithEntry("\x12\x03\x1a\x01x\x0a\x01n")));  // value first
  EXPECT_FALSE(IsPlain(WithEntry("\x0a\x01n\x0a\x01m\x12\x03\x1a\x01x")));
  EXPECT_FALSE(IsPlain(WithEntry("\x12\x03\x1a\x01x")));
}

TEST(PlainReaderTest, DamagedBytesAreReadAsTheViewDoesOrNotAtAll) {
  std::minstd_rand random(1);
  Proto proto = Sample();
  proto.set_binary_data("{}");
  (*proto.mutable_attributes())["r"].set_ce_uri_ref("r");
  const std::string bytes = proto.SerializeAsString();
  size_t plain = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    if (i % 3 == 0) damaged.erase(random() % damaged.size(), 1);
    plain += IsPlain(damaged);
  }
  EXPECT_GT(plain, 1000u);  // texts that are others
}

}  // namespace
}  // namespace cdgate::event
