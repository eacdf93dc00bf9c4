// Decides what crosses to and from one peer. Pure: the same policy, event and context
// give the same decision, in enforcement, plan and explain alike.
//
//   CDGATE_ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPolicy> policy,
//                           CompiledPolicy::Compile(resource, version));
//   filter::EventContext event;
//   event.Reset(record);
//   Transformer transformer;
//   const Decision decision = DecideExport(policy.get(), event, {.own_domain = "alpha.example",
//                                                                .keys = keyring.get(),
//                                                                .transformer = &transformer});
//   if (!decision.allow) Count(decision.reason, decision.rule);
//
// Default deny: no policy, no rule, a condition that fails, a classification nobody
// knows, a group that cannot be looked up, a transformation that cannot be done: the event
// does not cross. The first rule that matches decides. Until attestation exists nothing
// proves the origin of an event that a third domain passes on, so none crosses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/policy/classification.h"
#include "federation/policy/environment.h"
#include "federation/policy/interest.h"
#include "federation/policy/pseudonym.h"
#include "federation/policy/rule_memo.h"
#include "federation/policy/transformation.h"
#include "gateway/base/errors.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"

namespace cdgate::policy {

// Rules of one list.
inline constexpr int kMaxRules = 1000;
// Characters of a rule's name.
inline constexpr size_t kMaxNameBytes = 200;

// Grows when the same policy would decide the same event otherwise; part of the policy
// epoch (storage.v1.PolicyEpoch.engine_version).
//   1: links could only be kept or withheld, and groups were nobody
//   2: events of third domains never crossed
inline constexpr uint32_t kEngineVersion = 3;

// Borders that an event may cross, whatever its terms say: no path of federated domains is longer
// without being a loop.
inline constexpr uint32_t kMaxHops = 32;

// What the event leaves under. Views into the policy and the event.
struct TermsView {
  uint32_t onward = 0;
  absl::string_view classification;
  absl::InlinedVector<absl::string_view, 4> groups;  // empty: no restriction by group
};

// Terms narrower than both those the event came under and those the rule sets; none where
// the event's terms forbid another crossing, labels cannot be compared, or no group is left
// that both name.
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
  // Export only, where it is allowed and something of it is removed or replaced: the event
  // as it leaves, in the transformer's memory; null: it leaves as it is.
  const Outgoing* outgoing = nullptr;
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

// What a policy is judged in.
struct Surroundings {
  // Labels that are known, and groups.
  const Environment* environment = Environment::BuiltIn().get();
  absl::string_view own_domain = {};  // empty: what depends on it is not judged
  // For groups that end.
  absl::Time now = absl::UnixEpoch();
};

// All that can be said of `policy` without events; errors first. A policy is applied
// only where there is no error.
std::vector<Finding> CheckPolicy(const admin::v1::Policy& policy, const Surroundings& around = {});

// A policy in force. Immutable; safe to share between threads.
class CompiledPolicy {
 public:
  struct Rule {
    std::string name;
    std::string id;  // "name@version"
    std::string when;
    std::optional<filter::Program> condition;  // none: matches every event
    bool allow = false;
    bool keep = false;              // import
    Transformation transformation;  // export
    storage::v1::Terms terms;
  };
  struct Side {
    std::vector<Rule> rules;
    absl::flat_hash_set<std::string> transit;  // origins, besides the sender's own
    admin::v1::Limits limits;
    bool accept_unknown = false;  // import
    // Export: of the rules' conditions; sides that have the same have one list.
    std::shared_ptr<const RuleList> list;
    uint64_t serial = RuleMemo::NewSerial();  // of `list`, where there is one
  };

  // INVALID_POLICY naming the first error's path where CheckPolicy finds one; all
  // findings, warnings too, go to `findings` where that is not null. A policy that was
  // applied compiles in the surroundings of its time.
  static absl::StatusOr<std::shared_ptr<const CompiledPolicy>> Compile(
      const admin::v1::Policy& policy, uint64_t version, std::vector<Finding>* findings = nullptr,
      const Surroundings& around = {});

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

// The memory in which events are transformed, and are then read as they arrive. Not
// thread-safe; one per thread, kept.
class EventTransformer {
 public:
  EventTransformer() = default;

  // As Transformer::Apply, of the event that `event` is set to. Null also where that is not a
  // record.
  const Outgoing* Apply(const Transformation& what, const filter::EventContext& event,
                        const Keyring* keys, bool* changed);
  // The event that was transformed last as its receiver sees it.
  filter::EventContext& Arriving(const filter::EventContext& event);

 private:
  Transformer transformer_;
  const Outgoing* outgoing_ = nullptr;
  std::string stored_;
  std::optional<event::Record> record_;
  filter::EventContext context_;
};

// What an export decision depends on besides policy and event.
struct ExportContext {
  absl::string_view own_domain;
  // What the importer showed; null: nothing.
  const CompiledInterest* interest = nullptr;
  const Environment* environment = Environment::BuiltIn().get();
  // Of the peer's pseudonyms; null: where one is needed, the event does not cross.
  const Keyring* keys = nullptr;
  // Null: an event that would have to be transformed does not cross.
  EventTransformer* transformer = nullptr;
  uint32_t engine_version = kEngineVersion;  // of an earlier decision that is repeated
  DecisionMemo* memo = nullptr;              // null: every rule is tried
  // What the policy's export rules come to for this event, where that is known
  // (shared_decisions.h); null: they are tried.
  const RuleOutcome* rules = nullptr;
};

// What an import decision depends on besides policy and event.
struct ImportContext {
  // The peer that sent the event.
  absl::string_view peer;
  // Us, for terms that name groups.
  absl::string_view own_domain = {};
  const Environment* environment = Environment::BuiltIn().get();
  DecisionMemo* memo = nullptr;  // null: every rule is tried
};

// The first rule of `side` that matches or fails, whatever it says then. Pure: the same for
// all sides with the same conditions.
RuleOutcome TryRules(const CompiledPolicy::Side& side, filter::EventContext& event, RuleMemo* memo);

// Reasons of a denial: NO_POLICY (policy is null), TRANSIT_NOT_ALLOWED (neither of our own
// origin nor of one in transit), SPLIT_HORIZON (it came through the peer), HOPS_EXCEEDED,
// ATTESTATION_UNPROVEN (in transit, and it came without statements), TOO_LARGE, NO_RULE,
// DENIED_BY_RULE, FILTER_ERROR, CLASSIFICATION_UNKNOWN, TERMS_EXCEEDED,
// TRANSFORMATION_UNAVAILABLE, NOT_WANTED. What the importer wants is judged by the event as
// it would arrive: it learns nothing of what it does not get. Where `trace` is not null every
// rule is tried, and added to it. Allocates nothing where no rule fails and nothing is
// transformed, once the context has the memory that it needs.
Decision DecideExport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ExportContext& context, std::vector<RuleTrace>* trace = nullptr);

// Reasons of a denial: as DecideExport, without those about transformation and interest;
// TRANSIT_NOT_ALLOWED where the event is neither of the sending peer's origin nor of one in
// transit, UNKNOWN_TYPE where it was admitted as of one and the policy does not accept those.
Decision DecideImport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ImportContext& context, std::vector<RuleTrace>* trace = nullptr);

}  // namespace cdgate::policy
