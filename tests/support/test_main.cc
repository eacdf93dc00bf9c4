// The main of every test: GoogleTest plus --update_golden, which makes golden-file
// comparisons (tests/support/golden.h) rewrite their files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/string_view.h"

#include "tests/support/golden.h"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]) == "--update_golden") cdgate::test::SetUpdateGolden(true);
  }
  return RUN_ALL_TESTS();
}
