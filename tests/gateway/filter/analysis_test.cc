#include "gateway/filter/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cdgate::filter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "1:5 message" of each.
std::vector<std::string> PitfallsOf(absl::string_view source) {
  std::vector<std::string> out;
  for (const Pitfall& pitfall : Analyse(source).pitfalls) {
    out.push_back(
        absl::StrCat(pitfall.position.line, ":", pitfall.position.column, " ", pitfall.message));
  }
  return out;
}

TEST(AnalysisTest, GoodConditionsHaveNoPitfalls) {
  for (const char* source :
       {"TRUE", "type LIKE 'dev.cdevents.artifact.%' AND source = '/a'",
        "HAS_CDEVENT('subject.content.user') AND CDEVENT('subject.content.user') = 'x'",
        "CDEVENT('customData.team', '') = 'x'", "CDEVENT('subject.id') = 'x'",
        "EXISTS team AND team = 'x'", "NOT EXISTS team", "NOT (type = 'x')", "type NOT LIKE 'x'",
        "(type = 'x' AND id = 'y') OR source = 'z'", "SUBJECT_TYPE() IN ('build', 'tool-probe')",
        "NOT HAS_CDEVENT('a') AND STAGE() = 'ci'", "this does not compile"}) {
    EXPECT_THAT(PitfallsOf(source), IsEmpty()) << source;
  }
}

TEST(AnalysisTest, WarnsOfFieldsThatMayBeAbsent) {
  EXPECT_THAT(PitfallsOf("type = 'x' AND\nCDEVENT('subject.content.user') = 'bob'"),
              ElementsAre(HasSubstr("2:1 fails on events without subject.content.user; write "
                                    "HAS_CDEVENT('subject.content.user') AND ...")));
  EXPECT_THAT(PitfallsOf("team = 'x'"),
              ElementsAre(HasSubstr("1:1 fails on events without the attribute team")));
}

TEST(AnalysisTest, WarnsOfPrecedence) {
  EXPECT_THAT(PitfallsOf("type = 'a' OR type = 'b' AND source = 'c'"),
              ElementsAre(HasSubstr("1:1 AND, OR and XOR have the same precedence")));
  EXPECT_THAT(PitfallsOf("NOT type LIKE 'a%'"), ElementsAre(HasSubstr("NOT binds tighter")));
  EXPECT_THAT(PitfallsOf("NOT type = 'a'"), ElementsAre(HasSubstr("NOT binds tighter")));
  EXPECT_THAT(PitfallsOf("NOT type IN ('a')"), ElementsAre(HasSubstr("NOT binds tighter")));
}

TEST(AnalysisTest, WarnsOfNamesThatNoReleaseHas) {
  EXPECT_THAT(PitfallsOf("SUBJECT_TYPE() = 'incidents'"),
              ElementsAre(HasSubstr("1:18 no release of CDEvents has the subject 'incidents'")));
  EXPECT_THAT(PitfallsOf("PREDICATE() IN ('finished', 'finnished')"),
              ElementsAre(HasSubstr("has the predicate 'finnished'")));
  EXPECT_THAT(PitfallsOf("STAGE() != 'deploy'"), ElementsAre(HasSubstr("no stage 'deploy'")));
}

TEST(AnalysisTest, FindsWhatCanNeverBeTrue) {
  for (const char* source :
       {"FALSE", "1 = 2 AND type = 'x'", "type = 'a' AND source = 's' AND type = 'b'",
        "ORIGIN() = 'a' AND (PLANE() = 'x' AND ORIGIN() = 'b')",
        "type = 'dev.cdevents.build.started.0.3.0' AND type LIKE 'dev.cdevents.artifact.%'",
        "type = 'abc' AND type NOT LIKE 'a%'"}) {
    EXPECT_TRUE(Analyse(source).never_true) << source;
  }
  for (const char* source :
       {"type = 'a' OR type = 'b'", "type = 'a' AND type = 'a'", "type = 'abc' AND type LIKE 'a%'",
        // Both hold for a subject 05.
        "subject = 5 AND subject = '05'", "NOT (type = 'a') AND type = 'b'"}) {
    EXPECT_FALSE(Analyse(source).never_true) << source;
  }
}

}  // namespace
}  // namespace cdgate::filter
