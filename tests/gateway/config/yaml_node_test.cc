#include "gateway/config/yaml_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::config {
namespace {

using base::Reason;
using testing::HasSubstr;

TEST(YamlNodeTest, KeepsLinesQuotesAndOrder) {
  const auto root = ParseYaml("b: 1\na:\n  - x\n  - \"1\"\nempty:\n", "f.yaml", 10);
  CDGATE_ASSERT_OK(root);
  ASSERT_EQ(root->members.size(), 3u);
  EXPECT_EQ(root->members[0].key, "b");
  EXPECT_EQ(root->members[0].line, 10);
  EXPECT_EQ(root->members[0].value.text, "1");
  EXPECT_FALSE(root->members[0].value.quoted);
  const YamlNode* const list = root->Find("a");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->kind, YamlNode::Kind::kList);
  EXPECT_EQ(list->items[1].line, 13);
  EXPECT_TRUE(list->items[1].quoted);
  EXPECT_EQ(root->Find("empty")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root->Find("none"), nullptr);
}

TEST(YamlNodeTest, EmptyTextsAndCommentsAreNothing) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~"}) {
    EXPECT_EQ(ParseYaml(text, "f.yaml")->kind, YamlNode::Kind::kNull) << text;
  }
}

TEST(YamlNodeTest, RefusesWhatFilesDoNotNeed) {
  const struct {
    const char* text;
    const char* message;
  } kCases[] = {
      {"a: &x 1\nb: 2\n", "f.yaml:1: anchors are not supported"},
      {"a: 1\nb: *x\n", "f.yaml:2: "},
      {"a: &x 1\nb: *x\n", "anchors are not supported"},
      {"a: !!binary aGk=\n", "f.yaml:1: tags are not supported; remove tag:yaml.org,2002:binary"},
      {"a: !mine {}\n", "tags are not supported"},
      {"a: 1\nb: 2\na: 3\n", "f.yaml:3: a: given twice, first on line 1"},
      {"a: 1\n\"a\": 3\n", "given twice"},
      {"[a]: 1\n", "a key must be a text"},
      {"? {a: 1}\n: 1\n", "a key must be a text"},
      {"~: 1\n", "a key must be a text"},
      {"a: 1\n---\nb: 2\n", "f.yaml:2: a second document begins"},
      {"a: [1\n", "not YAML"},
      {"a: 'x", "not YAML"},
      {"a: 1\n b: 2\n", "not YAML"},
      {"\ta: 1\n", "not YAML"},
      {"a: b: c\n", "not YAML"},
      {"a: \xff\n", "f.yaml:1: not UTF-8"},
      {"a: 1\nb: x\x01\n", "f.yaml:2: has a control character"},
      {"a: \"\\_\"\n", "f.yaml:1: the text is not UTF-8"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(ParseYaml(c.text, "f.yaml"),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.message)))
        << c.text;
  }
}

TEST(YamlNodeTest, BombsAreRefusedAndDoNotExpand) {
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    laughs += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) laughs += std::string(i == 0 ? "*" : ", *") + char(c - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(ParseYaml(laughs, "f"), test::HasReason(Reason::kInvalidConfig));
  for (const size_t depth : {65, 1000, 100'000}) {
    EXPECT_THAT(ParseYaml(std::string(depth, '['), "f"), test::HasReason(Reason::kInvalidConfig));
    EXPECT_THAT(ParseYaml(std::string(depth, '[') + std::string(depth, ']'), "f"),
                test::HasReason(Reason::kInvalidConfig));
  }
  CDGATE_EXPECT_OK(ParseYaml(std::string(64, '[') + std::string(64, ']'), "f"));
  EXPECT_THAT(ParseYaml(std::string(kMaxYamlBytes + 1, ' '), "f"),
              test::HasReason(Reason::kInvalidConfig));
}

TEST(YamlNodeTest, ErrorsCarryFileLineAndKeyForPrograms) {
  const absl::Status status = ConfigError("f.yaml", 7, "log.retention", "wrong");
  EXPECT_EQ(status.message(), "f.yaml:7: log.retention: wrong");
  EXPECT_EQ(base::MetadataOf(status),
            (base::Metadata{{"file", "f.yaml"}, {"line", "7"}, {"key", "log.retention"}}));
}

}  // namespace
}  // namespace cdgate::config
