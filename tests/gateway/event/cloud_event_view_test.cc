#include "gateway/event/cloud_event_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using Proto = io::cloudevents::v1::CloudEvent;
using Value = Proto::CloudEventAttributeValue;

// A field of wire type 2.
std::string Field(uint32_t number, const std::string& value) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  out.push_back(static_cast<char>(value.size()));
  return out + value;
}

void ExpectSameValue(const AttributeView& view, const Value& proto) {
  ASSERT_EQ(static_cast<int>(view.kind), static_cast<int>(proto.attr_case())) << view.name;
  switch (proto.attr_case()) {
    case Value::kCeBoolean: EXPECT_EQ(view.boolean, proto.ce_boolean()); break;
    case Value::kCeInteger: EXPECT_EQ(view.integer, proto.ce_integer()); break;
    case Value::kCeString: EXPECT_EQ(view.text, proto.ce_string()); break;
    case Value::kCeBytes: EXPECT_EQ(view.text, proto.ce_bytes()); break;
    case Value::kCeUri: EXPECT_EQ(view.text, proto.ce_uri()); break;
    case Value::kCeUriRef: EXPECT_EQ(view.text, proto.ce_uri_ref()); break;
    case Value::kCeTimestamp:
      EXPECT_EQ(view.seconds, proto.ce_timestamp().seconds());
      EXPECT_EQ(view.nanos, proto.ce_timestamp().nanos());
      break;
    case Value::ATTR_NOT_SET: break;
  }
}

void ExpectSame(const CloudEventView& view, const Proto& proto) {
  EXPECT_EQ(view.id(), proto.id());
  EXPECT_EQ(view.source(), proto.source());
  EXPECT_EQ(view.spec_version(), proto.spec_version());
  EXPECT_EQ(view.type(), proto.type());
  EXPECT_EQ(static_cast<int>(view.data_kind()), static_cast<int>(proto.data_case()));
  if (!proto.has_proto_data()) {
    EXPECT_EQ(view.data(), proto.has_text_data() ? proto.text_data() : proto.binary_data());
  }
  size_t seen = 0;
  view.ForEach([&](const AttributeView& attribute) {
    ++seen;
    const auto it = proto.attributes().find(std::string(attribute.name));
    ASSERT_NE(it, proto.attributes().end()) << attribute.name;
    ExpectSameValue(attribute, it->second);
    const auto found = view.Find(attribute.name);
    ASSERT_TRUE(found.has_value());
    ExpectSameValue(*found, it->second);
  });
  EXPECT_EQ(seen, proto.attributes_size());
}

// Scans `bytes` and holds the view against the generated parser.
void ExpectAgrees(const std::string& bytes) {
  Proto proto;
  ASSERT_TRUE(proto.ParseFromString(bytes));
  absl::StatusOr<CloudEventView> view = CloudEventView::Scan(bytes);
  CDGATE_ASSERT_OK(view);
  ExpectSame(*view, proto);
}

TEST(CloudEventViewTest, ReadsEveryKindOfAttribute) {
  Proto proto;
  proto.set_id("1");
  proto.set_source("/s");
  proto.set_spec_version("1.0");
  proto.set_type("t");
  auto& attributes = *proto.mutable_attributes();
  attributes["b"].set_ce_boolean(false);
  attributes["i"].set_ce_integer(-5);
  attributes["s"].set_ce_string("é");
  attributes["y"].set_ce_bytes("\xff");
  attributes["u"].set_ce_uri("https://a");
  attributes["r"].set_ce_uri_ref("a");
  attributes["t"].mutable_ce_timestamp()->set_seconds(-1);
  attributes["n"];
  proto.set_binary_data("{}");
  ExpectAgrees(proto.SerializeAsString());
  proto.set_text_data("{}");
  ExpectAgrees(proto.SerializeAsString());
  proto.mutable_proto_data()->set_type_url("x/y");
  ExpectAgrees(proto.SerializeAsString());
}

TEST(CloudEventViewTest, AnEmptyMessageIsAnEventWithoutFields) { ExpectAgrees(""); }

TEST(CloudEventViewTest, LastOfARepeatedFieldWins) {
  ExpectAgrees(Field(1, "first") + Field(6, "data") + Field(1, "second") + Field(7, "text"));
}

TEST(CloudEventViewTest, LaterMapEntryReplacesTheWholeEarlierOne) {
  const std::string seconds = Field(7, std::string("\x08\x05", 2));
  const std::string nanos = Field(7, std::string("\x10\x07", 2));
  const std::string bytes = Field(5, Field(1, "k") + Field(2, seconds)) +
                            Field(5, Field(1, "other") + Field(2, Field(3, "x"))) +
                            Field(5, Field(1, "k") + Field(2, nanos));
  ExpectAgrees(bytes);
  EXPECT_EQ(CloudEventView::Scan(bytes)->Find("k")->seconds, 0);
}

TEST(CloudEventViewTest, ValuesWithinOneEntryMerge) {
  const std::string seconds = Field(7, std::string("\x08\x05", 2));
  const std::string nanos = Field(7, std::string("\x10\x07", 2));
  ExpectAgrees(Field(5, Field(1, "k") + Field(2, seconds) + Field(2, nanos)));
  ExpectAgrees(Field(5, Field(1, "k") + Field(2, seconds + nanos)));
  ExpectAgrees(Field(5, Field(1, "k") + Field(2, seconds + Field(3, "x") + nanos)));
  ExpectAgrees(Field(5, Field(2, seconds) + Field(1, "a") + Field(1, "b")));
  ExpectAgrees(Field(5, ""));
}

TEST(CloudEventViewTest, KnownFieldOfAnotherWireTypeIsUnknown) {
  ExpectAgrees(std::string("\x08\x05", 2) + Field(1, "id"));
  ExpectAgrees(Field(5, Field(1, "k") + Field(2, Field(1, "not a bool"))));
}

TEST(CloudEventViewTest, EveryPrefixIsRefusedOrAgrees) {
  Proto proto;
  proto.set_id("identity");
  proto.set_source("/source");
  (*proto.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1'700'000'000);
  proto.set_binary_data(std::string(200, 'x'));
  const std::string bytes = proto.SerializeAsString();
  for (size_t n = 0; n <= bytes.size(); ++n) {
    Proto parsed;
    const std::string prefix = bytes.substr(0, n);
    const auto view = CloudEventView::Scan(prefix);
    ASSERT_EQ(view.ok(), parsed.ParseFromString(prefix)) << n;
    if (view.ok()) ExpectSame(*view, parsed);
  }
}

TEST(CloudEventViewTest, RefusesMalformedWire) {
  const struct {
    const char* name;
    std::string bytes;
  } kCases[] = {
      {"field number 0", std::string("\x02\x00", 2)},
      {"end of a group", "\x0c"},
      {"group", "\x0b\x0c"},
      {"reserved wire type", "\x0e"},
      {"length beyond the end", "\x0a\x05gh"},
      {"length of 2^32", std::string("\x0a\xff\xff\xff\xff\x7f", 6)},
      {"varint of 11 bytes", "\x08" + std::string(10, '\x80') + "\x01"},
      {"tag of 6 bytes", std::string("\x8a\x80\x80\x80\x80\x00\x00", 7)},
      {"id not UTF-8", Field(1, "\xff")},
      {"surrogate in id", Field(1, "\xed\xa0\x80")},
      {"text data not UTF-8", Field(7, "\xc0\x80")},
      {"attribute name not UTF-8", Field(5, Field(1, "\xff"))},
      {"attribute text not UTF-8", Field(5, Field(2, Field(3, "\xff")))},
      {"malformed entry", Field(5, "\x0a\x05")},
      {"malformed value", Field(5, Field(2, "\x0a\x05"))},
      {"malformed timestamp", Field(5, Field(2, Field(7, "\x08")))},
      {"malformed any", Field(8, "\x0a\x05")},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(CloudEventView::Scan(c.bytes), test::HasReason(base::Reason::kInvalidCloudEvent))
        << c.name;
  }
}

TEST(CloudEventViewTest, RefusesTooManyAttributes) {
  std::string bytes;
  for (size_t i = 0; i < kMaxAttributes; ++i) bytes += Field(5, Field(1, std::to_string(i)));
  EXPECT_EQ(CloudEventView::Scan(bytes)->attribute_entries(), kMaxAttributes);
  bytes += Field(5, Field(1, "0"));
  EXPECT_THAT(CloudEventView::Scan(bytes), test::HasReason(base::Reason::kInvalidCloudEvent));
}

TEST(CloudEventViewTest, FailedAssignLeavesAnEmptyEvent) {
  CloudEventView view;
  ASSERT_TRUE(view.Assign("\x0a\x01i"));
  EXPECT_FALSE(view.Assign("\xff"));
  EXPECT_EQ(view.id(), "");
  EXPECT_EQ(view.bytes(), "");
}

// Random messages, and random damage to them: where the view accepts, the generated
// parser does and both read the same; where only the generated parser accepts, the
// damage made a group or an overlong tag, which the view refuses by contract.
class RandomEvents {
 public:
  explicit RandomEvents(uint32_t seed) : rng_(seed) {}

  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(rng_); }
  std::string Text() {
    return std::string(Below(4) * Below(40), static_cast<char>('a' + Below(26)));
  }

  Proto Make() {
    Proto proto;
    if (Below(8) != 0) proto.set_id(Text());
    if (Below(8) != 0) proto.set_source(Text());
    if (Below(8) != 0) proto.set_type(Text());
    proto.set_spec_version("1.0");
    for (size_t i = Below(8); i > 0; --i) Fill(&(*proto.mutable_attributes())[Text()]);
    if (Below(3) != 0) proto.set_binary_data(Text());
    if (Below(3) == 0) proto.set_text_data(Text());
    return proto;
  }

  std::string Damage(std::string bytes) {
    for (size_t i = Below(3); i > 0 && !bytes.empty(); --i) {
      bytes[Below(bytes.size())] = static_cast<char>(Below(256));
    }
    return bytes;
  }

 private:
  void Fill(Value* value) {
    switch (Below(8)) {
      case 0: value->set_ce_boolean(Below(2) == 0); break;
      case 1: value->set_ce_integer(static_cast<int32_t>(rng_())); break;
      case 2: value->set_ce_bytes(Text()); break;
      case 3: value->set_ce_uri(Text()); break;
      case 4: value->set_ce_uri_ref(Text()); break;
      case 5:
        value->mutable_ce_timestamp()->set_seconds(static_cast<int64_t>(rng_()) - (1 << 30));
        value->mutable_ce_timestamp()->set_nanos(static_cast<int32_t>(Below(1'000'000'000)));
        break;
      default: value->set_ce_string(Text()); break;
    }
  }

  std::mt19937 rng_;
};

TEST(CloudEventViewTest, AgreesWithTheGeneratedParserOnRandomMessages) {
  RandomEvents random(7);
  for (int i = 0; i < 5000; ++i) {
    ExpectAgrees(random.Make().SerializeAsString());
    if (HasFailure()) return;
  }
}

TEST(CloudEventViewTest, NeverAcceptsWhatTheGeneratedParserRefuses) {
  RandomEvents random(8);
  size_t accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = random.Damage(random.Make().SerializeAsString());
    const auto view = CloudEventView::Scan(bytes);
    if (!view.ok()) continue;
    ++accepted;
    Proto proto;
    ASSERT_TRUE(proto.ParseFromString(bytes));
    ExpectSame(*view, proto);
    if (HasFailure()) return;
  }
  EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace cdgate::event
