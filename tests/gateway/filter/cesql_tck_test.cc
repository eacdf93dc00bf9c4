// Runs the technology compatibility kit of CloudEvents SQL, from the test data.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "gateway/filter/program.h"
#include "tests/gateway/filter/test_event.h"

namespace cdgate::filter {
namespace {

std::filesystem::path TckFolder() {
  const char* data = std::getenv("CDGATE_TEST_DATA");
  return std::filesystem::path(data != nullptr ? data : "../shared/data") / "cesql_tck";
}

// A scalar of the kit as an attribute: only what is written without quotes is a number
// or a boolean.
Value ValueOf(const YAML::Node& node, test::TestEvent* event) {
  const std::string text = node.Scalar();
  int32_t integer = 0;
  bool boolean = false;
  if (node.Tag() != "!" && YAML::convert<int32_t>::decode(node, integer)) {
    return Value::Integer(integer);
  }
  if (node.Tag() != "!" && YAML::convert<bool>::decode(node, boolean)) {
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
  SCOPED_TRACE(test["name"].as<std::string>() + ": " + test["expression"].as<std::string>());
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
  if (!std::filesystem::exists(TckFolder())) {
    GTEST_SKIP() << "no " << TckFolder() << "; set CDGATE_TEST_DATA";
  }
  size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TckFolder())) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().filename().string());
    for (const YAML::Node& test : YAML::LoadFile(entry.path().string())["tests"]) {
      RunCase(test);
      ++cases;
    }
  }
  EXPECT_GE(cases, 200u);
}

}  // namespace
}  // namespace cdgate::filter
