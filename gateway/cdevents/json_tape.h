// Reads a parsed JSON text word by word, from simdjson's tape (its doc/tape.md): the
// library's own iterators cost twice the parse.
//
//   const JsonTape tape(parser.doc);
//   size_t at = JsonTape::kRoot;
//   if (tape.type(at) == '{') {
//     for (size_t m = at + 1; m != tape.end(at) - 1; m = tape.Skip(m + 1)) Use(tape.text(m));
//   }
//
// A place is the index of a value's first word, or of a member's name, which its value
// follows. What it hands out is valid as long as the document. A value.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace cdgate::cdevents {

class JsonTape {
 public:
  static constexpr size_t kRoot = 1;  // behind the word of the document

  JsonTape() = default;  // of nothing
  explicit JsonTape(const simdjson::dom::document& document)
      : tape_(document.tape.get()), strings_(document.string_buf.get()) {}

  // '{', '[', '"', 'l' and 'u' (integers), 'd' (others), 't', 'f' or 'n'.
  char type(size_t at) const { return static_cast<char>(tape_[at] >> 56); }

  // Of a text or a name.
  absl::string_view text(size_t at) const {
    const uint8_t* const string = strings_ + (tape_[at] & 0x00ffffffffffffff);
    uint32_t size;
    std::memcpy(&size, string, sizeof size);
    return {reinterpret_cast<const char*>(string) + sizeof size, size};
  }

  // Past the last word of an object or array.
  size_t end(size_t at) const { return static_cast<uint32_t>(tape_[at]); }

  // Past the value at `at`, whatever it holds.
  size_t Skip(size_t at) const {
    switch (type(at)) {
      case '{':
      case '[': return end(at);
      case 'l':
      case 'u':
      case 'd': return at + 2;
      default: return at + 1;
    }
  }

  // Of a number: the bits of an int64_t ('l'), uint64_t ('u') or double ('d').
  uint64_t number(size_t at) const { return tape_[at + 1]; }

 private:
  const uint64_t* tape_ = nullptr;
  const uint8_t* strings_ = nullptr;
};

}  // namespace cdgate::cdevents
