// Golden files: what a format or a protocol trace is, kept in the repository.
//
//   EXPECT_TRUE(test::MatchesGolden("tests/federation/link/testdata/resume.txt", trace));
//
// Run the test with --update_golden to rewrite the file; commit only what you
// understand. Paths are relative to the repository's root, where tests run.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "gateway/base/file.h"

namespace cdgate::test {

inline bool& UpdateGoldenFlag() {
  static bool update = false;
  return update;
}
inline void SetUpdateGolden(bool update) { UpdateGoldenFlag() = update; }

inline testing::AssertionResult MatchesGolden(const std::string& path, const std::string& got) {
  if (UpdateGoldenFlag()) {
    const absl::Status written = base::WriteFileAtomically(path, got);
    if (!written.ok()) return testing::AssertionFailure() << written.ToString();
    return testing::AssertionSuccess();
  }
  const auto want = base::ReadFile(path);
  if (!want.ok()) return testing::AssertionFailure() << want.status().ToString();
  if (*want == got) return testing::AssertionSuccess();
  return testing::AssertionFailure() << path << " differs; run with --update_golden and look at "
                                     << "the diff.\n--- got ---\n"
                                     << got;
}

}  // namespace cdgate::test
