// The part of WhyWidens (widening.h) that looks at the rules of one side. Internal to the
// library.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/classification.h"
#include "federation/policy/widening.h"

namespace cdgate::policy {

// A rule of either side.
struct RuleShape {
  RuleShape() = default;
  explicit RuleShape(const admin::v1::ExportRule& rule);
  explicit RuleShape(const admin::v1::ImportRule& rule);

  absl::string_view name;
  absl::string_view when;
  std::string squeezed;  // `when` without white space, parentheses and case
  bool allow = false;
  bool keep = false;                                // import
  const admin::v1::ExportRule* exported = nullptr;  // null: import
};

// Adds to `reasons` why `after` lets more cross than `before` does. `side`: "export".
void CompareRules(absl::string_view side, absl::Span<const RuleShape> before,
                  absl::Span<const RuleShape> after, const WideningContext& context,
                  std::vector<std::string>* reasons);

// How an event leaves less reduced by `after` than by `before`, each as "redact: customData is
// no longer removed"; empty: by no event.
std::vector<std::string> LessReduced(const admin::v1::ExportRule& before,
                                     const admin::v1::ExportRule& after,
                                     const Classifications& known);

}  // namespace cdgate::policy
