// The protocol told as stories: testdata/*.txt, see testdata/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "tests/federation/link/script.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace cdgate {
namespace {

std::vector<std::string> Scripts() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("tests/federation/link/testdata")) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class LinkScriptTest : public testing::TestWithParam<std::string> {};

TEST_P(LinkScriptTest, PlaysAsRecorded) {
  const std::string path = "tests/federation/link/testdata/" + GetParam() + ".txt";
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string script, base::ReadFile(path));
  EXPECT_TRUE(test::MatchesGolden(path, test::PlayScript(script)));
}

INSTANTIATE_TEST_SUITE_P(Stories, LinkScriptTest, testing::ValuesIn(Scripts()),
                         [](const auto& story) { return story.param; });

}  // namespace
}  // namespace cdgate
