// What the JSON library does not tell about a text: how a number was written, and
// whether escaped surrogates come in pairs. Inside gateway/event only.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::event {

// True where a \uD800-\uDFFF escape is not one half of a pair, high before low. `text`
// is JSON, or nearly: backslashes are only meaningful within strings.
bool HasLoneSurrogate(absl::string_view text);

// Rewrites, in place and at equal length, each number of `text` that neither 64 bits nor
// a double can hold: an integer becomes the same number in scientific notation, and what
// is still beyond a double becomes 1e308 or -1e308. False where a number is malformed;
// the text may be partly rewritten then.
bool FitNumbersToDouble(char* text, size_t size);

// True where `lexeme` is a number as RFC 8259 writes it.
bool IsJsonNumber(absl::string_view lexeme);

// The exact decimal value of a JSON number in one spelling: "1", "1.0", "10e-1" all give
// "1e0"; "-0" and "0" differ, as IEEE 754 has them apart. Numbers whose exponent has more
// than nine digits keep their own spelling, with "x" before it. So two numbers with the
// same result have the same value.
std::string NormalNumber(absl::string_view lexeme);

}  // namespace cdgate::event
