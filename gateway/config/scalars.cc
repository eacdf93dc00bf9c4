#include "gateway/config/scalars.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cdgate::config {
namespace {

struct TimeUnit {
  absl::string_view name;
  int64_t nanos;
};
// Falling, as sums write them.
constexpr TimeUnit kTimeUnits[] = {
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
};
constexpr absl::Duration kMaxDuration = absl::Hours(24 * 3'650'000);

struct SizeUnit {
  absl::string_view name;
  uint64_t bytes;
};
constexpr SizeUnit kSizeUnits[] = {
    {"", 1},
    {"B", 1},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"KiB", 1 << 10},
    {"MiB", 1 << 20},
    {"GB", 1'000'000'000},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"TB", 1'000'000'000'000},
};

// The digits at the front of `text`, which it moves past.
absl::string_view TakeDigits(absl::string_view* text) {
  size_t n = 0;
  while (n < text->size() && absl::ascii_isdigit(static_cast<unsigned char>((*text)[n]))) ++n;
  const absl::string_view digits = text->substr(0, n);
  text->remove_prefix(n);
  return digits;
}

absl::string_view TakeLetters(absl::string_view* text) {
  size_t n = 0;
  while (n < text->size() && absl::ascii_isalpha(static_cast<unsigned char>((*text)[n]))) ++n;
  const absl::string_view letters = text->substr(0, n);
  text->remove_prefix(n);
  return letters;
}

}  // namespace

std::optional<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration sum;
  const TimeUnit* next = std::begin(kTimeUnits);
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    int64_t count;
    if (!absl::SimpleAtoi(TakeDigits(&text), &count)) return std::nullopt;
    const absl::string_view name = TakeLetters(&text);
    while (next != std::end(kTimeUnits) && next->name != name) ++next;
    if (next == std::end(kTimeUnits)) return std::nullopt;
    sum += count * absl::Nanoseconds(next->nanos);
    ++next;
  }
  if (sum > kMaxDuration) return std::nullopt;
  return sum;
}

std::string FormatDuration(absl::Duration duration) {
  std::string out;
  for (const TimeUnit& unit : kTimeUnits) {
    const int64_t count = absl::IDivDuration(duration, absl::Nanoseconds(unit.nanos), &duration);
    if (count != 0) absl::StrAppend(&out, count, unit.name);
  }
  return out.empty() ? "0s" : out;
}

std::optional<uint64_t> ParseSize(absl::string_view text) {
  uint64_t count;
  if (!absl::SimpleAtoi(TakeDigits(&text), &count)) return std::nullopt;
  for (const SizeUnit& unit : kSizeUnits) {
    if (unit.name != text) continue;
    if (count > std::numeric_limits<uint64_t>::max() / unit.bytes) return std::nullopt;
    return count * unit.bytes;
  }
  return std::nullopt;
}

std::optional<absl::Time> ParseTimestamp(absl::string_view text) {
  // The library also knows "infinite-future" and years of any size.
  if (text.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return std::nullopt;
  const absl::CivilYear year = absl::ToCivilYear(time, absl::UTCTimeZone());
  if (year < absl::CivilYear(1) || year > absl::CivilYear(9999)) return std::nullopt;
  return time;
}

std::string FormatTimestamp(absl::Time time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

}  // namespace cdgate::config
