#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"

namespace cdgate::policy {
namespace {

using base::Reason;

Decision Deny(Reason reason, absl::string_view rule = "") {
  Decision decision;
  decision.reason = reason;
  decision.rule = rule;
  return decision;
}

RuleTrace TraceOf(const CompiledPolicy::Rule& rule, filter::EventContext& event, bool matched,
                  const filter::MatchError& error) {
  RuleTrace trace;
  trace.rule = rule.name;
  trace.when = rule.when;
  trace.verdict = matched ? RuleTrace::Verdict::kMatch : RuleTrace::Verdict::kNoMatch;
  if (error) {
    const filter::Position at = rule.condition->PositionOf(error);
    trace.verdict = RuleTrace::Verdict::kError;
    trace.error = absl::StrCat("line ", at.line, ", column ", at.column, ": ",
                               rule.condition->MessageOf(error));
  }
  if (rule.condition) rule.condition->Evaluate(event, nullptr, &trace.values);
  return trace;
}

RuleMemo::Outcome Try(const CompiledPolicy::Rule& rule, filter::EventContext& event,
                      std::vector<RuleTrace>* trace) {
  filter::MatchError error;
  const bool matched = !rule.condition || rule.condition->Matches(event, &error);
  if (trace != nullptr) trace->push_back(TraceOf(rule, event, matched, error));
  if (error) return RuleMemo::Outcome::kFailed;
  return matched ? RuleMemo::Outcome::kMatched : RuleMemo::Outcome::kPassed;
}

// The first rule that matches or fails decides.
Decision TryRules(const CompiledPolicy::Side& side, filter::EventContext& event, DecisionMemo* memo,
                  std::vector<RuleTrace>* trace, const CompiledPolicy::Rule** decided) {
  RuleMemo* const kept = memo == nullptr || trace != nullptr ? nullptr : &memo->rules;
  const auto first = FirstToDecide(kept, side.serial, side.rules.size(), event,
                                   [&](size_t i) { return Try(side.rules[i], event, trace); });
  if (!first) return Deny(Reason::kNoRule);
  const CompiledPolicy::Rule& rule = side.rules[first->rule];
  *decided = &rule;
  const bool failed = first->outcome == RuleMemo::Outcome::kFailed;
  Decision decision = Deny(failed ? Reason::kFilterError : Reason::kDeniedByRule, rule.id);
  decision.keep = rule.keep;
  if (!failed && rule.allow) {
    decision.allow = true;
    decision.reason = Reason::kAllowedByRule;
  }
  return decision;
}

bool TooLarge(const CompiledPolicy::Side& side, const filter::EventContext& event) {
  const uint32_t limit = side.limits.max_event_bytes();
  return limit > 0 && event.byte_size() > limit;
}

// Labels of the event itself and of the terms it came under.
bool LabelsKnown(filter::EventContext& event, const Classifications& known) {
  return known.Knows(event.classification()) &&
         (event.terms() == nullptr || known.Knows(event.terms()->classification()));
}

// A chain and links name other events, which the peer may not know of.
std::optional<Reason> CheckLinks(const CompiledPolicy::Rule& rule, filter::EventContext& event) {
  if (rule.keep_links) return std::nullopt;
  switch (event.HasLinksOrChain()) {
    case filter::DataLookup::kAbsent: return std::nullopt;
    case filter::DataLookup::kNoJson: return Reason::kInvalidJson;
    default: return Reason::kTransformationUnavailable;
  }
}

}  // namespace

std::optional<TermsView> NarrowTerms(const storage::v1::Terms* event_terms,
                                     const storage::v1::Terms& rule_terms,
                                     const Classifications& known) {
  TermsView out{rule_terms.onward(), rule_terms.classification()};
  if (event_terms == nullptr) return out;
  if (event_terms->onward() == 0 || event_terms->groups_size() > 0) return std::nullopt;
  const std::optional<absl::string_view> label =
      known.Stricter(event_terms->classification(), rule_terms.classification());
  if (!label) return std::nullopt;
  out.onward = std::min(out.onward, event_terms->onward() - 1);
  out.classification = *label;
  return out;
}

Decision DecideExport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ExportContext& context, std::vector<RuleTrace>* trace) {
  if (policy == nullptr) return Deny(Reason::kNoPolicy);
  if (event.origin() != context.own_domain) return Deny(Reason::kTransitNotAllowed);
  if (TooLarge(policy->exports(), event)) return Deny(Reason::kTooLarge);
  const CompiledPolicy::Rule* rule = nullptr;
  Decision decision = TryRules(policy->exports(), event, context.memo, trace, &rule);
  if (!decision.allow) return decision;
  if (!LabelsKnown(event, *context.classifications)) {
    return Deny(Reason::kClassificationUnknown, rule->id);
  }
  const std::optional<TermsView> terms =
      NarrowTerms(event.terms(), rule->terms, *context.classifications);
  if (!terms) return Deny(Reason::kTermsExceeded, rule->id);
  decision.terms = *terms;
  if (const std::optional<Reason> reason = CheckLinks(*rule, event)) return Deny(*reason, rule->id);
  RuleMemo* const memo = context.memo == nullptr ? nullptr : &context.memo->interest;
  if (context.interest != nullptr && !context.interest->Wants(event, memo)) {
    return Deny(Reason::kNotWanted, rule->id);
  }
  return decision;
}

Decision DecideImport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ImportContext& context, std::vector<RuleTrace>* trace) {
  if (policy == nullptr) return Deny(Reason::kNoPolicy);
  if (event.origin() != context.peer) return Deny(Reason::kTransitNotAllowed);
  if (TooLarge(policy->imports(), event)) return Deny(Reason::kTooLarge);
  if (event.unknown_type() && !policy->imports().accept_unknown) {
    return Deny(Reason::kUnknownType);
  }
  const CompiledPolicy::Rule* rule = nullptr;
  const Decision decision = TryRules(policy->imports(), event, context.memo, trace, &rule);
  if (!decision.allow) return decision;
  if (!LabelsKnown(event, *context.classifications)) {
    return Deny(Reason::kClassificationUnknown, rule->id);
  }
  // A group that nobody here can look up has no members.
  if (event.terms() != nullptr && event.terms()->groups_size() > 0) {
    return Deny(Reason::kTermsExceeded, rule->id);
  }
  return decision;
}

absl::string_view VerdictText(RuleTrace::Verdict verdict) {
  switch (verdict) {
    case RuleTrace::Verdict::kNoMatch: return "no match";
    case RuleTrace::Verdict::kMatch: return "match";
    case RuleTrace::Verdict::kError: return "error";
  }
  return "";
}

admin::v1::RuleTrace ToProto(const RuleTrace& trace) {
  admin::v1::RuleTrace out;
  out.set_rule(trace.rule);
  out.set_when(trace.when);
  out.set_verdict(std::string(VerdictText(trace.verdict)));
  out.set_error(trace.error);
  for (const filter::ValueRead& read : trace.values) {
    admin::v1::ValueRead* value = out.add_values();
    value->set_expression(read.expression);
    value->set_value(read.value);
  }
  return out;
}

}  // namespace cdgate::policy
