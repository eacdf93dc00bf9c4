#include "gateway/filter/json_scanner.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/unicode.h"

namespace cdgate::filter {
namespace {

constexpr absl::string_view kMarks = "{}[]:,";
constexpr JsonTokenKind kMarkKinds[] = {
    JsonTokenKind::kOpenObject, JsonTokenKind::kCloseObject, JsonTokenKind::kOpenArray,
    JsonTokenKind::kCloseArray, JsonTokenKind::kColon,       JsonTokenKind::kComma,
};
constexpr absl::string_view kEscapes = "\"\\/bfnrt";
constexpr absl::string_view kEscaped = "\"\\/\b\f\n\r\t";

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool EndsWord(char c) {
  return IsSpace(c) || c == '"' || kMarks.find(c) != absl::string_view::npos;
}

bool IsSurrogate(uint32_t code) { return code >= 0xD800 && code < 0xE000; }

}  // namespace

JsonToken JsonScanner::Take(JsonTokenKind kind, size_t size) {
  const JsonToken token{kind, static_cast<uint32_t>(at_), static_cast<uint32_t>(at_ + size)};
  at_ += size;
  return token;
}

absl::StatusOr<JsonToken> JsonScanner::Next() {
  while (at_ < source_.size() && IsSpace(source_[at_])) ++at_;
  if (at_ == source_.size()) return Take(JsonTokenKind::kEnd, 0);
  if (source_[at_] == '"') return String();
  const size_t mark = kMarks.find(source_[at_]);
  if (mark != absl::string_view::npos) return Take(kMarkKinds[mark], 1);
  size_t size = 1;
  while (at_ + size < source_.size() && !EndsWord(source_[at_ + size])) ++size;
  return Take(JsonTokenKind::kWord, size);
}

absl::StatusOr<JsonToken> JsonScanner::String() {
  for (size_t i = at_ + 1; i < source_.size(); ++i) {
    if (source_[i] == '\\') {
      ++i;
    } else if (source_[i] == '"') {
      return Take(JsonTokenKind::kString, i + 1 - at_);
    }
  }
  return SyntaxError(source_, at_, "a closing \"", "the end of the text");
}

absl::StatusOr<JsonString> JsonScanner::Decode(const JsonToken& token) const {
  JsonString out;
  const size_t end = token.end - 1;
  for (size_t at = token.begin + 1; at < end;) {
    const char c = source_[at];
    if (c == '\\') {
      CDGATE_RETURN_IF_ERROR(DecodeEscape(&at, end, &out));
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return SyntaxError(source_, at, "control characters as escapes, \\n or \\u000a",
                         absl::StrCat("the byte ", static_cast<int>(c)));
    }
    out.text += c;
    out.places.push_back(static_cast<uint32_t>(at++));
  }
  out.places.push_back(static_cast<uint32_t>(end));
  return out;
}

// Appends what the escape at *at stands for, and moves behind it.
absl::Status JsonScanner::DecodeEscape(size_t* at, size_t end, JsonString* out) const {
  const size_t begin = *at;
  const size_t simple = kEscapes.find(source_[begin + 1]);
  char bytes[4];
  size_t size = 1;
  if (simple != absl::string_view::npos) {
    bytes[0] = kEscaped[simple];
    *at += 2;
  } else if (source_[begin + 1] == 'u') {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t code, DecodeCodePoint(at, end));
    size = Encode(code, bytes);
  } else {
    return SyntaxError(source_, begin, "an escape of JSON, such as \\\" or \\u00e9",
                       Excerpt(source_.substr(begin, 2)));
  }
  out->text.append(bytes, size);
  out->places.insert(out->places.end(), size, static_cast<uint32_t>(begin));
  return absl::OkStatus();
}

// The character of \uXXXX, or of two that are a surrogate pair.
absl::StatusOr<uint32_t> JsonScanner::DecodeCodePoint(size_t* at, size_t end) const {
  const size_t begin = *at;
  CDGATE_ASSIGN_OR_RETURN(const uint32_t high, DecodeHex(begin, end));
  *at += 6;
  if (!IsSurrogate(high)) return high;
  if (high < 0xDC00 && source_.substr(*at, 2) == "\\u") {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t low, DecodeHex(*at, end));
    *at += 6;
    if (low >= 0xDC00 && low < 0xE000) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }
  return SyntaxError(source_, begin, "two escapes that are a surrogate pair, or the character",
                     Excerpt(source_.substr(begin, 6)));
}

absl::StatusOr<uint32_t> JsonScanner::DecodeHex(size_t at, size_t end) const {
  uint32_t code = 0;
  const absl::string_view digits = at + 6 <= end ? source_.substr(at + 2, 4) : "";
  for (const char c : digits) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) code = UINT32_MAX;
  }
  if (digits.empty() || code == UINT32_MAX || !absl::SimpleHexAtoi(digits, &code)) {
    return SyntaxError(source_, at, "\\u and four hexadecimal digits",
                       Excerpt(source_.substr(at, std::min<size_t>(end - at, 6))));
  }
  return code;
}

}  // namespace cdgate::filter
