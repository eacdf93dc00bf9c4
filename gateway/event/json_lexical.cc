#include "gateway/event/json_lexical.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cdgate::event {
namespace {

constexpr absl::string_view kNumberChars = "0123456789+-.eE";

// The code unit of the \uXXXX escape at `at`; -1 where there is none.
int EscapedUnit(absl::string_view text, size_t at) {
  if (text.size() - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) return -1;
    const char c = absl::ascii_tolower(static_cast<unsigned char>(text[i]));
    unit = unit * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return unit;
}

bool IsHighSurrogate(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

size_t CountDigits(absl::string_view text, size_t at) {
  size_t n = 0;
  while (at + n < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[at + n]))) ++n;
  return n;
}

// The parts of a number: [-]integer[.fraction][e exponent].
struct NumberParts {
  bool negative = false;
  absl::string_view integer;
  absl::string_view fraction;
  absl::string_view exponent;  // with its sign
  bool is_integer = true;      // neither fraction nor exponent
};

bool SplitNumber(absl::string_view lexeme, NumberParts* parts) {
  size_t at = 0;
  if (at < lexeme.size() && lexeme[at] == '-') parts->negative = ++at > 0;
  size_t n = CountDigits(lexeme, at);
  if (n == 0 || (n > 1 && lexeme[at] == '0')) return false;
  parts->integer = lexeme.substr(at, n);
  at += n;
  if (at < lexeme.size() && lexeme[at] == '.') {
    n = CountDigits(lexeme, ++at);
    if (n == 0) return false;
    parts->fraction = lexeme.substr(at, n);
    parts->is_integer = false;
    at += n;
  }
  if (at < lexeme.size() && (lexeme[at] == 'e' || lexeme[at] == 'E')) {
    const size_t sign = at + 1 < lexeme.size() && (lexeme[at + 1] == '+' || lexeme[at + 1] == '-');
    n = CountDigits(lexeme, at + 1 + sign);
    if (n == 0) return false;
    parts->exponent = lexeme.substr(at + 1, sign + n);
    parts->is_integer = false;
    at += 1 + sign + n;
  }
  return at == lexeme.size();
}

bool FitsInteger(absl::string_view lexeme, const NumberParts& parts) {
  int64_t as_signed;
  uint64_t as_unsigned;
  return parts.negative ? absl::SimpleAtoi(lexeme, &as_signed)
                        : absl::SimpleAtoi(lexeme, &as_unsigned);
}

bool FitsDouble(absl::string_view lexeme) {
  double value = 0;
  const auto result = absl::from_chars(lexeme.data(), lexeme.data() + lexeme.size(), value);
  return result.ec != std::errc::result_out_of_range || std::fabs(value) < 1;
}

// `digits` digits as d.ddd...e<digits - 1> in the same space.
void WriteScientific(char* at, size_t digits) {
  const std::string exponent = absl::StrCat("e", digits - 1);
  std::memmove(at + 2, at + 1, digits - 2);
  at[1] = '.';
  std::memcpy(at + digits - exponent.size(), exponent.data(), exponent.size());
}

// 1e00...0308 in the same space; what overflows a double has at least 5 characters.
void WriteGreatest(char* at, size_t size) {
  std::memset(at, '0', size);
  std::memcpy(at, "1e", 2);
  std::memcpy(at + size - 3, "308", 3);
}

bool FitNumber(char* at, size_t size) {
  const absl::string_view lexeme(at, size);
  NumberParts parts;
  if (!SplitNumber(lexeme, &parts)) return false;
  if (parts.is_integer ? FitsInteger(lexeme, parts) : FitsDouble(lexeme)) return true;
  char* const first = at + (parts.negative ? 1 : 0);
  const size_t digits = size - (parts.negative ? 1 : 0);
  if (parts.is_integer && digits <= 308) {
    WriteScientific(first, digits);
  } else {
    WriteGreatest(first, digits);
  }
  return true;
}

// Past the string that begins at `at`.
size_t SkipString(absl::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

absl::string_view StripZeros(absl::string_view digits) {
  const size_t first = digits.find_first_not_of('0');
  return first == absl::string_view::npos ? absl::string_view() : digits.substr(first);
}

}  // namespace

bool HasLoneSurrogate(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const void* found = std::memchr(text.data() + at, '\\', text.size() - at);
    if (found == nullptr) return false;
    at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    const int unit = EscapedUnit(text, at);
    if (IsLowSurrogate(unit)) return true;
    if (IsHighSurrogate(unit)) {
      if (!IsLowSurrogate(EscapedUnit(text, at + 6))) return true;
      at += 12;
    } else {
      at += unit >= 0 ? 6 : 2;
    }
  }
  return false;
}

bool FitNumbersToDouble(char* text, size_t size) {
  const absl::string_view view(text, size);
  size_t at = 0;
  while (at < size) {
    const char c = text[at];
    if (c == '"') {
      at = SkipString(view, at);
    } else if (c == '-' || absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      const size_t end = std::min(view.find_first_not_of(kNumberChars, at), size);
      if (!FitNumber(text + at, end - at)) return false;
      at = end;
    } else {
      ++at;
    }
  }
  return true;
}

bool IsJsonNumber(absl::string_view lexeme) {
  NumberParts parts;
  return SplitNumber(lexeme, &parts);
}

std::string NormalNumber(absl::string_view lexeme) {
  NumberParts parts;
  int64_t exponent = 0;
  const std::string own = absl::StrCat("x", lexeme);
  if (!SplitNumber(lexeme, &parts)) return own;
  std::string digits = absl::StrCat(parts.integer, parts.fraction);
  const size_t last = digits.find_last_not_of('0');
  if (last == std::string::npos) return parts.negative ? "-0" : "0";
  if (!parts.exponent.empty()) {
    const bool negative = parts.exponent[0] == '-';
    const size_t sign = negative || parts.exponent[0] == '+';
    const absl::string_view magnitude = StripZeros(parts.exponent.substr(sign));
    if (magnitude.size() > 9) return own;
    if (!magnitude.empty() && !absl::SimpleAtoi(magnitude, &exponent)) return own;
    if (negative) exponent = -exponent;
  }
  // The value is 0.DIGITS * 10^(exponent + integer digits); count from the first digit
  // that is not zero.
  const size_t first = digits.find_first_not_of('0');
  exponent += static_cast<int64_t>(parts.integer.size()) - static_cast<int64_t>(first) - 1;
  return absl::StrCat(parts.negative ? "-" : "", digits.substr(first, last - first + 1), "e",
                      exponent);
}

}  // namespace cdgate::event
