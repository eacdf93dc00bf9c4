// Characters of UTF-8 text, as CESQL counts and changes them: one character is one code
// point. A byte that is not valid UTF-8 is one character by itself, so that every
// function here is total.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace cdgate::filter {

struct Character {
  uint32_t code = 0;
  uint32_t size = 0;   // bytes; 0 only for empty text
  bool valid = false;  // false: one byte that is not UTF-8
};

// The first character of `text`.
Character DecodeFirst(absl::string_view text);
// Writes `code` to `out`, which has room for 4 bytes; the number of bytes written.
size_t Encode(uint32_t code, char* out);

size_t CountCharacters(absl::string_view text);
// The byte offset of character `n`, counted from 0; text.size() beyond the last.
size_t OffsetOfCharacter(absl::string_view text, size_t n);

// Simple case mapping; a character without another case maps to itself.
uint32_t ToLower(uint32_t code);
uint32_t ToUpper(uint32_t code);

// Without white space, as Unicode defines it, at both ends.
absl::string_view TrimWhiteSpace(absl::string_view text);

}  // namespace cdgate::filter
