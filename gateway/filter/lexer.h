// Splits CESQL into tokens. Internal to the library.
//
// Keywords and attribute names are case-insensitive; texts view the source, which must
// outlive the tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

enum class TokenKind : uint8_t {
  kEnd,
  kName,     // an attribute or function
  kInteger,  // digits, without sign
  kString,   // with its quotes
  kOpen,
  kClose,
  kComma,
  kPlus,
  kMinus,
  kTimes,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kXor,
  kNot,
  kLike,
  kExists,
  kIn,
  kTrue,
  kFalse,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  uint32_t begin = 0;
  uint32_t end = 0;
};

// INVALID_FILTER at `begin` of `source`: "line 1, column 5: expected X, found Y".
absl::Status SyntaxError(absl::string_view source, size_t begin, absl::string_view expected,
                         absl::string_view found);
// Any error about the text at `begin` of `source`; `kind` is what CESQL calls it.
absl::Status SourceError(absl::string_view source, size_t begin, ErrorKind kind,
                         absl::string_view message, absl::string_view expected = "");
Position PositionAt(absl::string_view source, size_t offset);
// The byte at `position`, at most source.size().
size_t OffsetAt(absl::string_view source, const Position& position);

// What an error of SourceError() says.
struct SourceProblem {
  ErrorKind kind = ErrorKind::kParse;
  Position position{1, 1};
  std::string message;  // without the place
  std::string expected;
};
SourceProblem SourceProblemOf(const absl::Status& status);
// `text` of a source as a message quotes it: on one line, cut after `max_bytes`.
std::string Excerpt(absl::string_view text, size_t max_bytes = 60);

class Lexer {
 public:
  explicit Lexer(absl::string_view source) : source_(source) {}

  // kEnd at the end, as often as asked. INVALID_FILTER where no token begins.
  absl::StatusOr<Token> Next();

 private:
  Token Take(TokenKind kind, size_t size);
  absl::StatusOr<Token> String();
  Token Word();

  absl::string_view source_;
  size_t at_ = 0;
};

}  // namespace cdgate::filter
