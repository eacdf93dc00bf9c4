#include "gateway/base/timestamp.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace cdgate::base {
namespace {

constexpr int64_t kSecondsPerDay = 86400;
// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
constexpr int64_t kLeastSeconds = -62135596800;
constexpr int64_t kGreatestSeconds = 253402300799;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Two digits at `at`, which are there.
inline bool ReadTwo(const char* at, int* value) {
  const auto tens = static_cast<unsigned char>(at[0] - '0');
  const auto ones = static_cast<unsigned char>(at[1] - '0');
  *value = tens * 10 + ones;
  return tens <= 9 && ones <= 9;
}

// Two digits at the front of `text`, which it moves past.
bool TakeTwo(absl::string_view* text, int* value) {
  if (text->size() < 2 || !ReadTwo(text->data(), value)) return false;
  text->remove_prefix(2);
  return true;
}

// `c`, a letter of either case, at the front of `text`, which it moves past.
bool TakeChar(absl::string_view* text, char c) {
  if (text->empty() || absl::ascii_tolower(static_cast<unsigned char>((*text)[0])) != c) {
    return false;
  }
  text->remove_prefix(1);
  return true;
}

bool IsLeapYear(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[month - 1];
}

// Days from 1970-01-01 to the date, in the proleptic Gregorian calendar; years are
// counted from March, so that a leap day ends one.
int64_t DaysFromEpoch(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

// "2026-01-02"
bool TakeDate(absl::string_view* text, int64_t* days) {
  const char* const at = text->data();
  int century, year, month, day;
  if (text->size() < 10 || at[4] != '-' || at[7] != '-' || !ReadTwo(at, &century) ||
      !ReadTwo(at + 2, &year) || !ReadTwo(at + 5, &month) || !ReadTwo(at + 8, &day)) {
    return false;
  }
  year += century * 100;
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return false;
  *days = DaysFromEpoch(year, month, day);
  text->remove_prefix(10);
  return true;
}

// 'T', or one whitespace of ECMAScript (\s in ECMA-262, section 22.2.2.9) in UTF-8.
bool TakeSeparator(absl::string_view* text) {
  constexpr absl::string_view kSpaces[] = {
      " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u00a0", "\u1680", "\u2000",
      "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
      "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"};
  if (TakeChar(text, 't')) return true;
  for (const absl::string_view space : kSpaces) {
    if (absl::ConsumePrefix(text, space)) return true;
  }
  return false;
}

// A time of day as it is written.
struct Clock {
  int hour, minute, second;
  // The fraction is so near to 1 that the second and it, as a double, are the next second:
  // the schemas' validator compares doubles.
  bool rounds_up;
  int32_t nanos;
  int sign, offset_hours, offset_minutes;  // of the offset; local time is UTC plus it

  int64_t UtcSeconds() const {
    return (hour - sign * offset_hours) * 3600 + (minute - sign * offset_minutes) * 60 + second;
  }
};

bool TakeFraction(absl::string_view* text, Clock* clock) {
  clock->nanos = 0;
  clock->rounds_up = false;
  if (!TakeChar(text, '.')) return true;
  size_t n = 0;
  int32_t scale = 100'000'000;
  for (; n < text->size() && IsDigit((*text)[n]); ++n) {
    clock->nanos += ((*text)[n] - '0') * scale;
    scale /= 10;
  }
  // 1 - 2^-48, half a unit in the last place below 60 and 61; there the tie is to the even.
  constexpr absl::string_view kRoundsUp = "999999999999996447286321199499070644378662109375";
  clock->rounds_up = n >= 15 && text->substr(0, n) >= kRoundsUp;
  text->remove_prefix(n);
  return n > 0;
}

bool TakeOffset(absl::string_view* text, Clock* clock) {
  clock->sign = 1;
  clock->offset_hours = clock->offset_minutes = 0;
  if (TakeChar(text, 'z')) return true;
  if (!TakeChar(text, '+')) {
    if (!TakeChar(text, '-')) return false;
    clock->sign = -1;
  }
  if (!TakeTwo(text, &clock->offset_hours)) return false;
  if (text->empty()) return true;
  TakeChar(text, ':');
  return TakeTwo(text, &clock->offset_minutes);
}

// "03:04:05.678+01:00"
bool TakeClock(absl::string_view* text, Clock* clock) {
  const char* const at = text->data();
  if (text->size() < 8 || at[2] != ':' || at[5] != ':' || !ReadTwo(at, &clock->hour) ||
      !ReadTwo(at + 3, &clock->minute) || !ReadTwo(at + 6, &clock->second)) {
    return false;
  }
  text->remove_prefix(8);
  return TakeFraction(text, clock) && TakeOffset(text, clock);
}

// The rule of ajv-formats 3, line by line; it is why hours over 23 can pass.
bool IsTimeOfDay(const Clock& clock) {
  if (clock.offset_hours > 23 || clock.offset_minutes > 59) return false;
  const int second = clock.second + (clock.rounds_up ? 1 : 0);
  if (clock.hour <= 23 && clock.minute <= 59 && second < 60) return true;
  const int utc_minute = clock.minute - clock.sign * clock.offset_minutes;
  const int utc_hour = clock.hour - clock.sign * clock.offset_hours - (utc_minute < 0 ? 1 : 0);
  return (utc_hour == 23 || utc_hour == -1) && (utc_minute == 59 || utc_minute == -1) &&
         second <= 60;
}

}  // namespace

std::optional<Instant> ReadDateTime(absl::string_view text) {
  int64_t days;
  Clock clock;
  if (!TakeDate(&text, &days) || !TakeSeparator(&text) || !TakeClock(&text, &clock) ||
      !text.empty() || !IsTimeOfDay(clock)) {
    return std::nullopt;
  }
  return Instant{days * kSecondsPerDay + clock.UtcSeconds(), clock.nanos};
}

bool ParseRfc3339(absl::string_view text, int64_t* seconds, int32_t* nanos) {
  const std::optional<Instant> instant = ReadDateTime(text);
  if (!instant) return false;
  *seconds = instant->seconds;
  *nanos = instant->nanos;
  return *seconds >= kLeastSeconds && *seconds <= kGreatestSeconds;
}

std::string FormatRfc3339(int64_t seconds, int32_t nanos) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ",
                          absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos),
                          absl::UTCTimeZone());
}

}  // namespace cdgate::base
