// Internal to the library: checks one list of rules; policy.h has the whole.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/policy.h"
#include "gateway/filter/analysis.h"

namespace cdgate::policy {

// Finds what is wrong with one policy, part by part.
class PolicyChecker {
 public:
  PolicyChecker(const admin::v1::Policy& policy, const Classifications& known)
      : policy_(policy), known_(known) {}

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
  void CheckTransit(int origins, const std::string& path);
  void CheckInterest();

  // What both kinds of rules have: name, action, condition, and what came before.
  template <typename Rules>
  void CheckRules(const Rules& rules, const std::string& path);
  void CheckName(absl::string_view name, const Place& place);
  void CheckAction(admin::v1::Action action, const Place& place);
  void CheckCondition(const std::string& when, const Place& place);
  void CheckAnalysis(const filter::Analysis& analysis, const Place& place);
  void CheckReached(const std::string& when, const Place& place);
  void AddConditionError(const absl::Status& status, const Place& place);

  void Error(const Place& place, absl::string_view field, std::string message);
  void Warn(const Place& place, absl::string_view field, std::string message);

  const admin::v1::Policy& policy_;
  const Classifications& known_;
  bool import_ = false;  // the side that is checked
  std::vector<Finding> errors_;
  std::vector<Finding> warnings_;
  // Of the list that is checked: where each name and condition was first, and the rule
  // that matches every event.
  absl::flat_hash_map<std::string, std::string> names_;
  absl::flat_hash_map<std::string, std::string> conditions_;
  std::string always_;
};

}  // namespace cdgate::policy
