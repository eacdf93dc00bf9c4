// Whether a text is UTF-8. Most are short ASCII, which is cheaper to see here than in the
// library. Inside gateway/event and gateway/admission only.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace cdgate::event {

inline bool IsShortAscii(absl::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  if (text.size() > 128) return false;
  uint64_t seen = 0;
  uint64_t word;
  if (text.size() >= sizeof word) {
    for (size_t at = 0; at + sizeof word < text.size(); at += sizeof word) {
      std::memcpy(&word, text.data() + at, sizeof word);
      seen |= word;
    }
    std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
    seen |= word;
  } else {
    for (const char c : text) seen |= static_cast<uint64_t>(c) & 0x80;
  }
  return (seen & kHighBits) == 0;
}

inline bool IsUtf8(absl::string_view text) {
  return IsShortAscii(text) || simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace cdgate::event
