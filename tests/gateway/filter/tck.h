// The technology compatibility kit of CloudEvents SQL, from the test data.
//
//   for (const test::TckCase& each : test::TckCases()) Run(each.test);
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace cdgate::test {

struct TckCase {
  std::string name;  // with its file
  YAML::Node test;   // name, expression, result, error, event, eventOverrides
};

inline std::filesystem::path TckFolder() {
  const char* data = std::getenv("CDGATE_TEST_DATA");
  return std::filesystem::path(data != nullptr ? data : "../shared/data") / "cesql_tck";
}

// Every case of every file; none where there is no such folder.
inline std::vector<TckCase> TckCases() {
  std::vector<TckCase> cases;
  if (!std::filesystem::exists(TckFolder())) return cases;
  for (const auto& entry : std::filesystem::directory_iterator(TckFolder())) {
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
