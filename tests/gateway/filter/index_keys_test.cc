#include "gateway/filter/index_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace cdgate::filter {
namespace {

using test::HasReason;
using testing::ElementsAre;

constexpr char kFields[][16] = {"type",      "source", "subject", "subject_type",
                                "predicate", "stage",  "origin",  "plane"};

// "source=/ci", "type^dev.": ascending; "any" where nothing is known.
std::vector<std::string> KeysOf(const std::string& condition) {
  const auto keys = IndexKeys::Of(condition);
  CDGATE_EXPECT_OK(keys);
  if (!keys.ok()) return {};
  if (keys->any) return {"any"};
  std::vector<std::string> out;
  for (const IndexKey& key : keys->keys) {
    out.push_back(
        absl::StrCat(kFields[static_cast<size_t>(key.field)], key.prefix ? "^" : "=", key.text));
  }
  return out;
}

TEST(IndexKeysTest, TextsThatAFieldIs) {
  EXPECT_THAT(KeysOf("type = 'a'"), ElementsAre("type=a"));
  EXPECT_THAT(KeysOf("'a' = SOURCE"), ElementsAre("source=a"));
  EXPECT_THAT(KeysOf("subject IN ('b', 'a', 'b')"), ElementsAre("subject=a", "subject=b"));
  EXPECT_THAT(KeysOf("SUBJECT_TYPE() = 'build'"), ElementsAre("subject_type=build"));
  EXPECT_THAT(KeysOf("PREDICATE() = 'finished'"), ElementsAre("predicate=finished"));
  EXPECT_THAT(KeysOf("STAGE() = 'ci'"), ElementsAre("stage=ci"));
  EXPECT_THAT(KeysOf("ORIGIN() = 'a.example'"), ElementsAre("origin=a.example"));
  EXPECT_THAT(KeysOf("PLANE() = 'x'"), ElementsAre("plane=x"));
}

TEST(IndexKeysTest, WhatAFieldBeginsWith) {
  EXPECT_THAT(KeysOf("type LIKE 'dev.cdevents.build.%'"), ElementsAre("type^dev.cdevents.build."));
  EXPECT_THAT(KeysOf("source LIKE '/ci/_/x%'"), ElementsAre("source^/ci/"));
  EXPECT_THAT(KeysOf(R"(source LIKE '/a\%b%')"), ElementsAre("source^/a%b"));
  EXPECT_THAT(KeysOf("source LIKE '/ci'"), ElementsAre("source=/ci"));
  EXPECT_THAT(KeysOf("source LIKE '%/ci'"), ElementsAre("any"));
  EXPECT_THAT(KeysOf("source LIKE '_ci'"), ElementsAre("any"));
}

TEST(IndexKeysTest, OfWhatAndJoinsTheOneThatFewHave) {
  EXPECT_THAT(KeysOf("type = 'a' AND subject = 's'"), ElementsAre("subject=s"));
  EXPECT_THAT(KeysOf("ORIGIN() = 'o' AND (source = '/ci' AND HOPS() = 1)"),
              ElementsAre("source=/ci"));
  EXPECT_THAT(KeysOf("type LIKE 'dev.cdevents.%' AND type = 'dev.cdevents.x'"),
              ElementsAre("type=dev.cdevents.x"));
  EXPECT_THAT(KeysOf("NOT (source = '/x') AND PLANE() = 'p'"), ElementsAre("plane=p"));
}

TEST(IndexKeysTest, OfWhatOrJoinsAll) {
  EXPECT_THAT(KeysOf("type = 'a' OR source = '/b'"), ElementsAre("type=a", "source=/b"));
  EXPECT_THAT(KeysOf("type = 'a' OR HOPS() = 1"), ElementsAre("any"));
  EXPECT_THAT(KeysOf("type = 'a' OR false"), ElementsAre("type=a"));
}

TEST(IndexKeysTest, NothingOfAllElse) {
  for (const char* condition :
       {"true", "type != 'a'", "type NOT LIKE 'a%'", "source NOT IN ('a')", "NOT (type = 'a')",
        "HOPS() = 1", "EXISTS subject", "type = source", "team = 'core'", "LOWER(type) = 'a'",
        "type = 'a' XOR source = 'b'", "subject IN ('a', source)", "CDEVENT('subject.id') = 'a'"}) {
    EXPECT_THAT(KeysOf(condition), ElementsAre("any")) << condition;
  }
}

TEST(IndexKeysTest, NothingToLookUpWhereItIsNeverTrue) {
  EXPECT_THAT(KeysOf("false"), testing::IsEmpty());
  EXPECT_THAT(KeysOf("type = 'a' AND false"), testing::IsEmpty());
}

TEST(IndexKeysTest, TooManyAreAsGoodAsNone) {
  std::string condition = "subject = '0'";
  for (size_t i = 1; i < IndexKeys::kMost; ++i)
    absl::StrAppend(&condition, " OR subject = '", i, "'");
  EXPECT_EQ(KeysOf(condition).size(), IndexKeys::kMost);
  EXPECT_THAT(KeysOf(condition + " OR subject = 'x'"), ElementsAre("any"));
}

TEST(IndexKeysTest, TheDialectsOfTheSubscriptionsApi) {
  EXPECT_THAT(KeysOf(R"({"exact": {"subject": "a"}})"), ElementsAre("subject=a"));
  EXPECT_THAT(KeysOf(R"([{"prefix": {"type": "dev.%_"}}, {"exact": {"source": "/a"}}])"),
              ElementsAre("source=/a"));
  EXPECT_THAT(KeysOf(R"({"prefix": {"type": "dev.%_"}})"), ElementsAre("type^dev.%_"));
  EXPECT_THAT(KeysOf(R"({"suffix": {"type": "x"}})"), ElementsAre("any"));
  EXPECT_THAT(KeysOf(R"({"any": [{"exact": {"subject": "a"}}, {"sql": "type = 'b'"}]})"),
              ElementsAre("type=b", "subject=a"));
}

TEST(IndexKeysTest, WhatDoesNotCompileHasNone) {
  EXPECT_THAT(IndexKeys::Of("type ="), HasReason(base::Reason::kInvalidFilter));
}

}  // namespace
}  // namespace cdgate::filter
