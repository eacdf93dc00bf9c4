// The filter dialects of the CloudEvents Subscriptions API.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/errors.h"
#include "gateway/filter/analysis.h"
#include "gateway/filter/program.h"
#include "gateway/filter/type_reach.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/status_matchers.h"

namespace cdgate::filter {
namespace {

using base::Reason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DialectTest : public testing::Test {
 protected:
  DialectTest() {
    event_.With("subject", "build-7").With("team", "core").With("odd", "50%_\\x");
    event_.Set("count", Value::Integer(7));
    event_.Set("flag", Value::Boolean(true));
    context_.Reset(event_.parts());
  }

  // "true", "false", or with the error: "false missingAttribute".
  std::string Match(absl::string_view filter) {
    const absl::StatusOr<Program> program = Program::Compile(filter);
    EXPECT_TRUE(program.ok()) << program.status();
    if (!program.ok()) return "refused";
    MatchError error;
    const bool matches = program->Matches(context_, &error);
    std::vector<EvalError> errors;
    const Value value = program->Evaluate(context_, &errors);
    EXPECT_EQ(errors.empty() && value == Value::Boolean(true), matches) << filter;
    EXPECT_EQ(errors.empty(), !error) << filter;
    return absl::StrCat(matches ? "true" : "false", error ? " " : "", ErrorKindName(error.kind));
  }
  bool Matches(absl::string_view filter) { return Match(filter) == "true"; }

  test::TestEvent event_;
  EventContext context_;
};

TEST_F(DialectTest, ExactPrefixAndSuffixCompareTexts) {
  for (const char* filter :
       {R"({"exact": {"subject": "build-7"}})", R"({"prefix": {"subject": "build"}})",
        R"({"suffix": {"subject": "-7"}})", R"({"prefix": {"subject": "build-7"}})",
        R"({"exact": {"type": "dev.cdevents.build.finished.0.3.0", "source": "/alpha/ci"}})",
        R"({"prefix": {"type": "dev.", "team": "c", "id": "event"}})",
        // Anything is compared as its text.
        R"({"exact": {"count": "7", "flag": "true"}})", R"({"prefix": {"flag": "tr"}})",
        R"({"suffix": {"count": "7"}})", R"({"exact": {"specversion": "1.0"}})",
        // Nothing is a wildcard.
        R"({"exact": {"odd": "50%_\\x"}})", R"({"prefix": {"odd": "50%_\\"}})",
        R"({"suffix": {"odd": "%_\\x"}})", R"({"suffix": {"odd": "\u005cx"}})"}) {
    EXPECT_EQ(Match(filter), "true") << filter;
  }
  for (const char* filter :
       {R"({"exact": {"subject": "Build-7"}})", R"({"prefix": {"subject": "BUILD"}})",
        R"({"suffix": {"subject": "7 "}})", R"({"prefix": {"subject": "build-7x"}})",
        R"({"exact": {"subject": "build-7", "source": "/beta"}})", R"({"prefix": {"odd": "%"}})",
        R"({"suffix": {"odd": "_x"}})", R"({"exact": {"count": "07"}})"}) {
    EXPECT_EQ(Match(filter), "false") << filter;
  }
}

TEST_F(DialectTest, WhatTheEventDoesNotHaveIsFalseAndNoError) {
  EXPECT_EQ(Match(R"({"exact": {"absent": "x"}})"), "false");
  EXPECT_EQ(Match(R"({"prefix": {"absent": "x"}})"), "false");
  EXPECT_EQ(Match(R"({"suffix": {"subject": "-7", "absent": "x"}})"), "false");
  EXPECT_EQ(Match(R"({"not": {"exact": {"absent": "x"}}})"), "true");
}

TEST_F(DialectTest, AllAnyAndNotNest) {
  EXPECT_TRUE(Matches(R"({"all": [{"exact": {"team": "core"}}, {"exact": {"flag": "true"}}]})"));
  EXPECT_FALSE(Matches(R"({"all": [{"exact": {"team": "core"}}, {"exact": {"team": "x"}}]})"));
  EXPECT_TRUE(Matches(R"({"any": [{"exact": {"team": "x"}}, {"exact": {"team": "core"}}]})"));
  EXPECT_FALSE(Matches(R"({"any": [{"exact": {"team": "x"}}, {"exact": {"absent": "x"}}]})"));
  EXPECT_FALSE(Matches(R"({"not": {"exact": {"team": "core"}}})"));
  EXPECT_TRUE(Matches(R"({"not": {"any": [{"not": {"exact": {"team": "core"}}},
      {"all": [{"prefix": {"team": "x"}}]}]}})"));
}

TEST_F(DialectTest, AnArrayIsAllOfItsFilters) {
  EXPECT_TRUE(Matches("[]"));
  EXPECT_TRUE(Matches(R"( [{"exact": {"team": "core"}}, {"suffix": {"team": "re"}}])"));
  EXPECT_FALSE(Matches(R"([{"exact": {"team": "core"}}, {"suffix": {"team": "x"}}])"));
}

TEST_F(DialectTest, SqlIsMadeABoolean) {
  EXPECT_EQ(Match(R"({"sql": "team = 'core' AND count > 3"})"), "true");
  EXPECT_EQ(Match(R"({"sql": "team = \"core\""})"), "true");
  EXPECT_EQ(Match(R"({"sql": "flag"})"), "true");
  EXPECT_EQ(Match(R"({"sql": "count"})"), "true");
  EXPECT_EQ(Match(R"({"sql": "count - 7"})"), "false");
  EXPECT_EQ(Match(R"({"not": {"sql": "count - 7"}})"), "true");
  EXPECT_EQ(Match(R"([{"sql": "STAGE() = 'ci'"}, {"prefix": {"team": "c"}}])"), "true");
}

// An error is false. Where that makes the filter false, the error is told as well.
TEST_F(DialectTest, ErrorsOfSqlAreFalse) {
  EXPECT_EQ(Match(R"({"sql": "absent = 'x'"})"), "false missingAttribute");
  EXPECT_EQ(Match(R"([{"exact": {"team": "core"}}, {"sql": "team"}])"), "false cast");
  EXPECT_EQ(Match(R"({"all": [{"sql": "1 / (count - 7) = 1"}]})"), "false math");
  EXPECT_EQ(Match(R"({"not": {"sql": "absent = 'x'"}})"), "true");
  EXPECT_EQ(Match(R"~({"not": {"sql": "NOT (absent = 'x')"}})~"), "true");
  EXPECT_EQ(Match(R"({"not": {"sql": "NOT count"}})"), "true");
  EXPECT_EQ(Match(R"({"any": [{"sql": "absent"}, {"exact": {"team": "core"}}]})"), "true");
  EXPECT_EQ(Match(R"({"any": [{"sql": "team"}, {"exact": {"team": "x"}}]})"), "false");
  EXPECT_EQ(Match(R"({"not": {"all": [{"sql": "team"}, {"exact": {"team": "core"}}]}})"), "true");
  // What fails after one that was forgiven is told.
  EXPECT_EQ(Match(R"~([{"not": {"sql": "absent"}}, {"sql": "1 = INT(team)"}])~"), "false cast");
  EXPECT_EQ(Match(R"~([{"not": {"sql": "1 = INT(team)"}}, {"not": {"sql": "1 = INT(team)"}}])~"),
            "true");
}

TEST_F(DialectTest, WorksInExpressionsThatAreNoConditions) {
  const Evaluation good = EvaluateSource(R"({"sql": "1 + 1"})", context_);
  EXPECT_EQ(good.value, "true");
  EXPECT_THAT(good.problems, IsEmpty());
  const Evaluation bad = EvaluateSource("[{\"exact\":\n {\"Team\": \"x\"}}]", context_);
  EXPECT_EQ(bad.value, "false");
  ASSERT_EQ(bad.problems.size(), 1u);
  EXPECT_EQ(bad.problems[0].kind, ErrorKind::kParse);
  EXPECT_EQ(bad.problems[0].position.line, 2u);
  EXPECT_EQ(bad.problems[0].position.column, 3u);
}

TEST_F(DialectTest, ErrorsNamePlaceAndExpectation) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "line 1, column 2: expected a dialect: \"exact\", \"prefix\""},
      {"{}", "line 1, column 2: expected a dialect"},
      {"[", "line 1, column 2: expected a filter, {\"dialect\": ...}, found the end"},
      {"[1]", "column 2: expected a filter, {\"dialect\": ...}, found '1'"},
      {R"([{"exact": {"id": "x"}},])", "column 25: expected a filter"},
      {R"([{"exact": {"id": "x"}}] x)", "column 26: expected the end, found 'x'"},
      {R"({"exact": {"id": "x"}} {)", "column 24: expected the end, found '{'"},
      {R"({"cesql": "id = 'x'"})",
       "column 2: expected a dialect: \"exact\", \"prefix\", "
       "\"suffix\", \"all\", \"any\", \"not\" or \"sql\", found "
       "\"cesql\""},
      {R"({"exact" {"id": "x"}})", "column 10: expected ':' after the dialect"},
      {R"({"exact": "x"})", "column 11: expected an object of attributes"},
      {R"({"exact": {}})", "column 12: expected the name of an attribute in quotes"},
      {R"({"exact": {"": "x"}})", "column 12: expected the name of an attribute, lower-case"},
      {R"({"exact": {"myAttr": "x"}})", "lower-case letters and digits, found \"myAttr\""},
      {R"({"exact": {"id": ""}})", "column 18: expected a text, found an empty one"},
      {R"({"exact": {"id": 5}})", "column 18: expected a text in quotes, found '5'"},
      {R"({"exact": {"id": null}})", "expected a text in quotes, found 'null'"},
      {R"({"exact": {"id": "x",}})", "expected the name of an attribute in quotes, found '}'"},
      {R"({"exact": {"id": "x", "id": "y"}})", "column 23: expected each attribute once"},
      {R"({"exact": {"id": "x"}, "not": {}})", "an object holds one dialect; write {\"all\": "},
      {R"({"all": []})", "column 9: expected at least one filter in the array, found none"},
      {R"({"any": {"exact": {"id": "x"}}})", "column 9: expected an array of filters"},
      {R"({"not": [{"exact": {"id": "x"}}]})", "column 9: expected a filter, {\"dialect\": ...}"},
      {R"({"sql": {}})", "column 9: expected a CESQL expression in quotes"},
      {R"({"sql": ""})", "column 10: expected an attribute, literal"},
      {R"({"sql": "id = "})", "column 15: expected an attribute, literal"},
      {R"({"sql": "id = \"x\" AND"})", "column 24: expected an attribute, literal"},
      {R"({"sql": "'é' = \"x\" AND 1 2"})", "column 28: expected an operator or the end"},
      {R"~({"sql": "NOPE()"})~", "column 10: there is no function NOPE"},
      {R"({"sql": "'x'"})", "column 10: this always fails"},
      {R"({"exact": {"id": "x)", "column 18: expected a closing \""},
      {R"({"exact": {"id": "\x"}})", "column 19: expected an escape of JSON"},
      {R"({"exact": {"id": "\u00g0"}})", "column 19: expected \\u and four hexadecimal digits"},
      {R"({"exact": {"id": "\ud800"}})", "column 19: expected two escapes that are a surrogate"},
      {"{\"exact\": {\"id\": \"a\tb\"}}", "column 20: expected control characters as escapes"},
  };
  for (const auto& [filter, message] : cases) {
    EXPECT_THAT(Program::Compile(filter),
                test::HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr(message)))
        << filter;
  }
}

TEST_F(DialectTest, IsBounded) {
  const auto refused = [](const std::string& filter, const char* why) {
    EXPECT_THAT(Program::Compile(filter),
                test::HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr(why)));
  };
  std::string deep = R"({"exact": {"id": "x"}})";
  for (int i = 0; i < 63; ++i) deep = absl::StrCat("{\"not\": ", deep, "}");
  EXPECT_EQ(Match(deep), "true");
  refused(absl::StrCat("{\"not\": ", deep, "}"), "nested more than 64 levels deep");
  // More filters than operators may stand in a row.
  std::vector<std::string> many(1024, R"({"exact": {"id": "event-1"}})");
  EXPECT_EQ(Match(absl::StrCat("[", absl::StrJoin(many, ","), "]")), "true");
  many.resize(2000, many[0]);
  refused(absl::StrCat("[", absl::StrJoin(many, ","), "]"), "more than 4096 steps");
  refused(absl::StrCat("[", std::string(70000, ' '), "]"), "more than 65536");
}

TEST_F(DialectTest, TellsWhatItRead) {
  const absl::StatusOr<Program> program = Program::Compile(
      R"([{"exact": {"team": "core"}}, {"not": {"exact": {"absent": "x"}}}, {"sql": "HOPS() < 3"}])");
  ASSERT_TRUE(program.ok());
  std::vector<EvalError> errors;
  std::vector<ValueRead> reads;
  EXPECT_TRUE(program->Evaluate(context_, &errors, &reads).boolean());
  std::vector<std::string> shown;
  for (const ValueRead& read : reads) shown.push_back(read.expression + " is " + read.value);
  EXPECT_THAT(shown, ElementsAre("team is 'core'", "absent is absent", "HOPS() is 0"));
}

TEST_F(DialectTest, AnalysisSeesThroughIt) {
  EXPECT_THAT(Analyse(R"([{"exact": {"team": "x"}}, {"prefix": {"type": "a"}}])").pitfalls,
              IsEmpty());
  const Analysis sql = Analyse("{\"not\":\n  {\"sql\": \"team = 'x'\"}}");
  ASSERT_EQ(sql.pitfalls.size(), 1u);
  EXPECT_EQ(sql.pitfalls[0].position.line, 2u);
  EXPECT_EQ(sql.pitfalls[0].position.column, 12u);
  EXPECT_TRUE(Analyse(R"([{"exact": {"type": "a"}}, {"exact": {"type": "b"}}])").never_true);
  EXPECT_TRUE(Analyse(R"([{"exact": {"type": "abc"}}, {"prefix": {"type": "b"}}])").never_true);
  EXPECT_FALSE(Analyse(R"([{"exact": {"type": "abc"}}, {"prefix": {"type": "a"}}])").never_true);
}

TEST_F(DialectTest, TypeReachSeesThroughIt) {
  const auto reach = [](const char* filter) { return *TypeReach::Of(filter); };
  const char* const build = "dev.cdevents.build.finished.0.3.0";
  EXPECT_TRUE(reach(R"({"prefix": {"type": "dev.cdevents.build."}})").MayMatch(build));
  EXPECT_FALSE(reach(R"({"prefix": {"type": "dev.cdevents.b%"}})").MayMatch(build));
  EXPECT_FALSE(reach(R"({"not": {"suffix": {"type": ".0.3.0"}}})").MayMatch(build));
  EXPECT_FALSE(reach(R"({"sql": "STAGE() = 'cd'"})").MayMatch(build));
  EXPECT_FALSE(reach(R"({"any": [{"sql": "STAGE() = 'cd'"}]})").MayMatch(build));
  // What fails within is false, so that the other may be.
  EXPECT_TRUE(reach(R"({"not": {"sql": "type = 'x' OR CDEVENT('x') = 'y' OR STAGE() = 'ci'"}})")
                  .MayMatch(build));
  EXPECT_FALSE(reach(R"({"exact": {"team": "x", "subject": "y"}})").CanFail());
  EXPECT_FALSE(reach(R"({"not": {"sql": "CDEVENT('x') = 'y'"}})").CanFail());
  EXPECT_TRUE(reach(R"({"sql": "CDEVENT('x') = 'y'"})").CanFail());
}

TEST_F(DialectTest, IsAndOfSeesThroughIt) {
  EXPECT_EQ(*IsAndOf(R"([{"sql": "type = 'a'"}, {"exact": {"id": "x"}}])", "type = 'a'"),
            AndRelation::kBaseFirst);
  EXPECT_EQ(*IsAndOf(R"({"exact": {"id": "x", "type": "a"}})", "type = 'a'"),
            AndRelation::kBaseLater);
  EXPECT_EQ(*IsAndOf(R"([{"prefix": {"type": "a"}}, {"exact": {"id": "x"}}])",
                     R"({"suffix": {"type": "a"}})"),
            AndRelation::kNo);
  EXPECT_EQ(*IsAndOf(R"({"any": [{"sql": "type = 'a'"}]})", "type = 'a'"), AndRelation::kNo);
}

// What the conformance kit says in CESQL, said in the dialects.
struct Recreation {
  const char* filter;
  const char* sql;
};
const Recreation kRecreations[] = {
    {R"({"prefix": {"source": "https://"}})", "source LIKE 'https://%'"},
    {R"({"prefix": {"myext": "custom"}})", "myext LIKE 'custom%'"},
    {R"({"suffix": {"type": ".error"}})", "type like '%.error'"},
    {R"({"suffix": {"myext": "ext"}})", "myext LIKE '%ext'"},
    {R"({"exact": {"id": "myId"}})", "id = 'myId'"},
    {R"({"exact": {"myext": "customext"}})", "myext = 'customext'"},
    {R"([{"prefix": {"id": "my"}}, {"suffix": {"source": ".ca"}}])",
     "id LIKE 'my%' AND source LIKE '%.ca'"},
    {R"([{"prefix": {"myext": "custom"}}, {"suffix": {"type": ".error"}}])",
     "myext LIKE 'custom%' AND type LIKE '%.error'"},
    {R"([{"prefix": {"type": "example.", "myext": "custom"}}])",
     "type LIKE 'example.%' AND myext LIKE 'custom%'"},
    {R"({"any": [{"prefix": {"id": "my"}}, {"suffix": {"source": ".ca"}}]})",
     "id LIKE 'my%' OR source LIKE '%.ca'"},
    {R"({"any": [{"all": [{"exact": {"id": "myId"}}, {"suffix": {"type": ".success"}}]},
          {"all": [{"exact": {"id": "notmyId"}}, {"prefix": {"source": "http://"}},
                   {"suffix": {"type": ".warning"}}]}]})",
     "(id = 'myId' AND type LIKE '%.success') OR (id = 'notmyId' AND source LIKE 'http://%' "
     "AND "
     "type LIKE '%.warning')"},
    {R"([{"any": [{"exact": {"id": "myId"}}, {"suffix": {"type": ".success"}}]},
          {"any": [{"exact": {"id": "notmyId"}}, {"prefix": {"source": "https://"}},
                   {"suffix": {"type": ".warning"}}]}])",
     "(id = 'myId' OR type LIKE '%.success') AND (id = 'notmyId' OR source LIKE 'https://%' OR "
     "type LIKE '%.warning')"},
};

// Events that the recreations tell apart.
std::deque<test::TestEvent> RecreationEvents() {
  std::deque<test::TestEvent> events;  // which copies none
  for (const char* id : {"myId", "notmyId"}) {
    for (const char* source : {"https://example.com", "http://www.some-website.ca"}) {
      for (const char* type : {"com.github.error", "a.success", "example.event.warning"}) {
        for (const char* ext : {"customext", "other", ""}) {
          test::TestEvent& event = events.emplace_back();
          event.With("id", id).With("source", source).With("type", type);
          if (*ext != '\0') event.With("myext", ext);
        }
      }
    }
  }
  return events;
}

TEST_F(DialectTest, SaysWhatTheConformanceKitRecreates) {
  std::deque<test::TestEvent> events = RecreationEvents();
  for (const Recreation& c : kRecreations) {
    const absl::StatusOr<Program> filter = Program::Compile(c.filter);
    const absl::StatusOr<Program> sql = Program::Compile(c.sql);
    ASSERT_TRUE(filter.ok() && sql.ok()) << c.filter << filter.status();
    size_t matches = 0;
    for (test::TestEvent& event : events) {
      context_.Reset(event.parts());
      MatchError error;
      const bool matched = filter->Matches(context_, &error);
      EXPECT_EQ(matched, sql->Matches(context_)) << c.filter;
      EXPECT_FALSE(error);
      matches += matched ? 1 : 0;
    }
    EXPECT_GT(matches, 0u) << c.filter;
    EXPECT_LT(matches, events.size()) << c.filter;
  }
}

}  // namespace
}  // namespace cdgate::filter
