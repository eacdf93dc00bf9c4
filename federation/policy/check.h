// Internal to the library: checks one list of rules; policy.h has the whole.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/policy.h"
#include "gateway/cdevents/catalogue.h"
#include "gateway/filter/analysis.h"
#include "gateway/filter/data_path.h"

namespace cdgate::policy {

using Origins = google::protobuf::RepeatedPtrField<std::string>;
using Types = std::vector<const cdevents::Type*>;

// The official types that an event which `when` matches may have; all where that is not
// known.
Types TypesMet(const std::string& when);
// "a, b and 7 more".
std::string NamesOf(const Types& types);

// Finds what is wrong with one policy, part by part.
class PolicyChecker {
 public:
  // `warn`: whether warnings are wanted, too; they cost more.
  PolicyChecker(const admin::v1::Policy& policy, const Surroundings& around, bool warn)
      : policy_(policy), around_(around), warn_(warn) {}

  // Errors first, each kind in the order of the policy.
  std::vector<Finding> Run();

 private:
  // Where in the policy, and whose.
  struct Place {
    std::string path;
    std::string rule;
    std::string At(absl::string_view field) const;
  };

  void CheckExport(const admin::v1::ExportPolicy& side);
  void CheckImport(const admin::v1::ImportPolicy& side);
  void CheckExportRule(const admin::v1::ExportRule& rule, const Place& place);
  void CheckImportRule(const admin::v1::ImportRule& rule, const Place& place);
  void CheckLinks(const admin::v1::ExportRule& rule, const Place& place);
  void CheckTerms(const storage::v1::Terms& terms, const Place& place);
  void CheckLimits(const admin::v1::Limits& limits, const std::string& path);
  void CheckGroup(const std::string& group, const Place& place, absl::string_view field);
  void CheckTransit(const Origins& transit, const std::string& path);
  void CheckInterest();

  // check_fields.cc: what a rule removes and replaces.
  struct Field {
    std::string place;  // "redact[0]"
    filter::DataPath path;
  };
  void CheckFields(const admin::v1::ExportRule& rule, const Place& place);
  void CheckNoEffect(const admin::v1::ExportRule& rule, const Place& place);
  std::vector<Field> ParseFields(const Origins& paths, absl::string_view list, const Place& place);
  void CheckRedact(const Field& field, const Types& met, const Place& place);
  void CheckPseudonymise(const Field& field, const Types& met, const Place& place);
  void CheckPossible(const Field& field, const Types& met, const Place& place);
  void CheckOverlaps(const std::vector<Field>& redact, const std::vector<Field>& pseudonymise,
                     const Place& place);

  // What both kinds of rules have: name, action, condition, and what came before.
  template <typename Rules>
  void CheckRules(const Rules& rules, const std::string& path);
  void CheckName(absl::string_view name, const Place& place);
  void CheckAction(admin::v1::Action action, const Place& place);
  void CheckCondition(const std::string& when, const Place& place);
  void CheckAnalysis(const std::string& when, const Place& place);
  void CheckReached(const std::string& when, const Place& place);
  // Whether a rule above takes all that this one is for; says so.
  bool IsShadowed(const std::string& when, const Place& place);
  void CheckOrigin(absl::string_view origin, const Place& place);
  void CheckPitfall(const filter::Pitfall& pitfall, const std::string& when, const Place& place);
  void AddConditionError(const absl::Status& status, const Place& place);

  void Error(const Place& place, absl::string_view field, std::string message);
  void Warn(const Place& place, absl::string_view field, std::string message);

  const admin::v1::Policy& policy_;
  const Surroundings& around_;
  const bool warn_;
  bool import_ = false;  // the side that is checked
  std::vector<Finding> errors_;
  std::vector<Finding> warnings_;
  // Of the list that is checked: where each name and condition was first, and the rule
  // that matches every event.
  absl::flat_hash_map<std::string, std::string> names_;
  absl::flat_hash_map<std::string, std::string> conditions_;
  std::vector<std::pair<std::string, std::string>> earlier_;  // conditions that compile, places
  std::string always_;
};

}  // namespace cdgate::policy
