// What an event must have for a condition to be true, as far as an index can look it up: one of a
// few texts in one of a few places.
//
//   CDGATE_ASSIGN_OR_RETURN(auto keys, IndexKeys::Of("type = 'a' AND source LIKE '/ci/%'"));
//   keys.keys      {kSource, prefix, "/ci/"}: the more selective of the two
//
// Known are type, source, subject, SUBJECT_TYPE(), PREDICATE(), STAGE(), ORIGIN() and PLANE()
// compared with texts by =, IN and LIKE, and what AND and OR make of that. Nothing of all else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::filter {

enum class KeyField : uint8_t {
  kType,
  kSource,
  kSubject,
  kSubjectType,
  kPredicate,
  kStage,
  kOrigin,
  kPlane,
};
inline constexpr size_t kKeyFields = 8;

struct IndexKey {
  KeyField field = KeyField::kType;
  bool prefix = false;  // the field begins with `text`; else it is `text`
  std::string text;

  bool operator==(const IndexKey&) const = default;
  auto operator<=>(const IndexKey&) const = default;
};

struct IndexKeys {
  // Beyond so many an index gains nothing.
  static constexpr size_t kMost = 64;

  // The condition may be true for any event: `keys` is empty. Else where it is true, one of `keys`
  // holds; none of none: it is never true.
  bool any = true;
  std::vector<IndexKey> keys = {};  // ascending, each once

  // `condition` must compile as a condition; the error is that of Program::Compile().
  static absl::StatusOr<IndexKeys> Of(absl::string_view condition);
};

}  // namespace cdgate::filter
