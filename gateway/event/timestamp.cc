#include "gateway/event/timestamp.h"

#include "absl/strings/ascii.h"
#include "absl/time/time.h"

namespace cdgate::event {
namespace {

constexpr int64_t kSecondsPerDay = 86400;
// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
constexpr int64_t kLeastSeconds = -62135596800;
constexpr int64_t kGreatestSeconds = 253402300799;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// `n` digits at the front of `text`, which it moves past.
bool TakeNumber(absl::string_view* text, size_t n, int* value) {
  if (text->size() < n) return false;
  *value = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!IsDigit((*text)[i])) return false;
    *value = *value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(n);
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

bool TakeDate(absl::string_view* text, int64_t* days) {
  int year, month, day;
  if (!TakeNumber(text, 4, &year) || !TakeChar(text, '-') || !TakeNumber(text, 2, &month) ||
      !TakeChar(text, '-') || !TakeNumber(text, 2, &day)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return false;
  *days = DaysFromEpoch(year, month, day);
  return true;
}

// Seconds of the day; a leap second counts as 60.
bool TakeTime(absl::string_view* text, int64_t* seconds, bool* leap) {
  int hour, minute, second;
  if (!TakeNumber(text, 2, &hour) || !TakeChar(text, ':') || !TakeNumber(text, 2, &minute) ||
      !TakeChar(text, ':') || !TakeNumber(text, 2, &second)) {
    return false;
  }
  *leap = second == 60;
  *seconds = hour * 3600 + minute * 60 + second;
  return hour < 24 && minute < 60 && second <= 60;
}

bool TakeFraction(absl::string_view* text, int32_t* nanos) {
  *nanos = 0;
  if (!TakeChar(text, '.')) return true;
  size_t n = 0;
  int32_t scale = 100'000'000;
  for (; n < text->size() && IsDigit((*text)[n]); ++n, scale /= 10) {
    *nanos += ((*text)[n] - '0') * scale;
  }
  text->remove_prefix(n);
  return n > 0;
}

bool TakeOffset(absl::string_view* text, int64_t* seconds) {
  *seconds = 0;
  if (TakeChar(text, 'z')) return true;
  const bool east = TakeChar(text, '+');
  int hours, minutes;
  if ((!east && !TakeChar(text, '-')) || !TakeNumber(text, 2, &hours) || !TakeChar(text, ':') ||
      !TakeNumber(text, 2, &minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  *seconds = (east ? 1 : -1) * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

bool ParseRfc3339(absl::string_view text, int64_t* seconds, int32_t* nanos) {
  int64_t days, time_of_day, offset;
  bool leap;
  if (!TakeDate(&text, &days) || !TakeChar(&text, 't') || !TakeTime(&text, &time_of_day, &leap) ||
      !TakeFraction(&text, nanos) || !TakeOffset(&text, &offset) || !text.empty()) {
    return false;
  }
  *seconds = days * kSecondsPerDay + time_of_day - offset;
  // A leap second exists only at the end of a day in UTC.
  if (leap && (*seconds % kSecondsPerDay) != 0) return false;
  return *seconds >= kLeastSeconds && *seconds <= kGreatestSeconds;
}

std::string FormatRfc3339(int64_t seconds, int32_t nanos) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ",
                          absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos),
                          absl::UTCTimeZone());
}

}  // namespace cdgate::event
