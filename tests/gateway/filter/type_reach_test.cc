#include "gateway/filter/type_reach.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/filter/program.h"
#include "tests/gateway/filter/random_expression.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::filter {
namespace {

constexpr char kBuild[] = "dev.cdevents.build.finished.0.3.0";
constexpr char kIncident[] = "dev.cdevents.incident.detected.0.3.0";
constexpr char kCustom[] = "dev.cdeventsx.mytool-probe.finished.0.1.0";

TypeReach ReachOf(absl::string_view condition) {
  absl::StatusOr<TypeReach> reach = TypeReach::Of(condition);
  EXPECT_TRUE(reach.ok()) << condition << ": " << reach.status();
  return reach.ok() ? *reach : *TypeReach::Of("TRUE");
}

TEST(TypeReachTest, SaysWhichTypesCannotMatch) {
  for (const char* condition : {"type = 'dev.cdevents.build.finished.0.3.0'",
                                "'dev.cdevents.build.finished.0.3.0' = type",
                                "type LIKE 'dev.cdevents.build.%'",
                                "type NOT LIKE '%incident%'",
                                "type IN ('x', 'dev.cdevents.build.finished.0.3.0')",
                                "type NOT IN ('dev.cdevents.incident.detected.0.3.0')",
                                "type != 'dev.cdevents.incident.detected.0.3.0'",
                                "SUBJECT_TYPE() = 'build'",
                                "SUBJECT_TYPE() != 'incident'",
                                "PREDICATE() LIKE 'fin%'",
                                "STAGE() IN ('ci', 'cd')",
                                "NOT (SUBJECT_TYPE() = 'incident')",
                                "NOT (STAGE() != 'ci')",
                                "source = '/a' AND STAGE() = 'ci'",
                                "STAGE() = 'ci' AND CDEVENT('x') = 'y'",
                                "STAGE() = 'cd' OR (STAGE() = 'ci' AND EXISTS team)",
                                "STAGE() = 'operations' XOR TRUE",
                                "(STAGE() = 'ci') XOR (SUBJECT_TYPE() = 'branch')",
                                "LOWER('BUILD') = SUBJECT_TYPE()",
                                "NOT (source = '/a' OR SUBJECT_TYPE() = 'incident')"}) {
    EXPECT_TRUE(ReachOf(condition).MayMatch(kBuild)) << condition;
    EXPECT_FALSE(ReachOf(condition).MayMatch(kIncident)) << condition;
  }
}

TEST(TypeReachTest, MayMatchWhatIsNotKnown) {
  for (const char* condition :
       {"TRUE", "source = '/a'", "STAGE() = 'cd' OR source = '/a'", "NOT (source = '/a')",
        "type IN ('x', source)", "type = source", "LOWER(type) LIKE '%build%'",
        "type LIKE '%' AND HAS_CDEVENT('customData.x')", "STAGE() = 'cd' XOR source = '/a'",
        "(STAGE() = 'cd') = FALSE", "LENGTH(type) = 5"}) {
    EXPECT_TRUE(ReachOf(condition).MayMatch(kBuild)) << condition;
  }
  EXPECT_FALSE(ReachOf("FALSE").MayMatch(kBuild));
  EXPECT_FALSE(ReachOf("1 = 2 AND type = 'x'").MayMatch(kBuild));
}

TEST(TypeReachTest, KnowsCustomTypesAndForeignOnes) {
  EXPECT_TRUE(ReachOf("STAGE() = 'custom'").MayMatch(kCustom));
  EXPECT_TRUE(ReachOf("SUBJECT_TYPE() = 'mytool-probe'").MayMatch(kCustom));
  EXPECT_FALSE(ReachOf("SUBJECT_TYPE() = 'probe'").MayMatch(kCustom));
  EXPECT_TRUE(ReachOf("SUBJECT_TYPE() = ''").MayMatch("com.example.thing"));
  EXPECT_FALSE(ReachOf("STAGE() = 'ci'").MayMatch("com.example.thing"));
}

TEST(TypeReachTest, RefusesWhatIsNoCondition) {
  EXPECT_FALSE(TypeReach::Of("type").ok());
  EXPECT_FALSE(TypeReach::Of("type = ").ok());
}

// Whatever the rest of the event, a condition that matches an event may match its type.
TEST(TypeReachTest, NeverExcludesWhatMatches) {
  const char* const types[] = {kBuild, kIncident, kCustom, "com.example.thing", ""};
  EventContext context;
  for (uint64_t seed = 1; seed <= 20000; ++seed) {
    test::RandomCesql random(seed);
    const std::string text = random.Text(*random.TextCondition(5));
    const absl::StatusOr<Program> program = Program::Compile(text);
    if (!program.ok()) continue;
    const TypeReach reach = ReachOf(text);
    for (const char* type : types) {
      test::TestEvent event;
      event.With("type", type).With("subject", "a.b").With("team", "ab");
      context.Reset(event.parts());
      const bool matches = program->Matches(context);
      EXPECT_TRUE(!matches || reach.MayMatch(type)) << text;
    }
  }
}

TEST(TypeReachTest, ProvesThatConditionsCannotFail) {
  for (const char* condition :
       {"TRUE", "type = 'a' AND source LIKE '/a/%' OR id != 'x'", "specversion = '1.0'",
        "EXISTS team", "EXISTS team AND team = 'x'", "EXISTS team AND (type = 'a' OR team = 'x')",
        "(EXISTS team AND type = 'a') AND team LIKE 'x%'",
        "EXISTS subject AND subject IN ('a', 'b')", "SUBJECT_TYPE() IN ('build', 'incident')",
        "ORIGIN() = 'a' AND PLANE() != 'b' AND HOPS() < 3 AND HOPS() != 2",
        "CLASSIFICATION() = '' AND REGULATION() = '' AND CATEGORY() = ''",
        "HAS_CDEVENT('customData.team')", "CDEVENT('subject.id') LIKE 'pkg:%'",
        "NOT (type = 'a') XOR TRUE", "HOPS() AND TRUE", "LENGTH(type) > 5",
        "LEFT(source, 3) = '/a/'", "STRING(HOPS()) = '1'", "INT(HOPS()) = 1"}) {
    EXPECT_FALSE(ReachOf(condition).CanFail()) << condition;
  }
}

TEST(TypeReachTest, TakesFailureForPossibleElsewhere) {
  for (const char* condition :
       {"team = 'x'",
        "subject = 'x'",
        "time != ''",
        "EXISTS team OR team = 'x'",
        "team = 'x' AND EXISTS team",
        "NOT EXISTS team AND team = 'x'",
        "EXISTS team AND team",
        "EXISTS team AND NOT team",
        "EXISTS team AND team = 5",
        "EXISTS team AND team IN ('x')",
        "EXISTS team AND NOT (EXISTS flag) AND flag = 'x'",
        "type = 5",
        "type > 5",
        "type = TRUE",
        "NOT type",
        "HOPS() + 1 = 2",
        "-HOPS() = 1",
        "CDEVENT('customData.team', '') = 'x'",
        "HAS_CDEVENT('customData.team') AND CDEVENT('customData.team') = 'x'",
        "CDEVENT('subject.content') = 'x'",
        "CDEVENT('subject.id') = 5",
        "INT(type) = 5",
        "BOOL(type)",
        "CONCAT(type, source) = 'x'",
        "LOWER(type) = 'x'",
        "LEFT(type, HOPS()) = 'a'",
        "SUBSTRING(type, 3) = 'x'",
        "ABS(HOPS()) = 1",
        "HOPS() IN (source)",
        "source = team"}) {
    EXPECT_TRUE(ReachOf(condition).CanFail()) << condition;
  }
}

// An evaluation that touches too much text fails.
TEST(TypeReachTest, CountsTheWorkOfLargeEvents) {
  const TypeReach scan = ReachOf("type LIKE '%a%b%'");
  EXPECT_FALSE(scan.CanFail());
  EXPECT_TRUE(scan.CanFail(size_t{17} << 20));
  EXPECT_FALSE(ReachOf("type LIKE 'a%b'").CanFail(size_t{17} << 20));
  EXPECT_TRUE(ReachOf("type LIKE '%_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%'").CanFail());
}

AndRelation Relation(absl::string_view candidate, absl::string_view base) {
  const absl::StatusOr<AndRelation> relation = IsAndOf(candidate, base);
  EXPECT_TRUE(relation.ok()) << relation.status();
  return relation.value_or(AndRelation::kNo);
}

TEST(IsAndOfTest, FindsTheBaseAtTheBeginning) {
  for (const auto& [candidate, base] : std::initializer_list<std::pair<const char*, const char*>>{
           {"type = 'a' AND source = 'b'", "type = 'a'"},
           {"type = 'a' AND source = 'b' AND id = 'c'", "type = 'a' AND source = 'b'"},
           {"type = 'a' AND (source = 'b' AND id = 'c')", "(TYPE='a')   and source = \"b\""},
           {"(type = 'a' OR type = 'b') AND id = 'c'", "type = 'a' OR type = 'b'"},
           {"type = 'a'", "type = 'a'"},
           {"type = 'a'", "TRUE"},
           {"CDEVENT('a.b') = 'x' AND TRUE AND id = 'c'", "CDEVENT(\"a.b\") = 'x'"},
           {"team", "team"}}) {
    EXPECT_EQ(Relation(candidate, base), AndRelation::kBaseFirst) << candidate << " / " << base;
  }
}

TEST(IsAndOfTest, FindsTheBaseLater) {
  for (const auto& [candidate, base] : std::initializer_list<std::pair<const char*, const char*>>{
           {"source = 'b' AND type = 'a'", "type = 'a'"},
           {"id = 'c' AND (type = 'a' AND source = 'b')", "type = 'a' AND source = 'b'"},
           {"type = 'a' AND id = 'c' AND source = 'b'", "type = 'a' AND source = 'b'"},
           {"FALSE", "type = 'a'"}}) {
    EXPECT_EQ(Relation(candidate, base), AndRelation::kBaseLater) << candidate << " / " << base;
  }
}

TEST(IsAndOfTest, FindsNothingElsewhere) {
  for (const auto& [candidate, base] : std::initializer_list<std::pair<const char*, const char*>>{
           {"type = 'a' OR source = 'b'", "type = 'a'"},
           {"type = 'a'", "type = 'a' AND source = 'b'"},
           {"type = 'b' AND source = 'b'", "type = 'a'"},
           {"type = 'a' AND source = 'b' OR id = 'c'", "type = 'a'"},
           {"NOT (type = 'a' AND id = 'c')", "type = 'a'"},
           {"type != 'a' AND id = 'c'", "type = 'a'"},
           {"type NOT LIKE 'a' AND id = 'c'", "type LIKE 'a'"},
           {"CDEVENT('a.c') = 'x' AND id = 'c'", "CDEVENT('a.b') = 'x'"},
           {"type = '5' AND id = 'c'", "type = 'a'"},
           // The text 'true' is none of the first and one of the second.
           {"team AND id = 'c'", "team"},
           {"TRUE", "type = 'a'"}}) {
    EXPECT_EQ(Relation(candidate, base), AndRelation::kNo) << candidate << " / " << base;
  }
  EXPECT_FALSE(IsAndOf("type = ", "TRUE").ok());
  EXPECT_FALSE(IsAndOf("TRUE", "type").ok());
}

}  // namespace
}  // namespace cdgate::filter
