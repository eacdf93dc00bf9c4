// The texts of quantities in YAML files.
//
//   ParseDuration("7d")     90s, 15m, 24h, 7d, and sums of falling units: 1h30m, 1s500ms
//   ParseSize("64KiB")      plain bytes, or with B, KB, MB, GB, TB (powers of 1000),
//                           KiB, MiB, GiB, TiB (powers of 1024)
//   ParseTimestamp(...)     RFC 3339 with an offset
//
// Formatters write what their parser reads back to the same value. Call them with the
// namespace: Abseil has functions of the same names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::config {

// Not negative, whole nanoseconds, at most 10,000 years; none where `text` is no duration.
std::optional<absl::Duration> ParseDuration(absl::string_view text);
std::string FormatDuration(absl::Duration duration);

// None where `text` is no size, or does not fit 64 bits.
std::optional<uint64_t> ParseSize(absl::string_view text);

// Years 1 to 9999; none where `text` is no timestamp.
std::optional<absl::Time> ParseTimestamp(absl::string_view text);
// In UTC: "2026-01-02T03:04:05.5Z".
std::string FormatTimestamp(absl::Time time);

}  // namespace cdgate::config
