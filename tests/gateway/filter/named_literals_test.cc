#include "gateway/filter/named_literals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cdgate::filter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Named(absl::string_view condition) {
  std::vector<std::string> out;
  const auto named = LiteralsOf(condition);
  if (!named) return {"none"};
  for (const NamedKind& kind : named->kinds) {
    out.push_back(absl::StrCat(kind.type, "|", kind.source, "|", kind.plane));
  }
  if (!named->exact) out.push_back("and more");
  return out;
}

TEST(NamedLiteralsTest, ReadsEqualityAndSets) {
  EXPECT_THAT(Named("type = 'a'"), ElementsAre("a||"));
  EXPECT_THAT(Named("\"a\" = type"), ElementsAre("a||"));
  EXPECT_THAT(Named("source IN ('/b', '/a')"), ElementsAre("|/a|", "|/b|"));
  EXPECT_THAT(Named("PLANE() = 'resource'"), ElementsAre("||resource"));
}

TEST(NamedLiteralsTest, JoinsWhatMustHoldTogether) {
  EXPECT_THAT(Named("type IN ('a', 'b') AND source = '/s'"), ElementsAre("a|/s|", "b|/s|"));
  EXPECT_THAT(Named("type = 'a' OR (type = 'b' AND PLANE() IN ('p', 'q'))"),
              ElementsAre("a||", "b||p", "b||q"));
  EXPECT_THAT(Named("type = 'a' AND type IN ('a', 'b')"), ElementsAre("a||"));
  EXPECT_THAT(Named("type = 'a' AND type = 'b'"), IsEmpty());
  EXPECT_THAT(Named("type = 'a' OR type = 'a'"), ElementsAre("a||"));
}

TEST(NamedLiteralsTest, SaysWhereMoreIsAskedFor) {
  EXPECT_THAT(Named("type = 'a' AND subject = 'pkg'"), ElementsAre("a||", "and more"));
  EXPECT_THAT(Named("type = 'a' AND EXISTS team AND team = 'core'"),
              ElementsAre("a||", "and more"));
  EXPECT_THAT(Named("ORIGIN() = 'alpha.example' AND type = 'a'"), ElementsAre("a||", "and more"));
  EXPECT_THAT(Named("subject IN ('a', 'b')"), ElementsAre("||", "and more"));
}

TEST(NamedLiteralsTest, APatternOrAFunctionOfTheDataIsNoLiteral) {
  for (const char* condition :
       {"type LIKE 'a%'", "type LIKE 'a'", "type != 'a'", "NOT (type = 'a')",
        "type NOT IN ('a', 'b')", "type = 'a' AND source LIKE '/%'", "type = 'a' OR TRUE",
        "type = 'a' AND CDEVENT('customData.x') = 'y'", "type = source",
        "type = 'a' XOR type = 'b'", "SUBJECT_TYPE() = 'build'", "LOWER(type) = 'a'",
        "type IN ('a', source)", "type = ''", "hops = 1 AND HOPS() = 2", "TRUE", "type = ", ""}) {
    EXPECT_THAT(Named(condition), ElementsAre("none")) << condition;
  }
}

TEST(NamedLiteralsTest, IsBounded) {
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back(absl::StrCat("'", i, "'"));
  const std::string set = absl::StrJoin(names, ", ");
  EXPECT_EQ(LiteralsOf(absl::StrCat("type IN (", set, ")"))->kinds.size(), 40u);
  EXPECT_FALSE(LiteralsOf(absl::StrCat("type IN (", set, ") AND source IN (", set, ")")));
}

TEST(NamedKindTest, CoversWhatIsNoWider) {
  const NamedKind any, type{.type = "a", .source = "", .plane = ""};
  const NamedKind both{.type = "a", .source = "/s", .plane = ""};
  EXPECT_TRUE(any.Covers(both));
  EXPECT_TRUE(type.Covers(both));
  EXPECT_TRUE(both.Covers(both));
  EXPECT_FALSE(both.Covers(type));
  EXPECT_FALSE(both.Covers({.type = "a", .source = "/t", .plane = ""}));
}

}  // namespace
}  // namespace cdgate::filter
