#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/policy/check.h"
#include "federation/policy/policy.h"
#include "gateway/base/status_macros.h"

namespace cdgate::policy {
namespace {

absl::Status ErrorOf(const Finding& finding) {
  return base::MakeError(
      base::Reason::kInvalidPolicy,
      absl::StrCat(finding.path, finding.path.empty() ? "" : ": ", finding.message),
      {{"path", finding.path},
       {"rule", finding.rule},
       {"line", absl::StrCat(finding.line)},
       {"column", absl::StrCat(finding.column)}});
}

std::vector<absl::string_view> ConditionsOf(const admin::v1::ExportPolicy& side) {
  std::vector<absl::string_view> out;
  for (const admin::v1::ExportRule& rule : side.rules()) out.push_back(rule.when());
  return out;
}

// What both kinds of rules have.
template <typename Rule>
absl::StatusOr<CompiledPolicy::Rule> CompileRule(const Rule& rule, uint64_t version) {
  CompiledPolicy::Rule out;
  out.name = rule.name();
  out.id = absl::StrCat(rule.name(), "@", version);
  out.when = rule.when();
  out.allow = rule.action() == admin::v1::ACTION_ALLOW;
  if (!rule.when().empty()) {
    CDGATE_ASSIGN_OR_RETURN(out.condition, filter::Program::Compile(rule.when()));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CompiledPolicy>> CompiledPolicy::Compile(
    const admin::v1::Policy& policy, uint64_t version, std::vector<Finding>* findings,
    const Surroundings& around) {
  std::vector<Finding> found = PolicyChecker(policy, around, findings != nullptr).Run();
  const absl::Status status =
      found.empty() || !found.front().error ? absl::OkStatus() : ErrorOf(found.front());
  if (findings != nullptr) *findings = std::move(found);
  CDGATE_RETURN_IF_ERROR(status);

  auto out = std::shared_ptr<CompiledPolicy>(new CompiledPolicy());
  out->peer_ = policy.peer();
  out->version_ = version;
  if (policy.export_().reasons_to_peer() != admin::v1::REASONS_TO_PEER_UNSPECIFIED) {
    out->reasons_to_peer_ = policy.export_().reasons_to_peer();
  }
  out->export_.limits = policy.export_().limits();
  out->export_.transit.insert(policy.export_().transit().begin(), policy.export_().transit().end());
  for (const admin::v1::ExportRule& rule : policy.export_().rules()) {
    CDGATE_ASSIGN_OR_RETURN(Rule compiled, CompileRule(rule, version));
    compiled.transformation = Transformation::Of(rule);
    compiled.terms = rule.terms();
    out->export_.rules.push_back(std::move(compiled));
  }
  out->export_.list = RuleList::Of(ConditionsOf(policy.export_()));
  out->export_.serial = out->export_.list->serial();
  out->import_.limits = policy.import().limits();
  out->import_.transit.insert(policy.import().transit().begin(), policy.import().transit().end());
  out->import_.accept_unknown = policy.import().accept_unknown();
  for (const admin::v1::ImportRule& rule : policy.import().rules()) {
    CDGATE_ASSIGN_OR_RETURN(Rule compiled, CompileRule(rule, version));
    compiled.keep = rule.keep();
    out->import_.rules.push_back(std::move(compiled));
  }
  return out;
}

}  // namespace cdgate::policy
