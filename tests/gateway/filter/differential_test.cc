// Programs against the reference evaluator, on random expressions and events.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/filter/filter_index.h"
#include "gateway/filter/program.h"
#include "gateway/filter/type_reach.h"
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
  to->fields().classification = ToValue(from.facts.at("CLASSIFICATION")).string();
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

// What a run reached: a run that no longer meets an error or a dialect shows nothing.
class Reach {
 public:
  void Count(const Value& value, const std::vector<ErrorKind>& kinds) {
    ++pairs_;
    ++values_[std::string(TypeName(value.type()))];
    if (value == Value::Boolean(true) && kinds.empty()) ++matches_;
    for (const ErrorKind kind : kinds) ++errors_[std::string(ErrorKindName(kind))];
  }
  void Print(uint64_t expressions) const {
    std::cout << pairs_ << " pairs of " << expressions << " expressions: " << matches_
              << " matches; values:";
    for (const auto& [name, count] : values_) std::cout << " " << name << " " << count;
    std::cout << "; errors:";
    for (const auto& [name, count] : errors_) std::cout << " " << name << " " << count;
    std::cout << "\n";
  }
  // Math, cast, missing attribute, function evaluation: the others are the compiler's.
  bool complete() const { return values_.size() == 3 && errors_.size() == 4 && matches_ > 0; }

 private:
  uint64_t pairs_ = 0;
  uint64_t matches_ = 0;
  std::map<std::string, uint64_t> values_;
  std::map<std::string, uint64_t> errors_;
};

// One expression on one event; the errors are checked and returned.
void Compare(const test::Expression& tree, const ReferenceEvent& reference_event,
             const Program& program, bool with_reads, EventContext& context, Reach* reach) {
  test::TestEvent event;
  Fill(reference_event, &event);
  context.Reset(event.parts());
  test::ReferenceEvaluator reference(reference_event);
  const ReferenceValue expected = reference.Evaluate(tree).value;
  std::vector<EvalError> errors;
  std::vector<ValueRead> reads;
  const Value value = program.Evaluate(context, &errors, with_reads ? &reads : nullptr);

  EXPECT_EQ(test::ReferenceText(ToReference(value)), test::ReferenceText(expected));
  EXPECT_EQ(ToReference(value).index(), expected.index());
  EXPECT_EQ(KindsOf(errors), reference.errors());
  reach->Count(value, reference.errors());
  ExpectMatches(program, context, ToValue(expected), reference.errors());
}

TEST(DifferentialTest, ProgramsAgreeWithTheReferenceEvaluator) {
  constexpr uint64_t kEventsEach = 4;
  EventContext context;
  Reach reach;
  const uint64_t expressions = Cases() / kEventsEach;
  for (uint64_t seed = 1; seed <= expressions && !testing::Test::HasFailure(); ++seed) {
    test::RandomCesql random(seed);
    const test::ExpressionPtr tree = random.Any(5);
    const std::string text = random.Text(*tree);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    const auto program = Program::Compile(text, {.condition = false});
    ASSERT_TRUE(program.ok()) << program.status();
    for (uint64_t i = 0; i < kEventsEach; ++i) {
      Compare(*tree, random.Event(), *program, seed % 2 == 0, context, &reach);
    }
  }
  reach.Print(expressions);
  EXPECT_TRUE(reach.complete());
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

// A condition that compiles strictly does what it does leniently, and keeps to what was
// proven of it.
TEST(DifferentialTest, ConditionsOnlyRefuseAndNeverChange) {
  EventContext context;
  size_t compiled = 0;
  for (uint64_t seed = 1; seed <= Cases() / 10; ++seed) {
    test::RandomCesql random(seed);
    test::TestEvent event;
    const ReferenceEvent reference_event = random.Event();
    Fill(reference_event, &event);
    context.Reset(event.parts());
    const std::string text = random.Text(*random.Any(4));
    const auto condition = Program::Compile(text);
    if (!condition.ok()) continue;
    ++compiled;
    const auto expression = Program::Compile(text, {.condition = false});
    ASSERT_TRUE(expression.ok());
    MatchError error;
    const bool matches = condition->Matches(context, &error);
    EXPECT_EQ(matches, expression->Matches(context)) << text;
    const auto reach = TypeReach::Of(text);
    ASSERT_TRUE(reach.ok());
    EXPECT_TRUE(!matches || reach->MayMatch(context.type())) << text;
    EXPECT_TRUE(!error || reference_event.broken || reach->CanFail()) << text;
  }
  EXPECT_GT(compiled, Cases() / 100);
}

// An index says of each of its conditions what the condition says by itself.
TEST(DifferentialTest, AnIndexFindsWhatIsTrue) {
  constexpr uint32_t kConditions = 500;
  constexpr int kEvents = 100;
  size_t found = 0;
  for (uint64_t seed = 1; seed <= Cases() / 3000; ++seed) {
    test::RandomCesql random(seed);
    FilterIndex index;
    std::map<uint32_t, Program> programs;
    for (uint32_t id = 0; id < kConditions; ++id) {
      const auto tree = id % 3 == 0 ? random.Any(4) : random.TextCondition(4);
      const std::string text = random.Text(*tree);
      if (!index.Add(id, text).ok()) continue;
      programs.emplace(id, *Program::Compile(text));
      if (id % 7 == 0) index.Remove(id - 5);
      if (id % 7 == 0) programs.erase(id - 5);
    }
    ASSERT_EQ(index.size(), programs.size());
    EventContext context;
    FilterIndex::Scratch scratch;
    for (int i = 0; i < kEvents; ++i) {
      const ReferenceEvent reference_event = random.Event();
      test::TestEvent event;
      Fill(reference_event, &event);
      context.Reset(event.parts());
      const auto matched = index.Match(context, &scratch);
      const std::set<uint32_t> said(matched.begin(), matched.end());
      EXPECT_EQ(said.size(), matched.size());
      for (auto& [id, program] : programs) {
        ASSERT_EQ(said.contains(id), program.Matches(context)) << program.source();
      }
      found += matched.size();
    }
    EXPECT_LT(index.evaluated_always(), index.conditions());
  }
  EXPECT_GT(found, 1000u);
}

}  // namespace
}  // namespace cdgate::filter
