// The filter dialects of the CloudEvents Subscriptions API (0.1-wip, section 3.2.4) to
// the syntax tree of the CESQL condition that means the same. Internal to the library.
//
//   {"prefix": {"type": "dev.cdevents.build."}}       EXISTS where needed AND type LIKE ...
//   [{"exact": {"subject": "a"}}, {"not": {"suffix": {"source": "/ci"}}}]
//
// exact, prefix and suffix compare an attribute as text, case-sensitive; one that the
// event does not have makes them false. all, any and not take filters; an array is all of
// its filters, and an empty one is true. sql is CESQL whose value becomes a Boolean; within
// `any` and `not` an error in it is false, as the specification says. Elsewhere the filter
// is false as well, and the error is reported.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

// The text begins as a dialect expression does: with '{' or '['. No CESQL does.
bool IsDialect(absl::string_view source);

// `source` must be valid UTF-8. INVALID_FILTER with line, column and what was expected.
absl::StatusOr<Ast> ParseDialect(absl::string_view source, const CompileOptions& options);

}  // namespace cdgate::filter
