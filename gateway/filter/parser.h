// CESQL text to a syntax tree: precedence climbing after the table in section 3.6.
// Internal to the library.
//
// From tightest to loosest: function calls; NOT and unary '-'; LIKE, EXISTS and IN;
// '*' '/' '%'; '+' '-'; comparisons; AND, OR and XOR. The operators of one row are read
// from left to right, AND and OR too: a OR b AND c is (a OR b) AND c.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

// Parentheses, unary operators and calls within each other.
inline constexpr uint32_t kMaxNesting = 64;
// Height of the tree; a chain of operators makes it one higher each.
inline constexpr uint32_t kMaxDepth = 1000;

// INVALID_FILTER with line, column and what was expected.
absl::StatusOr<Ast> Parse(absl::string_view source, const CompileOptions& options);

}  // namespace cdgate::filter
