// The technology compatibility kit of CloudEvents SQL, from the test data.
//
//   for (const test::TckCase& each : test::TckCases()) Run(each.test);
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/test_data.h"

namespace cdgate::test {

struct TckCase {
  std::string name;  // with its file
  YAML::Node test;   // name, expression, result, error, event, eventOverrides
};

// Every case of every file; none where that data is not at hand (test_data.h).
inline std::vector<TckCase> TckCases() {
  std::vector<TckCase> cases;
  const std::string folder = TestData("cesql_tck");
  if (folder.empty()) return cases;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    for (const YAML::Node& test : YAML::LoadFile(entry.path().string())["tests"]) {
      cases.push_back(
          {entry.path().filename().string() + ": " + test["name"].as<std::string>(), test});
    }
  }
  return cases;
}

// Only what is written without quotes is a number or a boolean.
inline bool IsPlain(const YAML::Node& node) { return node.Tag() != "!"; }

}  // namespace cdgate::test
