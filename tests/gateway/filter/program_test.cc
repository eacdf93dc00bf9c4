#include "gateway/filter/program.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/status_matchers.h"

namespace cdgate::filter {
namespace {

using base::Reason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MetadataValue(const absl::Status& status, absl::string_view key) {
  for (const auto& [name, value] : base::MetadataOf(status)) {
    if (name == key) return value;
  }
  return "";
}

// "3", or "3 cast 1:5" with the first error.
std::string Result(absl::string_view expression, EventContext& event) {
  const Evaluation outcome = EvaluateSource(expression, event);
  std::string out = outcome.value;
  for (const Problem& problem : outcome.problems) {
    absl::StrAppend(&out, " ", ErrorKindName(problem.kind), " ", problem.position.line, ":",
                    problem.position.column);
  }
  return out;
}

std::string Result(absl::string_view expression) {
  test::TestEvent event;
  EventContext context;
  context.Reset(event.parts());
  return Result(expression, context);
}

TEST(ProgramTest, NamesTheEventsOfAnArtifact) {
  test::TestEvent event;
  event.With("type", "dev.cdevents.artifact.packaged.0.3.0");
  EventContext context;
  context.Reset(event.parts());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program program,
                              Program::Compile("type LIKE 'dev.cdevents.artifact.%'"));
  EXPECT_TRUE(program.Matches(context));
  event.With("type", "dev.cdevents.build.finished.0.3.0");
  context.Reset(event.parts());
  EXPECT_FALSE(program.Matches(context));
}

TEST(ProgramTest, SyntaxErrorsNamePlaceAndExpectation) {
  struct Case {
    const char* source;
    const char* message;
  };
  const Case cases[] = {
      {"",
       "line 1, column 1: expected an attribute, literal, function, NOT, EXISTS, '-' or '(', "
       "found the end"},
      {"type =\n\n  )", "line 3, column 3: expected an attribute"},
      {"type = 'x' type", "line 1, column 12: expected an operator or the end, found 'type'"},
      {"type LIKE 123", "line 1, column 11: expected a pattern in quotes after LIKE, found '123'"},
      {"type LIKE source", "expected a pattern in quotes after LIKE, found 'source'"},
      {"type IN 'x'", "expected '(' after IN, found 'x'"},
      {"type IN ()", "expected a value of the set, found ')'"},
      {"type IN ('x' 'y')", "expected ',' or ')' in the set, found 'y'"},
      {"type NOT 'x'", "expected LIKE or IN after NOT, found 'x'"},
      {"EXISTS 'x'", "expected the name of an attribute after EXISTS"},
      {"EXISTS a_b", "expected the name of an attribute, letters and digits only, found 'a_b'"},
      {"(type = 'x'", "expected an operator or ')', found the end"},
      {"type = 'x", "line 1, column 8: expected a closing ', found the end of the text"},
      {"'é' = é",
       "line 1, column 7: expected an attribute, literal, function or operator, found 'é'"},
      {"HOPS() = 2147483648", "expected an integer of 32 bits, found '2147483648'"},
      {"HOPS() = + 2", "expected digits directly after '+', found '2'"},
      {"a_b = 1", "expected '(' after the name of a function, found '='"},
      {"CONCAT('a' 'b')", "expected ',' or ')' in the arguments, found 'b'"},
      {"T1('a')", "expected the name of a function, letters and '_' only, found 'T1'"},
      {"CDEVENT(type) = 'x'", "line 1, column 9: expected the path in quotes"},
      {"CDEVENT('a..b') = 'x'", "path 'a..b' has an empty name"},
      {"type == 'x'", "line 1, column 7: expected an attribute, literal, function, NOT"},
      {"NOT", "line 1, column 4: expected an attribute"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.source);
    const absl::Status status = Program::Compile(test.source).status();
    EXPECT_THAT(status, test::HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr(test.message)));
    EXPECT_EQ(MetadataValue(status, "kind"), "parse");
  }
}

TEST(ProgramTest, ErrorsCarryTheirPlaceForPrograms) {
  const absl::Status status = Program::Compile("type =\n  FOO()").status();
  EXPECT_THAT(status, test::HasReasonAndMessage(Reason::kInvalidFilter,
                                                "line 2, column 3: there is no function FOO"));
  EXPECT_EQ(MetadataValue(status, "line"), "2");
  EXPECT_EQ(MetadataValue(status, "column"), "3");
  EXPECT_EQ(MetadataValue(status, "kind"), "missingFunction");
  EXPECT_EQ(MetadataValue(Program::Compile("type LIKE 1").status(), "expected"),
            "a pattern in quotes after LIKE");
  EXPECT_THAT(Program::Compile("LEFT('a') = 'a'"),
              test::HasReasonAndMessage(Reason::kInvalidFilter,
                                        HasSubstr("LEFT takes 2 arguments, not 1")));
  EXPECT_THAT(Program::Compile("HOPS(1) = 1"),
              test::HasReasonAndMessage(Reason::kInvalidFilter,
                                        HasSubstr("HOPS takes 0 arguments, not 1")));
}

TEST(ProgramTest, AConditionMustBeAbleToBeTrueOrFalse) {
  EXPECT_THAT(Program::Compile("SUBJECT_TYPE()"),
              test::HasReasonAndMessage(Reason::kInvalidFilter,
                                        HasSubstr("a condition is true or false, and this is a "
                                                  "String; compare it with something")));
  EXPECT_THAT(Program::Compile("HOPS() + 1"), test::HasReason(Reason::kInvalidFilter));
  EXPECT_THAT(Program::Compile("'yes'"), test::HasReason(Reason::kInvalidFilter));
  // The type of an extension is only known with the event.
  CDGATE_EXPECT_OK(Program::Compile("flag"));
  CDGATE_EXPECT_OK(Program::Compile("CDEVENT('customData.flag')"));
}

TEST(ProgramTest, AConditionMustNotFailAlways) {
  for (const char* source :
       {"'abc' + 1 = 2", "type = 'x' AND 1 / 0 = 1", "NOT HOPS()", "'maybe' AND type = 'x'",
        "ABS(-2147483648) = 1", "type = 'x' OR SUBSTRING('abc', 9) = 'x'", "'abc' = HOPS()",
        "HOPS() > 'many'"}) {
    SCOPED_TRACE(source);
    EXPECT_THAT(Program::Compile(source), test::HasReason(Reason::kInvalidFilter));
    CDGATE_EXPECT_OK(Program::Compile(source, {.condition = false}));
  }
  EXPECT_THAT(
      Program::Compile("type = 'x' AND\n 'abc' + 1 = 2"),
      test::HasReasonAndMessage(Reason::kInvalidFilter,
                                "line 2, column 2: this always fails: 'abc' is no Integer"));
}

TEST(ProgramTest, ReadsOperatorsInTheStandardsOrder) {
  EXPECT_EQ(Result("2 + 3 * 4"), "14");
  EXPECT_EQ(Result("20 - 3 - 4"), "13");
  EXPECT_EQ(Result("20 / 2 * 5"), "50");
  EXPECT_EQ(Result("1 + 1 = 2 AND 3 < 2 + 2"), "true");
  EXPECT_EQ(Result("-2 * 3"), "-6");
  EXPECT_EQ(Result("4 -1"), "3");
  EXPECT_EQ(Result("--10"), "10");
  EXPECT_EQ(Result("1 - -1"), "2");
  // AND and OR are of one rank, from left to right.
  EXPECT_EQ(Result("TRUE OR FALSE AND FALSE"), "false");
  EXPECT_EQ(Result("FALSE AND TRUE OR TRUE"), "true");
  EXPECT_EQ(Result("TRUE XOR TRUE AND FALSE"), "false");
  // NOT takes only what follows it directly.
  EXPECT_EQ(Result("NOT FALSE = FALSE"), "false");
  EXPECT_EQ(Result("NOT (FALSE = FALSE)"), "false");
  EXPECT_EQ(Result("NOT FALSE LIKE 'true'"), "true");
  EXPECT_EQ(Result("NOT EXISTS nothing"), "true");
}

TEST(ProgramTest, EscapesOnlyItsOwnQuote) {
  EXPECT_EQ(Result(R"('it\'s')"), "it's");
  EXPECT_EQ(Result(R"("say \"hi\"")"), "say \"hi\"");
  EXPECT_EQ(Result(R"('a\"b\c')"), R"(a\"b\c)");
  EXPECT_EQ(Result(R"('a\\')"), R"(a\\)");
}

TEST(ProgramTest, ArithmeticNeverOverflows) {
  EXPECT_EQ(Result("2147483647 + 1"), "0 math 1:1");
  EXPECT_EQ(Result("-2147483648 - 1"), "0 math 1:1");
  EXPECT_EQ(Result("65536 * 65536"), "0 math 1:1");
  EXPECT_EQ(Result("-2147483648 / -1"), "0 math 1:1");
  EXPECT_EQ(Result("-2147483648 % -1"), "0");
  EXPECT_EQ(Result("-(-2147483648)"), "0 math 1:1");
  EXPECT_EQ(Result("-7 / 2"), "-3");
  EXPECT_EQ(Result("-7 % 2"), "-1");
}

TEST(ProgramTest, CastsTextsExactly) {
  EXPECT_EQ(Result("INT('+12')"), "12");
  EXPECT_EQ(Result("INT(' 12')"), "0 cast 1:1");
  EXPECT_EQ(Result("INT('12 ')"), "0 cast 1:1");
  EXPECT_EQ(Result("INT('')"), "0 cast 1:1");
  EXPECT_EQ(Result("INT('-')"), "0 cast 1:1");
  EXPECT_EQ(Result("INT('2147483648')"), "0 cast 1:1");
  EXPECT_EQ(Result("INT('0x10')"), "0 cast 1:1");
  EXPECT_EQ(Result("BOOL('TrUe')"), "true");
  EXPECT_EQ(Result("TRUE = 1"), "true");
  EXPECT_EQ(Result("5 = '5'"), "true");
  EXPECT_EQ(Result("'x' = 5"), "false cast 1:1");
}

TEST(ProgramTest, FailedOperandsGiveZeroAndAddNoErrors) {
  EXPECT_EQ(Result("missing"), "false missingAttribute 1:1");
  EXPECT_EQ(Result("(1 / missing) + 5"), "0 missingAttribute 1:6");
  EXPECT_EQ(Result("missing LIKE 'x' OR TRUE"), "false missingAttribute 1:1");
  EXPECT_EQ(Result("missing = 'x' AND alsomissing = 'y'"), "false missingAttribute 1:1");
  EXPECT_EQ(Result("one = 'x' XOR two = 'y'"), "false missingAttribute 1:1 missingAttribute 1:15");
  EXPECT_EQ(Result("CONCAT(one, two, 'x')"), " missingAttribute 1:8 missingAttribute 1:13");
  EXPECT_EQ(Result("1 IN ('x', 1)"), "false cast 1:7");
  EXPECT_EQ(Result("1 IN (1, 'x')"), "true");
  EXPECT_EQ(Result("missing NOT IN ('x')"), "false missingAttribute 1:1");
}

TEST(ProgramTest, CountsCharactersNotBytes) {
  EXPECT_EQ(Result("LENGTH('größe')"), "5");
  EXPECT_EQ(Result("LEFT('größe', 3)"), "grö");
  EXPECT_EQ(Result("RIGHT('größe', 2)"), "ße");
  EXPECT_EQ(Result("SUBSTRING('größe', 3, 2)"), "öß");
  EXPECT_EQ(Result("UPPER('größe 東京 ж')"), "GRÖßE 東京 Ж");
  EXPECT_EQ(Result("LOWER('ΑΒΓ ÀÉ')"), "αβγ àé");
  EXPECT_EQ(Result("'größe' LIKE 'gr__e'"), "true");
  EXPECT_EQ(Result("TRIM('\u00a0\u3000x y\u2003')"), "x y");
}

TEST(ProgramTest, ConditionsStopAtTheFirstErrorAndSayWhere) {
  test::TestEvent event;
  EventContext context;
  context.Reset(event.parts());
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const Program program,
      Program::Compile("type = 'x' OR\n CDEVENT('subject.content.user') = 'bob'"));
  event.WithData("{}");
  context.Reset(event.parts());
  MatchError error;
  EXPECT_FALSE(program.Matches(context, &error));
  EXPECT_EQ(error.kind, ErrorKind::kMissingAttribute);
  EXPECT_EQ(program.PositionOf(error).line, 2u);
  EXPECT_EQ(program.PositionOf(error).column, 2u);
  EXPECT_EQ(program.MessageOf(error), "nothing is at CDEVENT('subject.content.user')");
}

TEST(ProgramTest, AResultThatIsNotBooleanDoesNotMatch) {
  test::TestEvent event;
  event.With("flag", "true");
  EventContext context;
  context.Reset(event.parts());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program program, Program::Compile("flag"));
  MatchError error;
  EXPECT_FALSE(program.Matches(context, &error));
  EXPECT_EQ(error.kind, ErrorKind::kCast);
  EXPECT_EQ(program.MessageOf(error), "flag: 'true' is no Boolean");
  event.Set("flag", Value::Boolean(true));
  context.Reset(event.parts());
  EXPECT_TRUE(program.Matches(context, &error));
  EXPECT_FALSE(error);
}

TEST(ProgramTest, TellsWhatItRead) {
  test::TestEvent event;
  event.With("team", "core").WithData(R"({"subject":{"content":{"user":"bob"}}})");
  EventContext context;
  context.Reset(event.parts());
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const Program program,
      Program::Compile("team = 'core' AND CDEVENT('subject.content.user') = 'bob' AND "
                       "(EXISTS other OR CDEVENT('customData.n', 3) = 3 AND ORIGIN() = ORIGIN())"));
  std::vector<EvalError> errors;
  std::vector<ValueRead> reads;
  EXPECT_TRUE(program.Evaluate(context, &errors, &reads).boolean());
  std::vector<std::string> shown;
  for (const ValueRead& read : reads) shown.push_back(read.expression + " is " + read.value);
  EXPECT_THAT(shown, ElementsAre("team is 'core'", "CDEVENT('subject.content.user') is 'bob'",
                                 "EXISTS other is false", "CDEVENT('customData.n', 3) is absent",
                                 "ORIGIN() is 'alpha.example'"));
}

TEST(ProgramTest, KnowsItsType) {
  const auto type = [](const char* source) {
    const absl::StatusOr<Program> program = Program::Compile(source, {.condition = false});
    return program.ok() ? program->type() : std::nullopt;
  };
  EXPECT_EQ(type("id = 'x'"), Type::kBoolean);
  EXPECT_EQ(type("HOPS() + 1"), Type::kInteger);
  EXPECT_EQ(type("source"), Type::kString);
  EXPECT_EQ(type("CDEVENT('a')"), std::nullopt);
  EXPECT_EQ(type("{\"sql\": \"team\"}"), Type::kBoolean);
}

TEST(ProgramTest, KnowsConstants) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program never, Program::Compile("1 = 2 AND missing = 'x'"));
  ASSERT_NE(never.constant(), nullptr);
  EXPECT_FALSE(never.constant()->boolean());
  EXPECT_EQ(never.steps(), 1u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program always, Program::Compile("TRUE OR missing = 'x'"));
  ASSERT_NE(always.constant(), nullptr);
  EXPECT_TRUE(always.constant()->boolean());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program folded, Program::Compile("id = LOWER(CONCAT('A', 1))"));
  EXPECT_EQ(folded.constant(), nullptr);
  EXPECT_EQ(folded.steps(), 1u);
}

TEST(ProgramTest, BoundsSourceStepsNestingAndDepth) {
  const auto refused = [](const std::string& source, const char* why) {
    EXPECT_THAT(Program::Compile(source),
                test::HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr(why)));
  };
  refused("type = '" + std::string(70000, 'x') + "'", "more than 65536");
  refused(std::string(65, '(') + "TRUE" + std::string(65, ')'), "nested more than 64");
  refused(std::string(100, '-') + "1 = 1", "nested more than 64");
  std::vector<std::string> terms(5000, "id = 'x'");
  refused(absl::StrJoin(terms, " OR "), "");
  terms.resize(1000);
  refused(absl::StrJoin(terms, " OR "), "more than 1000 operators in a row");
  terms.resize(900);
  CDGATE_EXPECT_OK(Program::Compile(absl::StrJoin(terms, " OR ")));
  std::vector<std::string> elements(5000, "1");
  refused("HOPS() IN (" + absl::StrJoin(elements, ",") + ")", "more than 4096 steps");
  EXPECT_THAT(Program::Compile("type = '\xff'"),
              test::HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr("not valid UTF-8")));
}

TEST(ProgramTest, BoundsTheWorkOfOneEvaluation) {
  test::TestEvent event;
  event.With("long", std::string(60000, 'a'));
  EventContext context;
  context.Reset(event.parts());
  MatchError error;

  CDGATE_ASSERT_OK_AND_ASSIGN(const Program slow,
                              Program::Compile("long LIKE '%_a_a_a_b%'", {.max_work = 1000}));
  EXPECT_FALSE(slow.Matches(context, &error));
  EXPECT_EQ(error.kind, ErrorKind::kGeneric);

  std::string doubled = "long";
  for (int i = 0; i < 4; ++i) doubled = absl::StrCat("CONCAT(", doubled, ", ", doubled, ")");
  CDGATE_ASSERT_OK_AND_ASSIGN(const Program large, Program::Compile("LENGTH(" + doubled + ") = 1"));
  EXPECT_FALSE(large.Matches(context, &error));
  EXPECT_EQ(error.kind, ErrorKind::kGeneric);
  EXPECT_THAT(large.MessageOf(error), HasSubstr("build too much text"));
}

TEST(ProgramTest, CopiesShareOneProgram) {
  test::TestEvent event;
  EventContext context;
  context.Reset(event.parts());
  std::vector<Program> programs;
  {
    CDGATE_ASSERT_OK_AND_ASSIGN(const Program program, Program::Compile("id = 'event-1'"));
    programs.assign(3, program);
  }
  for (const Program& program : programs) EXPECT_TRUE(program.Matches(context));
}

}  // namespace
}  // namespace cdgate::filter
