// Numbers beyond 64 bits and beyond a double, which are JSON and which the parser's tree
// refuses.
//
//   std::string copy(json);
//   if (!ReplaceNumbers(&copy) || parser.parse(copy).error()) Refuse();
//
// Pure; any thread.
#pragma once

#include <string>

namespace cdgate::cdevents {

// Overwrites each number in `json` outside of texts with a 0 and spaces, so that all else can
// be parsed. False where one is malformed (RFC 8259, section 6); `json` is then partly
// overwritten. What is no JSON stays none.
bool ReplaceNumbers(std::string* json);

}  // namespace cdgate::cdevents
