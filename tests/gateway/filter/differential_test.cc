// Programs against the reference evaluator, on random expressions and events.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/filter/program.h"
#include "tests/gateway/filter/random_expression.h"
#include "tests/gateway/filter/reference_evaluator.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::filter {
namespace {

using test::ReferenceEvent;
using test::ReferenceValue;

uint64_t Cases() {
  const char* cases = std::getenv("CDGATE_FUZZ_CASES");
  return cases != nullptr ? std::strtoull(cases, nullptr, 10) : 30000;
}

ReferenceValue ToReference(const Value& value) {
  switch (value.type()) {
    case Type::kBoolean: return value.boolean();
    case Type::kInteger: return value.integer();
    case Type::kString: return std::string(value.string());
  }
  return false;
}

Value ToValue(const ReferenceValue& value) {
  if (const bool* boolean = std::get_if<bool>(&value)) return Value::Boolean(*boolean);
  if (const int32_t* integer = std::get_if<int32_t>(&value)) return Value::Integer(*integer);
  return Value::String(std::get<std::string>(value));
}

void Fill(const ReferenceEvent& from, test::TestEvent* to) {
  to->Clear();
  for (const auto& [name, value] : from.attributes) to->Set(name, ToValue(value));
  to->WithData(test::RandomCesql::Json(from));
  to->fields().origin = ToValue(from.facts.at("ORIGIN")).string();
  to->fields().plane = ToValue(from.facts.at("PLANE")).string();
  to->fields().hops = static_cast<uint32_t>(std::get<int32_t>(from.facts.at("HOPS")));
}

std::vector<ErrorKind> KindsOf(const std::vector<EvalError>& errors) {
  std::vector<ErrorKind> kinds;
  for (const EvalError& error : errors) kinds.push_back(error.kind);
  return kinds;
}

// What the condition says to a filter follows from the complete evaluation.
void ExpectMatches(const Program& program, EventContext& context, const Value& value,
                   const std::vector<ErrorKind>& kinds) {
  const bool boolean = value.type() == Type::kBoolean;
  MatchError error;
  const bool matches = program.Matches(context, &error);
  EXPECT_EQ(matches, kinds.empty() && boolean && value.boolean());
  const ErrorKind expected = !kinds.empty() ? kinds.front()
                             : boolean      ? ErrorKind::kNone
                                            : ErrorKind::kCast;
  EXPECT_EQ(error.kind, expected);
}

TEST(DifferentialTest, ProgramsAgreeWithTheReferenceEvaluator) {
  EventContext context;
  for (uint64_t seed = 1; seed <= Cases() && !testing::Test::HasFailure(); ++seed) {
    test::RandomCesql random(seed);
    const ReferenceEvent reference_event = random.Event();
    const test::ExpressionPtr tree = random.Tree(5);
    const std::string text = random.Text(*tree);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    test::TestEvent event;
    Fill(reference_event, &event);
    context.Reset(event.parts());

    test::ReferenceEvaluator reference(reference_event);
    const ReferenceValue expected = reference.Evaluate(*tree).value;
    const auto program = Program::Compile(text, {.condition = false});
    ASSERT_TRUE(program.ok()) << program.status();
    std::vector<EvalError> errors;
    std::vector<ValueRead> reads;
    const Value value = program->Evaluate(context, &errors, seed % 2 == 0 ? &reads : nullptr);

    EXPECT_EQ(test::ReferenceText(ToReference(value)), test::ReferenceText(expected));
    EXPECT_EQ(ToReference(value).index(), expected.index());
    EXPECT_EQ(KindsOf(errors), reference.errors());
    ExpectMatches(*program, context, ToValue(expected), reference.errors());
  }
}

// The short way that such conditions take says what the long one does.
TEST(DifferentialTest, ConditionsOnTextsAgreeWithTheReferenceEvaluator) {
  EventContext context;
  for (uint64_t seed = 1; seed <= Cases() && !testing::Test::HasFailure(); ++seed) {
    test::RandomCesql random(seed);
    const ReferenceEvent reference_event = random.Event();
    const test::ExpressionPtr tree = random.TextCondition(5);
    const std::string text = random.Text(*tree);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    test::TestEvent event;
    Fill(reference_event, &event);
    context.Reset(event.parts());
    test::ReferenceEvaluator reference(reference_event);
    const ReferenceValue expected = reference.Evaluate(*tree).value;
    const auto program = Program::Compile(text, {.condition = false});
    ASSERT_TRUE(program.ok()) << program.status();
    ExpectMatches(*program, context, ToValue(expected), reference.errors());
  }
}

// A condition that compiles strictly does what it does leniently.
TEST(DifferentialTest, ConditionsOnlyRefuseAndNeverChange) {
  EventContext context;
  size_t compiled = 0;
  for (uint64_t seed = 1; seed <= Cases() / 10; ++seed) {
    test::RandomCesql random(seed);
    test::TestEvent event;
    const ReferenceEvent reference_event = random.Event();
    Fill(reference_event, &event);
    context.Reset(event.parts());
    const std::string text = random.Text(*random.Tree(4));
    const auto condition = Program::Compile(text);
    if (!condition.ok()) continue;
    ++compiled;
    const auto expression = Program::Compile(text, {.condition = false});
    ASSERT_TRUE(expression.ok());
    EXPECT_EQ(condition->Matches(context), expression->Matches(context)) << text;
  }
  EXPECT_GT(compiled, Cases() / 100);
}

}  // namespace
}  // namespace cdgate::filter
