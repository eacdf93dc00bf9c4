// RFC 3339 timestamps, read without a time library: admission reads one per event.
//
//   int64_t seconds;
//   int32_t nanos;
//   if (!base::ParseRfc3339("2026-01-02T03:04:05.678+01:00", &seconds, &nanos)) ...
//
// Accepted is what the official schemas of CDEvents take for a date-time (formats.h says
// which validator judges them): the grammar of RFC 3339, section 5.6, and beyond it
//  - any whitespace of ECMAScript in place of the 'T', exactly one;
//  - an offset without its colon or without its minutes: "+0130", "+01";
//  - hours over 23 and minutes over 59, where they come to 23:59 in UTC by the offset:
//    "24:59:05+01:00" is 23:59:05 of the same day in UTC.
// A leap second is one at the end of a day in UTC, and is the second after it. Digits of
// the fraction beyond nanoseconds are cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::base {

struct Instant {
  int64_t seconds;  // from the Unix epoch; -62167305540 or more: the year 0000 exists here
  int32_t nanos;    // 0 <= nanos < 1e9
};

// Nothing where `text`, which is UTF-8, is not such a timestamp. Does not allocate.
std::optional<Instant> ReadDateTime(absl::string_view text);

// As ReadDateTime, for what google.protobuf.Timestamp can hold: also false where the
// instant is not in the years 1 to 9999 in UTC. Where it is false the results are
// unspecified.
bool ParseRfc3339(absl::string_view text, int64_t* seconds, int32_t* nanos);

// In UTC with as many digits of the fraction as it has: "2026-01-02T02:04:05.678Z".
std::string FormatRfc3339(int64_t seconds, int32_t nanos);

}  // namespace cdgate::base
