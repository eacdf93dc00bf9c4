// Types and constants of a syntax tree, before code is made of it. Internal to the
// library.
//
// Check gives every node its static type and replaces what does not depend on the event
// by its value. In a condition it refuses (INVALID_FILTER) what can only fail and a
// result that is not boolean; elsewhere errors are left to the evaluation.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

absl::Status Check(absl::string_view source, const CompileOptions& options, Ast* ast);

// The checked tree of a condition, with the bounds that conditions have by default.
absl::StatusOr<Ast> ParseCondition(absl::string_view source);

// The sentence of an evaluation error; `source` is that of the program.
std::string ErrorMessage(absl::string_view source, const EvalError& error);

}  // namespace cdgate::filter
