// Looks through a parsed text for what I-JSON forbids: two members of one name in an
// object, and more than kMaxJsonDepth levels. Inside gateway/event only.
//
//   NameCheck check;                                 // one per worker, reused
//   if (check.Run(parser.doc) == NameCheck::Fault::kDuplicate) Use(check.duplicate());
//
// Not thread-safe.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/cdevents/json_tape.h"

namespace cdgate::event {

// Objects and arrays within each other; the root object is one.
inline constexpr size_t kMaxJsonDepth = 64;

class NameCheck {
 public:
  enum class Fault { kNone, kDuplicate, kDepth };

  // The first fault of the document that was parsed last.
  Fault Run(const simdjson::dom::document& document);
  // Where Run says kDuplicate: the name, as long as the document.
  absl::string_view duplicate() const { return duplicate_; }

 private:
  // These take the index of a value's first word. Value moves past it.
  bool Value(size_t* at, size_t depth);
  bool Array(size_t at, size_t depth);
  bool Object(size_t at, size_t depth);
  bool ManyNames(size_t at);
  bool IsAmong(const size_t* places, size_t count, absl::string_view name) const;
  bool Fail(Fault fault) {
    fault_ = fault;
    return false;
  }

  cdevents::JsonTape tape_;
  Fault fault_ = Fault::kNone;
  absl::string_view duplicate_;
  std::vector<absl::string_view> names_;  // scratch of ManyNames
};

}  // namespace cdgate::event
