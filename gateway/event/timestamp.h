// RFC 3339 timestamps, read without a time library: admission reads one per event.
//
//   int64_t seconds;
//   int32_t nanos;
//   if (!event::ParseRfc3339("2026-01-02T03:04:05.678+01:00", &seconds, &nanos)) ...
//
// Accepted is the grammar of RFC 3339, section 5.6: date, 'T', time, optional fraction,
// 'Z' or a numeric offset; letters of either case. Digits of the fraction beyond
// nanoseconds are cut. A leap second (23:59:60 in UTC) is the second after it. The
// instant must lie in the years 1 to 9999 in UTC, as google.protobuf.Timestamp holds it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cdgate::event {

// False where `text` is not such a timestamp; the results are then unspecified.
// `seconds` counts from the Unix epoch; 0 <= nanos < 1e9.
bool ParseRfc3339(absl::string_view text, int64_t* seconds, int32_t* nanos);

// In UTC with as many digits of the fraction as it has: "2026-01-02T02:04:05.678Z".
std::string FormatRfc3339(int64_t seconds, int32_t nanos);

}  // namespace cdgate::event
