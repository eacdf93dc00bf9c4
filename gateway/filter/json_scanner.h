// Splits JSON text into tokens that know where they stand, for errors with line and
// column. Internal to the library.
//
// The text must be valid UTF-8 and outlive the tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::filter {

enum class JsonTokenKind : uint8_t {
  kEnd,
  kOpenObject,
  kCloseObject,
  kOpenArray,
  kCloseArray,
  kColon,
  kComma,
  kString,  // with its quotes
  kWord,    // a number, true, false, null, or what is none of JSON
};

struct JsonToken {
  JsonTokenKind kind = JsonTokenKind::kEnd;
  uint32_t begin = 0;
  uint32_t end = 0;
};

// A string without its quotes and escapes.
struct JsonString {
  std::string text;
  // Where in the source each byte of `text` comes from, and after the last the closing
  // quote: one more than `text` has bytes.
  std::vector<uint32_t> places;
};

class JsonScanner {
 public:
  explicit JsonScanner(absl::string_view source) : source_(source) {}

  // kEnd at the end, as often as asked. INVALID_FILTER where a string does not end.
  absl::StatusOr<JsonToken> Next();
  // `token` must be a kString. INVALID_FILTER where an escape is none of RFC 8259 or a
  // control character is not escaped.
  absl::StatusOr<JsonString> Decode(const JsonToken& token) const;

 private:
  absl::StatusOr<JsonToken> String();
  absl::Status DecodeEscape(size_t* at, size_t end, JsonString* out) const;
  absl::StatusOr<uint32_t> DecodeCodePoint(size_t* at, size_t end) const;
  absl::StatusOr<uint32_t> DecodeHex(size_t at, size_t end) const;
  JsonToken Take(JsonTokenKind kind, size_t size);

  absl::string_view source_;
  size_t at_ = 0;
};

}  // namespace cdgate::filter
