#include "federation/policy/json_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/federation/policy/json_edit_oracle.h"
#include "tests/support/random.h"
#include "tests/support/random_json.h"

namespace cdgate::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

filter::DataPath Path(absl::string_view text) { return *filter::DataPath::Parse(text); }

class JsonEditTest : public testing::Test {
 protected:
  JsonEdits Removing(const std::vector<std::string>& paths) {
    JsonEdits edits;
    for (const std::string& path : paths) edits.Remove(Path(path));
    return edits;
  }
  JsonEdits Replacing(absl::string_view path, JsonEdits::Form form = JsonEdits::Form::kText) {
    JsonEdits edits;
    edits.Replace(Path(path), "k", form);
    return edits;
  }
  bool Apply(const JsonEdits& edits, absl::string_view json) {
    return editor_.Apply(edits, json,
                         [](absl::string_view kind, absl::string_view text, std::string* out) {
                           absl::StrAppend(out, "<", kind, ":", text, ">");
                         });
  }
  std::string Edit(const JsonEdits& edits, absl::string_view json) {
    EXPECT_TRUE(Apply(edits, json)) << json;
    return editor_.result();
  }

  JsonEditor editor_;
};

TEST_F(JsonEditTest, WhatIsNotNamedStaysAsItWasWritten) {
  constexpr char kJson[] =
      " {\n \"a\" : [ 1.0 , -0 ,1e400, \"\\u00e9\\/\" ] ,\t\"b\":{ } , \"c\" :{\"d\" : \"x\" } }\n";
  EXPECT_EQ(Edit(Removing({"x", "a.x", "b.x", "c.d.x"}), kJson), kJson);
  EXPECT_FALSE(editor_.changed());
  EXPECT_EQ(Edit(Removing({"c.d"}), kJson),
            " {\n \"a\" : [ 1.0 , -0 ,1e400, \"\\u00e9\\/\" ] ,\t\"b\":{ } , \"c\" :{ } }\n");
  EXPECT_THAT(editor_.removed(), ElementsAre("/c/d"));
}

TEST_F(JsonEditTest, TakesMembersOut) {
  constexpr char kJson[] = R"({"a":1, "b":2, "c":3})";
  EXPECT_EQ(Edit(Removing({"a"}), kJson), R"({ "b":2, "c":3})");
  EXPECT_EQ(Edit(Removing({"b"}), kJson), R"({"a":1, "c":3})");
  EXPECT_EQ(Edit(Removing({"c"}), kJson), R"({"a":1, "b":2})");
  EXPECT_EQ(Edit(Removing({"a", "b"}), kJson), R"({ "c":3})");
  EXPECT_EQ(Edit(Removing({"b", "c"}), kJson), R"({"a":1})");
  EXPECT_EQ(Edit(Removing({"a", "c"}), kJson), R"({ "b":2})");
  EXPECT_EQ(Edit(Removing({"a", "b", "c"}), kJson), "{}");
  EXPECT_THAT(editor_.removed(), ElementsAre("/a", "/b", "/c"));
  EXPECT_EQ(Edit(Removing({"a"}), R"({ "a" : {"x":[1,{"y":"}"}]} })"), "{ }");
}

TEST_F(JsonEditTest, TheSameNameElsewhereIsAnotherMember) {
  EXPECT_EQ(Edit(Removing({"a.b"}), R"({"b":1,"a":{"b":2,"c":{"b":3}},"c":{"a":{"b":4}}})"),
            R"({"b":1,"a":{"c":{"b":3}},"c":{"a":{"b":4}}})");
  EXPECT_EQ(Edit(Removing({"a"}), R"({"aa":1,"A":2})"), R"({"aa":1,"A":2})");
}

TEST_F(JsonEditTest, NamesAreComparedDecoded) {
  EXPECT_EQ(Edit(Removing({"/é\"/~0~1"}), R"({"\u00e9\"":{"~\/":1,"x":"\"~/\":2"}})"),
            R"({"\u00e9\"":{"x":"\"~/\":2"}})");
  EXPECT_THAT(editor_.removed(), ElementsAre("/é\"/~0~1"));
}

TEST_F(JsonEditTest, ReplacesScalars) {
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":"x"})"), R"({"a":"<k:x>"})");
  EXPECT_THAT(editor_.replaced(), ElementsAre("/a"));
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":"\u0001\"\ud83d\ude00"})"),
            "{\"a\":\"<k:\\u0001\\\"\xf0\x9f\x98\x80>\"}");
  EXPECT_EQ(Edit(Replacing("a"), R"({"a" : 1.50 })"), R"({"a" : "<k:1.50>" })");
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":true})"), R"({"a":"<k:true>"})");
  EXPECT_EQ(Edit(Replacing("a", JsonEdits::Form::kUri), R"({"a":"x"})"),
            R"({"a":"urn:cdgate:<k:x>"})");
}

TEST_F(JsonEditTest, NullSaysNothingAndStays) {
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":null})"), R"({"a":null})");
  EXPECT_FALSE(editor_.changed());
}

TEST_F(JsonEditTest, WhatCannotBeReplacedIsRemoved) {
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":{"secret":1},"b":2})"), R"({"b":2})");
  EXPECT_THAT(editor_.removed(), ElementsAre("/a"));
  EXPECT_THAT(editor_.replaced(), IsEmpty());
}

TEST_F(JsonEditTest, ArraysKeepTheirPlaces) {
  EXPECT_EQ(Edit(Removing({"a.1"}), R"({"a":[1, {"x":2} ,3]})"), R"({"a":[1, null ,3]})");
  EXPECT_THAT(editor_.removed(), ElementsAre("/a/1"));
  EXPECT_EQ(Edit(Replacing("a.0"), R"({"a":["x","x"]})"), R"({"a":["<k:x>","x"]})");
  EXPECT_EQ(Edit(Removing({"a.1.x"}), R"({"a":[{"x":1},{"x":2}]})"), R"({"a":[{"x":1},{}]})");
  EXPECT_EQ(Edit(Removing({"a.0"}), R"({"a":[]})"), R"({"a":[]})");
}

TEST_F(JsonEditTest, RemovingWinsAndThenWhatIsAbove) {
  JsonEdits edits;
  edits.Replace(Path("a"), "k", JsonEdits::Form::kText);
  edits.Remove(Path("a"));
  edits.Replace(Path("b"), "k", JsonEdits::Form::kText);
  edits.Remove(Path("b.c"));
  EXPECT_EQ(Edit(edits, R"({"a":"x","b":"y","c":1})"), R"({"b":"<k:y>","c":1})");
  EXPECT_TRUE(edits.Touches(Path("b.c.d")));
  EXPECT_FALSE(edits.Touches(Path("c")));
}

TEST_F(JsonEditTest, DeepAndHuge) {
  std::string json = "1";
  std::string path;
  for (int i = 0; i < 64; ++i) {
    json = absl::StrCat("{\"a\":", json, "}");
    absl::StrAppend(&path, i == 0 ? "" : ".", "a");
  }
  const std::string result = Edit(Removing({path}), json);
  EXPECT_EQ(result.size(), json.size() - 5);
  std::string huge = R"({"keep":")" + std::string(1 << 20, 'k') + R"(","list":[)";
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&huge, i == 0 ? "" : ",", "{\"x\":", i, "}");
  const std::string whole = huge + R"(],"gone":")" + std::string(1 << 20, 'g') + "\"}";
  EXPECT_EQ(Edit(Removing({"gone"}), whole), huge + "]}");
}

TEST_F(JsonEditTest, RefusesWhatIsNoJson) {
  for (const char* json :
       {"", "{", R"({"a")", R"({"a":})", R"({"a":1)", R"({"a":1,})", R"({"a":1 "b":2})",
        R"({"a":"x)", R"({"a":[1,2})", R"({"a":1}})", R"({a:1})", R"({"\ud800":1})",
        R"({"\udc00\ud800":1})", R"({"\u0x12":1})", R"({"\q":1})", "{} {}", R"({"a":{)"}) {
    EXPECT_FALSE(Apply(Removing({"a.b", "b"}), json)) << json;
  }
}

TEST_F(JsonEditTest, NothingOfOneEventIsLeftInTheNext) {
  Edit(Replacing("a"), R"({"a":"first secret","b":1})");
  EXPECT_EQ(Edit(Replacing("a"), "{}"), "{}");
  EXPECT_THAT(editor_.removed(), IsEmpty());
  EXPECT_THAT(editor_.replaced(), IsEmpty());
  EXPECT_FALSE(Apply(Replacing("a"), R"({"a":{)"));
  EXPECT_EQ(Edit(Replacing("a"), R"({"a":"x"})"), R"({"a":"<k:x>"})");
}

// Random documents, and edits of what is in them.
class JsonEditAgreesTest : public testing::TestWithParam<int> {};

void CollectPaths(const test::JsonTree& tree, std::vector<std::string> at,
                  std::vector<std::vector<std::string>>* out) {
  if (!at.empty()) out->push_back(at);
  at.emplace_back();
  for (const auto& [name, value] : tree.members) {
    at.back() = name;
    CollectPaths(value, at, out);
  }
  for (size_t i = 0; i < tree.items.size(); ++i) {
    at.back() = absl::StrCat(i);
    CollectPaths(tree.items[i], at, out);
  }
}

TEST_P(JsonEditAgreesTest, WithTheOracle) {
  test::Random random(static_cast<uint64_t>(GetParam()));
  JsonEditor editor;
  for (int round = 0; round < 300; ++round) {
    const test::JsonTree tree = test::RandomJsonObject(random, 4);
    std::vector<std::vector<std::string>> paths;
    CollectPaths(tree, {}, &paths);
    std::vector<test::OneEdit> edits;
    for (size_t i = 0; i < 4 && !paths.empty(); ++i) {
      const std::vector<std::string>& path = paths[random.Below(paths.size())];
      const bool apart = std::none_of(edits.begin(), edits.end(), [&](const test::OneEdit& edit) {
        const size_t common = std::min(path.size(), edit.names.size());
        return std::equal(path.begin(), path.begin() + static_cast<ptrdiff_t>(common),
                          edit.names.begin());
      });
      if (apart) edits.push_back({static_cast<test::OneEdit::What>(random.Below(3)), path});
    }
    test::CheckEdit(edits, test::PrintJson(tree, random), &editor);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JsonEditAgreesTest, testing::Range(1, 6));

}  // namespace
}  // namespace cdgate::policy
