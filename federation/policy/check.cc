#include "federation/policy/check.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::policy {
namespace {

// In months and years nobody waits for a peer; a typing error.
constexpr int64_t kMaxBacklogSeconds = int64_t{3650} * 24 * 3600;

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

uint32_t NumberOf(const base::Metadata& metadata, absl::string_view key) {
  uint32_t number = 0;
  for (const auto& [name, value] : metadata) {
    if (name == key && !absl::SimpleAtoi(value, &number)) number = 0;
  }
  return number;
}

}  // namespace

std::string PolicyChecker::Place::At(absl::string_view field) const {
  if (field.empty()) return path;
  return path.empty() ? std::string(field) : absl::StrCat(path, ".", field);
}

void PolicyChecker::Error(const Place& place, absl::string_view field, std::string message) {
  errors_.push_back({true, place.At(field), place.rule, std::move(message)});
}

void PolicyChecker::Warn(const Place& place, absl::string_view field, std::string message) {
  warnings_.push_back({false, place.At(field), place.rule, std::move(message)});
}

std::vector<Finding> PolicyChecker::Run() {
  if (policy_.peer().empty() || HasControlCharacter(policy_.peer())) {
    Error({}, "peer", "name the domain the policy is for, such as beta.example");
  }
  if (!policy_.has_export_() && !policy_.has_import()) {
    Warn({}, "", "there is neither an export nor an import section, so nothing crosses");
  }
  if (policy_.has_export_()) CheckExport(policy_.export_());
  if (policy_.has_import()) CheckImport(policy_.import());
  std::move(warnings_.begin(), warnings_.end(), std::back_inserter(errors_));
  return std::move(errors_);
}

void PolicyChecker::CheckExport(const admin::v1::ExportPolicy& side) {
  import_ = false;
  CheckRules(side.rules(), "export");
  CheckTransit(side.transit_size(), "export");
  CheckLimits(side.limits(), "export.limits");
  if (!admin::v1::ReasonsToPeer_IsValid(side.reasons_to_peer())) {
    Error({"export", ""}, "reasons_to_peer", "is none of NONE, CODE and FULL");
  }
  for (int i = 0; i < std::min(side.rules_size(), kMaxRules); ++i) {
    CheckExportRule(side.rules(i), {absl::StrCat("export.rules[", i, "]"), side.rules(i).name()});
  }
}

void PolicyChecker::CheckImport(const admin::v1::ImportPolicy& side) {
  import_ = true;
  CheckRules(side.rules(), "import");
  CheckTransit(side.transit_size(), "import");
  CheckLimits(side.limits(), "import.limits");
  if (!admin::v1::InterestMode_IsValid(side.interest())) {
    Error({"import", ""}, "interest", "is none of RULES and NONE");
  }
  for (int i = 0; i < std::min(side.rules_size(), kMaxRules); ++i) {
    CheckImportRule(side.rules(i), {absl::StrCat("import.rules[", i, "]"), side.rules(i).name()});
  }
  if (errors_.empty()) CheckInterest();
}

template <typename Rules>
void PolicyChecker::CheckRules(const Rules& rules, const std::string& path) {
  names_.clear();
  conditions_.clear();
  always_.clear();
  if (rules.size() > kMaxRules) {
    Error({path, ""}, "rules",
          absl::StrCat("has ", rules.size(), " rules; at most ", kMaxRules, " are allowed"));
  }
  if (rules.empty()) Warn({path, ""}, "rules", "is empty, so nothing crosses this way");
  for (int i = 0; i < std::min(rules.size(), kMaxRules); ++i) {
    const auto& rule = rules.Get(i);
    const Place place{absl::StrCat(path, ".rules[", i, "]"), rule.name()};
    CheckName(rule.name(), place);
    CheckAction(rule.action(), place);
    CheckReached(rule.when(), place);
    CheckCondition(rule.when(), place);
  }
}

void PolicyChecker::CheckName(absl::string_view name, const Place& place) {
  if (name.empty()) return Error(place, "name", "is missing; say in a few words what it is for");
  if (name.size() > kMaxNameBytes) {
    return Error(place, "name", absl::StrCat("is longer than ", kMaxNameBytes, " bytes"));
  }
  if (HasControlCharacter(name)) return Error(place, "name", "has a control character");
  const auto [first, added] = names_.emplace(name, place.path);
  if (!added) Error(place, "name", absl::StrCat("is that of ", first->second, " too"));
}

void PolicyChecker::CheckAction(admin::v1::Action action, const Place& place) {
  if (action == admin::v1::ACTION_ALLOW || action == admin::v1::ACTION_DENY) return;
  Error(place, "action", "must be ALLOW or DENY");
}

void PolicyChecker::CheckReached(const std::string& when, const Place& place) {
  if (!always_.empty()) {
    return Warn(place, "",
                absl::StrCat("is never reached: ", always_, " above it matches every event"));
  }
  if (when.empty()) {
    always_ = place.path;
    return;
  }
  const auto [first, added] = conditions_.emplace(when, place.path);
  if (!added) {
    Warn(place, "when",
         absl::StrCat("is never reached: ", first->second, " above it has the same condition"));
  }
}

void PolicyChecker::CheckCondition(const std::string& when, const Place& place) {
  if (when.empty()) return;
  const absl::StatusOr<filter::Program> program = filter::Program::Compile(when);
  if (!program.ok()) return AddConditionError(program.status(), place);
  if (program->constant() != nullptr && program->constant()->boolean() && always_.empty()) {
    always_ = place.path;
  }
  CheckAnalysis(filter::Analyse(when), place);
}

void PolicyChecker::AddConditionError(const absl::Status& status, const Place& place) {
  const base::Metadata metadata = base::MetadataOf(status);
  errors_.push_back({true, place.At("when"), place.rule, std::string(status.message()),
                     NumberOf(metadata, "line"), NumberOf(metadata, "column")});
}

void PolicyChecker::CheckAnalysis(const filter::Analysis& analysis, const Place& place) {
  if (analysis.never_true) Warn(place, "when", "can never be true, so the rule never matches");
  for (const filter::Requirement& required : analysis.requirements) {
    if (import_ && required.left == "ORIGIN()" && required.value != policy_.peer()) {
      Warn(place, "when",
           absl::StrCat("can never be true: this release takes from ", policy_.peer(),
                        " only events of its own origin, not of ", base::Shorten(required.value)));
    }
  }
  for (const filter::Pitfall& pitfall : analysis.pitfalls) {
    warnings_.push_back({false, place.At("when"), place.rule, pitfall.message,
                         pitfall.position.line, pitfall.position.column});
  }
}

void PolicyChecker::CheckExportRule(const admin::v1::ExportRule& rule, const Place& place) {
  constexpr absl::string_view kInstead =
      "; withhold such events with a DENY rule, or have the publisher leave the field out";
  if (rule.redact_size() > 0) {
    Error(place, "redact", absl::StrCat("this release cannot remove fields", kInstead));
  }
  if (rule.pseudonymise_size() > 0) {
    Error(place, "pseudonymise", absl::StrCat("this release cannot make pseudonyms", kInstead));
  }
  CheckLinks(rule, place);
  CheckTerms(rule.terms(), place);
  if (rule.action() == admin::v1::ACTION_DENY && rule.has_terms()) {
    Warn(place, "terms", "has no effect on a DENY rule");
  }
}

void PolicyChecker::CheckLinks(const admin::v1::ExportRule& rule, const Place& place) {
  switch (rule.links()) {
    case admin::v1::LINK_HANDLING_KEEP: return;
    case admin::v1::LINK_HANDLING_UNSPECIFIED:
      if (rule.action() != admin::v1::ACTION_ALLOW) return;
      return Warn(place, "links",
                  "is not set, so of the events the rule allows, those with a chainId or links "
                  "are denied; write links: KEEP if the peer may see which events belong together");
    case admin::v1::LINK_HANDLING_DROP:
    case admin::v1::LINK_HANDLING_PSEUDONYMISE:
      return Error(place, "links",
                   "this release can only KEEP links; leave it out to withhold events that have "
                   "any");
    default: return Error(place, "links", "is none of KEEP, DROP and PSEUDONYMISE");
  }
}

void PolicyChecker::CheckTerms(const storage::v1::Terms& terms, const Place& place) {
  if (terms.groups_size() > 0) {
    Error(place, "terms.groups",
          "this release has no groups; name the peers by a policy for each of them");
  }
  if (!known_.Knows(terms.classification())) {
    Error(place, "terms.classification",
          absl::StrCat("'", base::Shorten(terms.classification()),
                       "' is no label of a scale that this gateway knows"));
  }
}

void PolicyChecker::CheckImportRule(const admin::v1::ImportRule& rule, const Place& place) {
  if (rule.keep() && rule.action() == admin::v1::ACTION_ALLOW) {
    Warn(place, "keep", "has no effect on an ALLOW rule");
  }
}

void PolicyChecker::CheckTransit(int origins, const std::string& path) {
  if (origins == 0) return;
  Error({path, ""}, "transit",
        "this release relays no events of third domains, because nothing proves their origin yet; "
        "leave it empty");
}

void PolicyChecker::CheckLimits(const admin::v1::Limits& limits, const std::string& path) {
  if (limits.burst() > 0 && limits.events_per_second() == 0) {
    Warn({path, ""}, "burst", "has no effect without events_per_second");
  }
  const google::protobuf::Duration& backlog = limits.max_backlog();
  if (backlog.seconds() < 0 || backlog.nanos() < 0 || backlog.seconds() > kMaxBacklogSeconds) {
    Error({path, ""}, "max_backlog", "must be between 0 and ten years");
  }
}

void PolicyChecker::CheckInterest() {
  if (policy_.import().interest() == admin::v1::INTEREST_MODE_NONE) return;
  if (BuildInterest(policy_, 1).version() != 0) return;
  Warn({"import", ""}, "interest",
       absl::StrCat("the rules have more than ", kMaxInterestBytes, " bytes or ", kMaxInterestSteps,
                    " steps, so they are not shown, and the peer sends what they refuse"));
}

std::vector<Finding> CheckPolicy(const admin::v1::Policy& policy, const Classifications& known) {
  return PolicyChecker(policy, known).Run();
}

admin::v1::PolicyFinding ToProto(const Finding& finding) {
  admin::v1::PolicyFinding out;
  out.set_error(finding.error);
  out.set_path(finding.path);
  out.set_rule(finding.rule);
  out.set_message(finding.message);
  out.set_line(finding.line);
  out.set_column(finding.column);
  return out;
}

}  // namespace cdgate::policy
