#include "gateway/event/event_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/json_tree.h"
#include "tests/support/random_json.h"

namespace cdgate::event {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Fields = std::vector<std::pair<std::string, std::string>>;

std::string EventOf(absl::string_view data) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("1");
  event.set_source("/a");
  event.set_spec_version("1.0");
  event.set_type("t");
  event.set_binary_data(std::string(data));
  return event.SerializeAsString();
}

Fields FieldsOf(const std::string& cloud_event, bool* ok = nullptr) {
  CloudEventView view;
  EXPECT_TRUE(view.Assign(cloud_event));
  FieldReader reader;
  Fields out;
  for (reader.Start(view); reader.Next();) {
    out.emplace_back(std::string(reader.name()), std::string(reader.value()));
  }
  EXPECT_FALSE(reader.Next());  // and stays there
  if (ok != nullptr) *ok = reader.ok();
  return out;
}

Fields LeavesOf(absl::string_view data) {
  bool ok = false;
  Fields out = FieldsOf(EventOf(data), &ok);
  EXPECT_TRUE(ok) << data;
  out.erase(out.begin());  // @id
  return out;
}

TEST(FieldReaderTest, LeavesStandInTheOrderOfTheText) {
  EXPECT_THAT(LeavesOf(R"( {"b": [1.50 , "x\n"], "a":{"c":null,"d":{}, "e":[ ]},"f":true } )"),
              ElementsAre(Pair("/b/~20", "1.50"), Pair("/b/~21", R"("x\n")"), Pair("/a/c", "null"),
                          Pair("/a/d", "{}"), Pair("/a/e", "[]"), Pair("/f", "true")));
}

TEST(FieldReaderTest, NamesAreDecodedAndEscapedAsPointers) {
  EXPECT_THAT(LeavesOf(R"({"a/b~c":1,"\u00e9\n":2,"":{"":3}})"),
              ElementsAre(Pair("/a~1b~0c", "1"), Pair("/\u00e9\n", "2"), Pair("//", "3")));
}

TEST(FieldReaderTest, AnElementIsNotAMemberOfThatName) {
  EXPECT_THAT(LeavesOf(R"({"a":["x"]})"), ElementsAre(Pair("/a/~20", R"("x")")));
  EXPECT_THAT(LeavesOf(R"({"a":{"0":"x"}})"), ElementsAre(Pair("/a/0", R"("x")")));
  EXPECT_THAT(LeavesOf(R"({"a":{"~20":"x"}})"), ElementsAre(Pair("/a/~020", R"("x")")));
}

TEST(FieldReaderTest, PointersAreThoseOfTheStandard) {
  const std::string event = EventOf(R"({"a":[{"~2":0}],"b":1})");
  CloudEventView view;
  ASSERT_TRUE(view.Assign(event));
  FieldReader reader;
  reader.Start(view);
  std::vector<std::string> pointers;
  while (reader.Next()) pointers.emplace_back(reader.pointer());
  EXPECT_THAT(pointers, ElementsAre("@id", "/a/0/~02", "/b"));
}

TEST(FieldReaderTest, AnObjectWithoutMembersIsOneLeaf) {
  EXPECT_THAT(LeavesOf("{ }"), ElementsAre(Pair("", "{}")));
}

TEST(FieldReaderTest, AttributesStandByNameWithTheirKind) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("id 1");
  auto& attributes = *event.mutable_attributes();
  attributes["a"].set_ce_boolean(true);
  attributes["b"].set_ce_integer(-2);
  attributes["c"].set_ce_string("text");
  attributes["d"].set_ce_bytes("\x01");
  attributes["e"].set_ce_uri("u:");
  attributes["f"].set_ce_uri_ref("r");
  attributes["z"].mutable_ce_timestamp()->set_seconds(1);
  attributes["z"].mutable_ce_timestamp()->set_nanos(2);
  event.set_binary_data("{}");
  EXPECT_THAT(
      FieldsOf(event.SerializeAsString()),
      ElementsAre(Pair("@a", "\1\1"), Pair("@b", "\2\xff\xff\xff\xfe"), Pair("@c", "\3text"),
                  Pair("@d", "\4\1"), Pair("@e", "\5u:"), Pair("@f", "\6r"), Pair("@id", "\3id 1"),
                  Pair("@z", std::string("\7\0\0\0\0\0\0\0\1\0\0\0\2", 13)), Pair("", "{}")));
}

TEST(FieldReaderTest, WhatIsNoJsonIsNotOk) {
  for (const char* data : {"", "{", "{}}", "[1,]", R"({"a" 1})", R"({"a":1)", R"({"\x":1})", "{]",
                           R"({"a":1,})", R"({"a":"x)", "[1 2]"}) {
    bool ok = true;
    FieldsOf(EventOf(data), &ok);
    EXPECT_FALSE(ok) << data;
  }
}

TEST(FieldReaderTest, TooManyFieldsOrTooLongNamesAreTooLarge) {
  std::string many = "[0";
  for (size_t i = 0; i < kMaxFields; ++i) many += ",0";
  const std::string name(kMaxFieldNameBytes / 8, 'n');
  for (const std::string& data :
       {many + "]", absl::StrCat(R"({")", name, R"(":[0,1,2,3,4,5,6,7,8]})")}) {
    const std::string event = EventOf(data);
    CloudEventView view;
    ASSERT_TRUE(view.Assign(event));
    FieldReader reader;
    reader.Start(view);
    while (reader.Next()) continue;
    EXPECT_FALSE(reader.ok());
    EXPECT_TRUE(reader.too_large());
    EXPECT_FALSE(FieldCommitter().Commit(std::string(16, 's'), view).has_value());
  }
}

// What the fields are, said on a tree.
void Walk(const test::JsonTree& tree, const std::string& at, Fields* out) {
  using Kind = test::JsonTree::Kind;
  for (const auto& [name, member] : tree.members) {
    Walk(member, absl::StrCat(at, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}})), out);
  }
  for (size_t i = 0; i < tree.items.size(); ++i) {
    Walk(tree.items[i], absl::StrCat(at, "/~2", i), out);
  }
  if (!tree.members.empty() || !tree.items.empty()) return;
  out->emplace_back(at, tree.kind == Kind::kObject  ? "{}"
                        : tree.kind == Kind::kArray ? "[]"
                                                    : tree.ToText());
}

TEST(FieldReaderTest, IsWhatATreeOfTheSameTextSays) {
  test::Random random(11);
  for (int i = 0; i < 3000; ++i) {
    const std::string json = test::PrintJson(test::RandomJsonObject(random, 4), random);
    Fields expected;
    Walk(test::ParseJsonTree(json), "", &expected);
    Fields found = LeavesOf(json);
    for (auto& [name, value] : found) {
      if (value != "{}" && value != "[]") value = test::ParseJsonTree(value).ToText();
    }
    ASSERT_EQ(found, expected) << json;
  }
}

std::string U32(uint32_t value) {
  std::string out;
  AppendBigEndian32(value, &out);
  return out;
}
std::string WithLength(const std::string& text) { return U32(text.size()) + text; }
std::string Labelled(absl::string_view label, const std::string& text) {
  return crypto::Sha256(absl::StrCat(label, absl::string_view("\0", 1), text));
}

TEST(FieldCommitterTest, CommitsAsTheDocumentSays) {
  const std::string event = EventOf(R"({"a":["x",{}],"b":-0.0})");
  const std::string salt(16, 's');
  CloudEventView view;
  ASSERT_TRUE(view.Assign(event));
  std::string root = U32(4);
  uint32_t i = 0;
  for (const auto& [name, value] : FieldsOf(event)) {
    const std::string field_salt = Labelled("cdgate/field-salt/v1", salt + U32(i++)).substr(0, 16);
    root += Labelled("cdgate/field/v1", field_salt + WithLength(name) + value);
  }
  const std::string expected = Labelled("cdgate/commit/v2", Labelled("cdgate/fields/v1", root));
  FieldCommitter committer;
  for (int again = 0; again < 2; ++again) {
    const auto commitment = committer.Commit(salt, view);
    ASSERT_TRUE(commitment.has_value());
    EXPECT_EQ(AsBytes(*commitment), expected);
  }
}

TEST(FieldCommitterTest, DigestsAttributesAsTheDocumentSays) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("1");
  (*event.mutable_attributes())["subject"].set_ce_string("s");
  (*event.mutable_attributes())["a"].set_ce_boolean(false);
  const std::string bytes = event.SerializeAsString();
  CloudEventView view;
  ASSERT_TRUE(view.Assign(bytes));
  FieldCommitter committer;
  EXPECT_EQ(AsBytes(committer.AttributesDigest(view)),
            Labelled("cdgate/attributes/v1",
                     absl::StrCat(U32(3), WithLength("a"), WithLength(std::string("\1\0", 2)),
                                  WithLength("id"),
                                  WithLength("\3"
                                             "1"),
                                  WithLength("subject"), WithLength("\3s"))));
}

TEST(FieldCommitterTest, EveryFieldCountsAndSpaceDoesNot) {
  const std::string salt(16, 's');
  FieldCommitter committer;
  const auto commit = [&](absl::string_view data, absl::string_view with) {
    const std::string event = EventOf(data);
    CloudEventView view;
    view.Assign(event);
    return committer.Commit(with, view).value();
  };
  const auto one = commit(R"({"a":1,"b":["x"]})", salt);
  EXPECT_EQ(commit(" { \"a\" : 1,\n\"b\":[ \"x\" ] }", salt), one);
  for (const char* other :
       {R"({"a":1.0,"b":["x"]})", R"({"b":["x"],"a":1})", R"({"a":1,"b":{"0":"x"}})",
        R"({"a":1,"b":["x"],"c":{}})", R"({"a":1,"b":[]})", R"({"a":1,"b":["\u0078"]})"}) {
    EXPECT_NE(commit(other, salt), one) << other;
  }
  EXPECT_NE(commit(R"({"a":1,"b":["x"]})", std::string(16, 't')), one);
}

}  // namespace
}  // namespace cdgate::event
