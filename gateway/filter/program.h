// A CESQL expression, compiled. CloudEvents SQL 1.0 in full, with functions that reach
// into the CDEvent and what gateways know of it (functions.h); or an expression in the
// filter dialects of the CloudEvents Subscriptions API (dialect.h), where the text begins
// with '{' or '['.
//
//   CDGATE_ASSIGN_OR_RETURN(Program wanted, Program::Compile(
//       "SUBJECT_TYPE() = 'artifact' AND CDEVENT('subject.content.user', '') = 'bob'"));
//   if (wanted.Matches(event)) ...
//
// Evaluation is total and pure: it ends after at most as many steps as the program has,
// touches at most a bounded number of bytes, changes nothing, and gives the same result
// for the same event everywhere. Conditions on attributes allocate nothing.
//
// A Program is immutable, cheap to copy, and may be used by any number of threads, each
// with its own EventContext.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

struct Code;

// Bounds of a program. What exceeds one is refused when compiled, except max_work,
// which ends an evaluation with a generic error.
struct CompileOptions {
  // True: a condition. Refused too is what can only fail ("abc" + 1), and what cannot be
  // true or false (source). False: any expression, with the errors it has at run time.
  bool condition = true;
  size_t max_source_bytes = 64 * 1024;
  size_t max_steps = 4096;
  // Bytes of text that one evaluation may compare, search and build.
  uint64_t max_work = 16 * 1024 * 1024;
};

// A place in the source, both from 1; columns count characters.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
};

// What went wrong in one evaluation. Valid until the context evaluates again.
struct EvalError {
  ErrorKind kind = ErrorKind::kNone;
  // The part of the source that failed, byte offsets.
  uint32_t begin = 0;
  uint32_t end = 0;
  // kCast: what could not become what.
  Value operand = {};
  Type target = Type::kBoolean;
  // kFunctionEvaluation, kGeneric: what is wrong.
  absl::string_view detail = {};

  explicit operator bool() const { return kind != ErrorKind::kNone; }
};
using MatchError = EvalError;

// One value that an evaluation read: what the explanation of a decision shows.
struct ValueRead {
  std::string expression;  // as written: subject, CDEVENT('customData.team')
  std::string value;       // its text; strings quoted and shortened
};

class Program {
 public:
  // Refuses with INVALID_FILTER, metadata "line", "column", "expected" and "kind" (an
  // ErrorKindName), or FILTER_UNSUPPORTED with line and column.
  static absl::StatusOr<Program> Compile(absl::string_view source,
                                         const CompileOptions& options = {});

  // True where the expression is the boolean true and nothing failed. Stops at the first
  // error, which goes to `error` where that is not null (kind kNone: none); a result that
  // is not boolean is one (kCast).
  bool Matches(EventContext& event, MatchError* error = nullptr) const;

  // The value, computed to the end whatever fails; each error adds one to `errors`, each
  // attribute or function that was read one to `reads` (both may be null). An operator or
  // function one of whose operands failed gives the zero value of its type. A string
  // lives until the context evaluates again.
  Value Evaluate(EventContext& event, std::vector<EvalError>* errors,
                 std::vector<ValueRead>* reads = nullptr) const;

  const std::string& source() const;
  // Instructions, that is what max_steps bounds.
  size_t steps() const;
  // The type that its value has where nothing fails; none: that depends on the event.
  std::optional<Type> type() const;
  // The condition has one value whatever the event: it is constant.
  const Value* constant() const;

  Position PositionOf(const EvalError& error) const;
  // One sentence without line and column: "attribute subject is not in the event".
  std::string MessageOf(const EvalError& error) const;

 private:
  explicit Program(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  bool MatchesByMachine(EventContext& event, MatchError* error) const;

  std::shared_ptr<const Code> code_;
};

// One error of an evaluation, independent of program and event.
struct Problem {
  ErrorKind kind = ErrorKind::kNone;
  Position position;
  std::string message;
};

// The result of `cdgate filter eval`: what CESQL defines for any text, errors of the
// text included, for which the value is false.
struct Evaluation {
  Type type = Type::kBoolean;
  std::string value;  // as STRING() casts it
  std::vector<Problem> problems;
};
Evaluation EvaluateSource(absl::string_view source, EventContext& event);

}  // namespace cdgate::filter
