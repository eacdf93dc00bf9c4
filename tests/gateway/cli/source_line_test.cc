#include "gateway/cli/source_line.h"

#include <gtest/gtest.h>

namespace cdgate::cli {
namespace {

TEST(ShowPlaceTest, PutsACaretUnderTheColumn) {
  EXPECT_EQ(ShowPlace("type = x", 1, 1), "    type = x\n    ^\n");
  EXPECT_EQ(ShowPlace("type = x", 1, 8), "    type = x\n           ^\n");
  EXPECT_EQ(ShowPlace("type =", 1, 7), "    type =\n          ^\n");
  EXPECT_EQ(ShowPlace("a\nbc\nd", 2, 2), "    bc\n     ^\n");
}

TEST(ShowPlaceTest, CountsCharacters) {
  EXPECT_EQ(ShowPlace("'é😀' x", 1, 6), "    'é😀' x\n         ^\n");
  EXPECT_EQ(ShowPlace("\ta\r", 1, 2), "     a \n     ^\n");
}

TEST(ShowPlaceTest, ShowsOfALongLineWhatIsAround) {
  const std::string line = std::string(200, 'a') + "x" + std::string(200, 'b');
  EXPECT_EQ(ShowPlace(line, 1, 201), "    " + std::string(48, 'a') + "x" + std::string(47, 'b') +
                                         "\n    " + std::string(48, ' ') + "^\n");
  EXPECT_EQ(ShowPlace(line, 1, 2), "    " + std::string(96, 'a') + "\n     ^\n");
}

TEST(ShowPlaceTest, IsEmptyWhereThereIsNoSuchLine) {
  EXPECT_EQ(ShowPlace("a", 2, 1), "");
  EXPECT_EQ(ShowPlace("a", 0, 0), "");
}

}  // namespace
}  // namespace cdgate::cli
