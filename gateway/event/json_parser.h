// Parses event data once, and only data that every parser reads the same way: I-JSON in
// form (RFC 7493).
//
//   event::JsonParser parser;                       // one per worker, reused
//   CDGATE_ASSIGN_OR_RETURN(simdjson::dom::element root, parser.ParseIJson(data));
//
// Refused as AMBIGUOUS_JSON: a duplicate member in any object (names compared after
// unescaping), invalid UTF-8, an escaped surrogate without its other half, a byte order
// mark, more than kMaxJsonDepth levels. Refused as INVALID_JSON: what is not one JSON text,
// the empty text included.
//
// Numbers of any size are JSON and admitted. The tree shows an integer beyond 64 bits as
// a double with its first 15 digits right, and what a double cannot hold as 1e308 or
// -1e308; the data bytes keep the digits.
//
// The tree and its strings belong to the parser and are valid until its next call. The
// parser keeps memory for the largest text it has seen. Not thread-safe.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/event/json_names.h"

namespace cdgate::event {

class JsonParser {
 public:
  JsonParser() = default;

  // The root of `text`, checked as above.
  absl::StatusOr<simdjson::dom::element> ParseIJson(absl::string_view text);

  // The root of a text that was admitted before: the same without the checks that
  // admission made. INVALID_JSON where it is not JSON.
  absl::StatusOr<simdjson::dom::element> ParseAdmitted(absl::string_view text);

  // The whole of what was parsed last.
  const simdjson::dom::document& document() const { return parser_.doc; }

 private:
  void Copy(absl::string_view text);
  absl::StatusOr<simdjson::dom::element> ParseCopy(absl::string_view text);

  simdjson::dom::parser parser_;
  std::unique_ptr<char[]> padded_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  NameCheck names_;
};

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace cdgate::event
