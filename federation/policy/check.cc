#include "federation/policy/check.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "federation/policy/field_rules.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/filter/type_reach.h"

namespace cdgate::policy {
namespace {

// In months and years nobody waits for a peer; a typing error.
constexpr int64_t kMaxBacklogSeconds = int64_t{3650} * 24 * 3600;

// A longer list is not searched for rules that others shadow.
constexpr size_t kMostCompared = 64;

constexpr size_t kMaxGroupName = 63;

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
}

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
  if (warn_) warnings_.push_back({false, place.At(field), place.rule, std::move(message)});
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
  CheckTransit(side.transit(), "export");
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
  CheckTransit(side.transit(), "import");
  CheckLimits(side.limits(), "import.limits");
  if (!admin::v1::InterestMode_IsValid(side.interest())) {
    Error({"import", ""}, "interest", "is none of RULES and NONE");
  }
  for (int i = 0; i < std::min(side.rules_size(), kMaxRules); ++i) {
    CheckImportRule(side.rules(i), {absl::StrCat("import.rules[", i, "]"), side.rules(i).name()});
  }
  if (warn_ && errors_.empty()) CheckInterest();
}

template <typename Rules>
void PolicyChecker::CheckRules(const Rules& rules, const std::string& path) {
  names_.clear();
  conditions_.clear();
  earlier_.clear();
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

bool PolicyChecker::IsShadowed(const std::string& when, const Place& place) {
  if (earlier_.size() > kMostCompared) return false;
  for (const auto& [condition, path] : earlier_) {
    const auto relation = filter::IsAndOf(when, condition).value_or(filter::AndRelation::kNo);
    if (relation == filter::AndRelation::kNo) continue;
    Warn(place, "when",
         absl::StrCat(
             relation == filter::AndRelation::kBaseFirst ? "is never reached: " : "never matches: ",
             path, " above it asks for less, and matches all that this rule is for"));
    return true;
  }
  return false;
}

void PolicyChecker::CheckCondition(const std::string& when, const Place& place) {
  if (when.empty()) return;
  const absl::StatusOr<filter::Program> program = filter::Program::Compile(when);
  if (!program.ok()) return AddConditionError(program.status(), place);
  const bool reached = always_.empty();
  const auto first = conditions_.find(when);
  const bool repeated = first != conditions_.end() && first->second != place.path;
  if (program->constant() != nullptr && program->constant()->boolean() && reached) {
    always_ = place.path;
  }
  if (!warn_) return;
  const bool compared = reached && !repeated && program->constant() == nullptr;
  if (compared && !IsShadowed(when, place)) earlier_.emplace_back(when, place.path);
  CheckAnalysis(when, place);
}

void PolicyChecker::AddConditionError(const absl::Status& status, const Place& place) {
  const base::Metadata metadata = base::MetadataOf(status);
  errors_.push_back({true, place.At("when"), place.rule, std::string(status.message()),
                     NumberOf(metadata, "line"), NumberOf(metadata, "column")});
}

void PolicyChecker::CheckAnalysis(const std::string& when, const Place& place) {
  const filter::Analysis analysis = filter::Analyse(when);
  if (analysis.never_true) Warn(place, "when", "can never be true, so the rule never matches");
  for (const filter::Requirement& required : analysis.requirements) {
    if (required.left == "ORIGIN()") CheckOrigin(required.value, place);
  }
  for (const filter::Pitfall& pitfall : analysis.pitfalls) CheckPitfall(pitfall, when, place);
}

// Only events of the sender's own origin, and of those that it may relay, come to the rules.
void PolicyChecker::CheckOrigin(absl::string_view origin, const Place& place) {
  const absl::string_view sender = import_ ? policy_.peer() : around_.own_domain;
  const Origins& transit = import_ ? policy_.import().transit() : policy_.export_().transit();
  if (sender.empty() || origin == sender) return;
  if (std::find(transit.begin(), transit.end(), origin) != transit.end()) return;
  Warn(place, "when",
       absl::StrCat("can never be true: ", base::Shorten(sender),
                    " sends events of its own, and "
                    "those of the origins that transit lists, and ",
                    base::Shorten(origin), " is not one of these"));
}

void PolicyChecker::CheckPitfall(const filter::Pitfall& pitfall, const std::string& when,
                                 const Place& place) {
  std::string message = pitfall.message;
  if (!pitfall.path.empty()) {
    Types without = TypesMet(when);
    const absl::StatusOr<filter::DataPath> path = filter::DataPath::Parse(pitfall.path);
    std::erase_if(without, [&](const cdevents::Type* type) {
      return path.ok() && FactsOf(*type, *path).always;
    });
    if (without.empty()) return;
    absl::StrAppend(&message, "; events of ", NamesOf(without), " need not have it");
  }
  warnings_.push_back({false, place.At("when"), place.rule, std::move(message),
                       pitfall.position.line, pitfall.position.column});
}

void PolicyChecker::CheckExportRule(const admin::v1::ExportRule& rule, const Place& place) {
  CheckFields(rule, place);
  if (!admin::v1::LinkHandling_IsValid(rule.links())) {
    Error(place, "links", "is none of KEEP, DROP and PSEUDONYMISE");
  }
  CheckTerms(rule.terms(), place);
  if (rule.action() == admin::v1::ACTION_DENY) CheckNoEffect(rule, place);
}

void PolicyChecker::CheckTerms(const storage::v1::Terms& terms, const Place& place) {
  if (!around_.environment->labels().Knows(terms.classification())) {
    Error(place, "terms.classification",
          absl::StrCat("'", base::Shorten(terms.classification()),
                       "' is no label of a scale that this gateway knows"));
  }
  for (int i = 0; i < terms.groups_size(); ++i) {
    CheckGroup(terms.groups(i), place, absl::StrCat("terms.groups[", i, "]"));
  }
  const bool member =
      std::any_of(terms.groups().begin(), terms.groups().end(), [this](const std::string& group) {
        return around_.environment->IsMember(group, policy_.peer(), around_.now);
      });
  if (terms.groups_size() == 0 || member) return;
  Warn(place, "terms.groups",
       absl::StrCat("as far as is known here ", base::Shorten(policy_.peer()), " is a member of ",
                    terms.groups_size() == 1 ? "it not" : "none of them",
                    ", so no event crosses by this rule"));
}

void PolicyChecker::CheckGroup(const std::string& group, const Place& place,
                               absl::string_view field) {
  const size_t at = group.find('@');
  const absl::string_view name = absl::string_view(group).substr(0, at);
  const bool good = at != std::string::npos && !name.empty() && name.size() <= kMaxGroupName &&
                    std::all_of(name.begin(), name.end(), IsNameCharacter) &&
                    trust::ValidTrustDomain(absl::string_view(group).substr(at + 1));
  if (good) return;
  Error(place, field,
        absl::StrCat("'", base::Shorten(group),
                     "' is no group; write NAME@DOMAIN, such as "
                     "core@eosc.example, with the domain that owns it"));
}

void PolicyChecker::CheckImportRule(const admin::v1::ImportRule& rule, const Place& place) {
  if (rule.keep() && rule.action() == admin::v1::ACTION_ALLOW) {
    Warn(place, "keep", "has no effect on an ALLOW rule");
  }
}

void PolicyChecker::CheckTransit(const Origins& transit, const std::string& path) {
  absl::flat_hash_set<absl::string_view> seen;
  for (int i = 0; i < transit.size(); ++i) {
    const std::string& origin = transit.Get(i);
    const std::string field = absl::StrCat("transit[", i, "]");
    const std::string shown = base::Shorten(origin);
    if (!trust::ValidTrustDomain(origin)) {
      Error({path, ""}, field, absl::StrCat("'", shown, "' is no domain, such as gamma.example"));
    } else if (origin == around_.own_domain) {
      Error({path, ""}, field,
            absl::StrCat(
                shown, " is this domain; ",
                import_ ? "its events do not come back to it" : "its own events need no transit"));
    } else if (origin == policy_.peer()) {
      Error({path, ""}, field,
            absl::StrCat(
                shown, " is the peer; ",
                import_ ? "its own events need no transit" : "it is not sent its own events"));
    } else if (!seen.insert(origin).second) {
      Warn({path, ""}, field, absl::StrCat(shown, " is listed before"));
    }
  }
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

std::vector<Finding> CheckPolicy(const admin::v1::Policy& policy, const Surroundings& around) {
  return PolicyChecker(policy, around, /*warn=*/true).Run();
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
