// Runs the technology compatibility kit of CloudEvents SQL, from the test data.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "gateway/filter/program.h"
#include "tests/gateway/filter/tck.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::filter {
namespace {

// A scalar of the kit as an attribute: only what is written without quotes is a number
// or a boolean.
Value ValueOf(const YAML::Node& node, test::TestEvent* event) {
  const std::string text = node.Scalar();
  int32_t integer = 0;
  bool boolean = false;
  if (test::IsPlain(node) && YAML::convert<int32_t>::decode(node, integer)) {
    return Value::Integer(integer);
  }
  if (test::IsPlain(node) && YAML::convert<bool>::decode(node, boolean)) {
    return Value::Boolean(boolean);
  }
  return Value::String(event->Keep(text));
}

void SetAttributes(const YAML::Node& attributes, test::TestEvent* event) {
  for (const auto& entry : attributes) {
    event->Set(entry.first.as<std::string>(), ValueOf(entry.second, event));
  }
}

// "cast" or "" of the outcome; the kit names one error at the most.
std::string ErrorOf(const Evaluation& outcome) {
  return outcome.problems.empty() ? "" : std::string(ErrorKindName(outcome.problems.front().kind));
}

void RunCase(const YAML::Node& test) {
  SCOPED_TRACE(test["expression"].as<std::string>());
  test::TestEvent event;
  if (test["event"]) {
    event.Clear();
    SetAttributes(test["event"], &event);
  }
  if (test["eventOverrides"]) SetAttributes(test["eventOverrides"], &event);
  EventContext context;
  context.Reset(event.parts());

  const Evaluation outcome = EvaluateSource(test["expression"].as<std::string>(), context);

  EXPECT_EQ(ErrorOf(outcome), test["error"] ? test["error"].as<std::string>() : "");
  if (!test["result"]) return;
  std::string expected = test["result"].Scalar();
  if (outcome.type == Type::kBoolean) expected = absl::AsciiStrToLower(expected);
  EXPECT_EQ(outcome.value, expected);
}

TEST(CesqlTckTest, EveryCaseOfTheKitPasses) {
  const std::vector<test::TckCase> cases = test::TckCases();
  if (cases.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  for (const test::TckCase& each : cases) {
    SCOPED_TRACE(each.name);
    RunCase(each.test);
  }
  EXPECT_GE(cases.size(), 200u);
}

}  // namespace
}  // namespace cdgate::filter
