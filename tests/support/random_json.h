// Random JSON: values of every kind, and texts that show the same value in many ways.
//
//   Random random(7);
//   const JsonTree tree = RandomJsonObject(random, /*depth=*/3);
//   const std::string json = PrintJson(tree, random);
#pragma once

#include <string>

#include "tests/support/json_tree.h"
#include "tests/support/random.h"

namespace cdgate::test {

// Words of several scripts, combining marks, characters beyond the first plane, U+2028,
// quotes; where `controls`, also NUL and other control characters. May be empty.
std::string RandomText(Random& random, bool controls);

// An integer, also beyond 64 bits, a decimal, also beyond a double, 1.0, -0, exponents.
std::string RandomNumber(Random& random);

// Nested at most `depth` times. No two members of an object have the same name, and no name
// is one that CDEvents knows.
JsonTree RandomJson(Random& random, int depth);
JsonTree RandomJsonObject(Random& random, int depth);

// White space, the order of members and escapes are chosen at random; digits are kept.
std::string PrintJson(const JsonTree& tree, Random& random);

}  // namespace cdgate::test
