// Where the data of tests is that is not part of the repository: official events, test
// kits. A test that needs it skips where it is absent.
//
//   const std::string events = test::TestData("cdevents");
//   if (events.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace cdgate::test {

// The path of `name` in $CDGATE_TEST_DATA, or in ../shared/data from the repository's
// root; empty where there is none.
inline std::string TestData(const std::string& name) {
  const char* const root = getenv("CDGATE_TEST_DATA");
  const std::string path = std::string(root == nullptr ? "../shared/data" : root) + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace cdgate::test
