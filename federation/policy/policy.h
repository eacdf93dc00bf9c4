// Decides what crosses to and from one peer. Pure: the same policy, event and context
// give the same decision, in enforcement, plan and explain alike.
//
//   CDGATE_ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPolicy> policy,
//                           CompiledPolicy::Compile(resource, version));
//   filter::EventContext event;
//   event.Reset(record);
//   const Decision decision = DecideExport(policy.get(), event, {"alpha.example"});
//   if (!decision.allow) Count(decision.reason, decision.rule);
//
// Default deny: no policy, no rule, a condition that fails, a classification nobody
// knows: the event does not cross. The first rule that matches decides. Until
// attestation exists only events of the sender's own origin cross.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/policy/classification.h"
#include "federation/policy/interest.h"
#include "federation/policy/rule_memo.h"
#include "gateway/base/errors.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"

namespace cdgate::policy {

// Rules of one list.
inline constexpr int kMaxRules = 1000;
// Characters of a rule's name.
inline constexpr size_t kMaxNameBytes = 200;

// Grows when the same policy would decide the same event otherwise; part of the policy
// epoch (storage.v1.PolicyEpoch.engine_version).
inline constexpr uint32_t kEngineVersion = 1;

// What the event leaves under. Views into the policy and the event.
struct TermsView {
  uint32_t onward = 0;
  absl::string_view classification;
};

// Terms narrower than both those the event came under and those the rule sets; none
// where the event's terms forbid another crossing. Groups are not known in this release,
// so terms with groups allow none.
std::optional<TermsView> NarrowTerms(const storage::v1::Terms* event_terms,
                                     const storage::v1::Terms& rule_terms,
                                     const Classifications& known);

// The outcome for one event. `rule` and `terms` view the policy and the event that were
// decided; keep both, or copy.
struct Decision {
  bool allow = false;
  base::Reason reason = base::Reason::kNoPolicy;
  // "name@version" of the rule that decided; empty: none did.
  absl::string_view rule;
  // Import only: the content of the refused event is kept with its refusal.
  bool keep = false;
  // Export only, where it is allowed.
  TermsView terms;
};

// How one rule went, in the order they were tried.
struct RuleTrace {
  enum class Verdict { kNoMatch, kMatch, kError };
  std::string rule;  // its name
  std::string when;  // its condition; empty: always
  Verdict verdict = Verdict::kNoMatch;
  std::string error;  // kError: why
  std::vector<filter::ValueRead> values;
};
// "match", "no match", "error".
absl::string_view VerdictText(RuleTrace::Verdict verdict);
admin::v1::RuleTrace ToProto(const RuleTrace& trace);

// One finding about a policy; admin.v1.PolicyFinding.
struct Finding {
  bool error = false;
  std::string path;  // "export.rules[2].when"
  std::string rule;
  std::string message;
  uint32_t line = 0;  // 0: not within an expression
  uint32_t column = 0;
};
admin::v1::PolicyFinding ToProto(const Finding& finding);

// All that can be said of `policy` without events; errors first. A policy is applied
// only where there is no error.
std::vector<Finding> CheckPolicy(const admin::v1::Policy& policy,
                                 const Classifications& known = Classifications::BuiltIn());

// A policy in force. Immutable; safe to share between threads.
class CompiledPolicy {
 public:
  struct Rule {
    std::string name;
    std::string id;  // "name@version"
    std::string when;
    std::optional<filter::Program> condition;  // none: matches every event
    bool allow = false;
    bool keep = false;        // import
    bool keep_links = false;  // export
    storage::v1::Terms terms;
  };
  struct Side {
    std::vector<Rule> rules;
    admin::v1::Limits limits;
    bool accept_unknown = false;  // import
    uint64_t serial = RuleMemo::NewSerial();
  };

  // INVALID_POLICY naming the first error's path where CheckPolicy finds one; all
  // findings, warnings too, go to `findings` where that is not null.
  static absl::StatusOr<std::shared_ptr<const CompiledPolicy>> Compile(
      const admin::v1::Policy& policy, uint64_t version, std::vector<Finding>* findings = nullptr,
      const Classifications& known = Classifications::BuiltIn());

  const std::string& peer() const { return peer_; }
  uint64_t version() const { return version_; }
  const Side& exports() const { return export_; }
  const Side& imports() const { return import_; }
  admin::v1::ReasonsToPeer reasons_to_peer() const { return reasons_to_peer_; }

 private:
  CompiledPolicy() = default;

  std::string peer_;
  uint64_t version_ = 0;
  Side export_;
  Side import_;
  admin::v1::ReasonsToPeer reasons_to_peer_ = admin::v1::REASONS_TO_PEER_NONE;
};

// What rules came to for earlier events. Speeds decisions up and changes none; one thread's.
struct DecisionMemo {
  RuleMemo rules;
  RuleMemo interest;
};

// What an export decision depends on besides policy and event.
struct ExportContext {
  absl::string_view own_domain;
  // What the importer showed; null: nothing.
  const CompiledInterest* interest = nullptr;
  const Classifications* classifications = &Classifications::BuiltIn();
  DecisionMemo* memo = nullptr;  // null: every rule is tried
};

// What an import decision depends on besides policy and event.
struct ImportContext {
  // The peer that sent the event.
  absl::string_view peer;
  const Classifications* classifications = &Classifications::BuiltIn();
  DecisionMemo* memo = nullptr;  // null: every rule is tried
};

// Reasons of a denial: NO_POLICY (policy is null), TRANSIT_NOT_ALLOWED (not of our own
// origin), TOO_LARGE, NO_RULE, DENIED_BY_RULE, FILTER_ERROR, CLASSIFICATION_UNKNOWN,
// TERMS_EXCEEDED, TRANSFORMATION_UNAVAILABLE (carries links, and the rule does not say
// KEEP), INVALID_JSON, NOT_WANTED. Where `trace` is not null every rule is tried, and added
// to it. Allocates nothing where the conditions read attributes only and no rule fails.
Decision DecideExport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ExportContext& context, std::vector<RuleTrace>* trace = nullptr);

// Reasons of a denial: as DecideExport, without those about links and interest;
// TRANSIT_NOT_ALLOWED where the event is not of the sending peer's origin, UNKNOWN_TYPE where
// it was admitted as of one and the policy does not accept those.
Decision DecideImport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ImportContext& context, std::vector<RuleTrace>* trace = nullptr);

}  // namespace cdgate::policy
