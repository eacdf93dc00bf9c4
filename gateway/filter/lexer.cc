#include "gateway/filter/lexer.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/errors.h"
#include "gateway/filter/unicode.h"

namespace cdgate::filter {
namespace {

struct Keyword {
  absl::string_view text;
  TokenKind kind;
};
constexpr Keyword kKeywords[] = {
    {"AND", TokenKind::kAnd},       {"OR", TokenKind::kOr},     {"XOR", TokenKind::kXor},
    {"NOT", TokenKind::kNot},       {"LIKE", TokenKind::kLike}, {"IN", TokenKind::kIn},
    {"EXISTS", TokenKind::kExists}, {"TRUE", TokenKind::kTrue}, {"FALSE", TokenKind::kFalse},
};

// The longer before those they begin with.
constexpr Keyword kSymbols[] = {
    {"<=", TokenKind::kLessEqual}, {"<>", TokenKind::kNotEqual}, {">=", TokenKind::kGreaterEqual},
    {"!=", TokenKind::kNotEqual},  {"<", TokenKind::kLess},      {">", TokenKind::kGreater},
    {"=", TokenKind::kEqual},      {"(", TokenKind::kOpen},      {")", TokenKind::kClose},
    {",", TokenKind::kComma},      {"+", TokenKind::kPlus},      {"-", TokenKind::kMinus},
    {"*", TokenKind::kTimes},      {"/", TokenKind::kDivide},    {"%", TokenKind::kModulo},
};

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

ErrorKind KindFromName(absl::string_view name) {
  for (const ErrorKind kind :
       {ErrorKind::kMath, ErrorKind::kCast, ErrorKind::kMissingFunction, ErrorKind::kGeneric}) {
    if (ErrorKindName(kind) == name) return kind;
  }
  return ErrorKind::kParse;
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

Position PositionAt(absl::string_view source, size_t offset) {
  const absl::string_view before = source.substr(0, offset);
  Position position{1, 1};
  size_t line_begin = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != '\n') continue;
    ++position.line;
    line_begin = i + 1;
  }
  position.column += static_cast<uint32_t>(CountCharacters(before.substr(line_begin)));
  return position;
}

size_t OffsetAt(absl::string_view source, const Position& position) {
  size_t begin = 0;
  for (uint32_t line = 1; line < position.line; ++line) begin = source.find('\n', begin) + 1;
  return begin + OffsetOfCharacter(source.substr(begin), position.column - 1);
}

SourceProblem SourceProblemOf(const absl::Status& status) {
  SourceProblem problem;
  for (const auto& [key, value] : base::MetadataOf(status)) {
    if (key == "kind") problem.kind = KindFromName(value);
    if (key == "line") (void)absl::SimpleAtoi(value, &problem.position.line);
    if (key == "column") (void)absl::SimpleAtoi(value, &problem.position.column);
    if (key == "expected") problem.expected = value;
  }
  const std::string place =
      absl::StrCat("line ", problem.position.line, ", column ", problem.position.column, ": ");
  problem.message = std::string(absl::StripPrefix(status.message(), place));
  return problem;
}

std::string Excerpt(absl::string_view text, size_t max_bytes) {
  size_t end = 0;
  while (end < text.size() && end < max_bytes) end += DecodeFirst(text.substr(end)).size;
  std::string out(text.substr(0, end));
  for (char& c : out) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  if (end < text.size()) out += "…";
  return out;
}

absl::Status SourceError(absl::string_view source, size_t begin, ErrorKind kind,
                         absl::string_view message, absl::string_view expected) {
  const Position at = PositionAt(source, begin);
  return base::MakeError(base::Reason::kInvalidFilter,
                         absl::StrCat("line ", at.line, ", column ", at.column, ": ", message),
                         {{"line", absl::StrCat(at.line)},
                          {"column", absl::StrCat(at.column)},
                          {"kind", std::string(ErrorKindName(kind))},
                          {"expected", std::string(expected)}});
}

absl::Status SyntaxError(absl::string_view source, size_t begin, absl::string_view expected,
                         absl::string_view found) {
  return SourceError(source, begin, ErrorKind::kParse,
                     absl::StrCat("expected ", expected, ", found ", found), expected);
}

Token Lexer::Take(TokenKind kind, size_t size) {
  Token token{kind, static_cast<uint32_t>(at_), static_cast<uint32_t>(at_ + size)};
  at_ += size;
  return token;
}

absl::StatusOr<Token> Lexer::Next() {
  while (at_ < source_.size() && IsSpace(source_[at_])) ++at_;
  if (at_ == source_.size()) return Take(TokenKind::kEnd, 0);
  const char c = source_[at_];
  if (c == '\'' || c == '"') return String();
  if (IsWordCharacter(c)) return Word();
  for (const Keyword& symbol : kSymbols) {
    if (absl::StartsWith(source_.substr(at_), symbol.text)) {
      return Take(symbol.kind, symbol.text.size());
    }
  }
  const absl::string_view found = source_.substr(at_, DecodeFirst(source_.substr(at_)).size);
  return SyntaxError(source_, at_, "an attribute, literal, function or operator",
                     absl::StrCat("'", Excerpt(found), "'"));
}

// A backslash takes the character after it along, so that an escaped quote does not end
// the string.
absl::StatusOr<Token> Lexer::String() {
  const char quote = source_[at_];
  for (size_t i = at_ + 1; i < source_.size(); ++i) {
    if (source_[i] == '\\') {
      ++i;
    } else if (source_[i] == quote) {
      return Take(TokenKind::kString, i + 1 - at_);
    }
  }
  return SyntaxError(source_, at_, absl::StrCat("a closing ", absl::string_view(&quote, 1)),
                     "the end of the text");
}

Token Lexer::Word() {
  size_t size = 0;
  bool digits = true;
  while (at_ + size < source_.size() && IsWordCharacter(source_[at_ + size])) {
    digits = digits && absl::ascii_isdigit(static_cast<unsigned char>(source_[at_ + size]));
    ++size;
  }
  if (digits) return Take(TokenKind::kInteger, size);
  const absl::string_view word = source_.substr(at_, size);
  for (const Keyword& keyword : kKeywords) {
    if (absl::EqualsIgnoreCase(word, keyword.text)) return Take(keyword.kind, size);
  }
  return Take(TokenKind::kName, size);
}

}  // namespace cdgate::filter
