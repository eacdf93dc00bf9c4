// Plays a golden script against links.
//
//   EXPECT_TRUE(test::MatchesGolden(path, test::PlayScript(script)));
//
// A script is a text of commands, each followed by what the link answered. Lines that
// begin with "> " are commands, "#" comments and empty lines are kept, everything else is
// output and made anew. The commands are listed in testdata/README.md.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::test {

std::string PlayScript(absl::string_view script);

}  // namespace cdgate::test
