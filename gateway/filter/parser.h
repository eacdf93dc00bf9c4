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

// CESQL, or an expression in the filter dialects (dialect.h). INVALID_FILTER with line,
// column and what was expected.
absl::StatusOr<Ast> Parse(absl::string_view source, const CompileOptions& options);

// Appends the tree of CESQL text to `ast` and returns its root. Its nodes stand where they
// do in `cesql`, and so do errors.
absl::StatusOr<uint32_t> ParseInto(absl::string_view cesql, const CompileOptions& options,
                                   Ast* ast);
// Appends `node` with `children`. INVALID_FILTER where the tree becomes too large or high.
absl::StatusOr<uint32_t> AddNode(absl::string_view source, const CompileOptions& options, Node node,
                                 absl::Span<const uint32_t> children, Ast* ast);

}  // namespace cdgate::filter
