#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "gateway/event/recovered.h"

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

// What the rule that decides says; *decided is set where there is one.
Decision Follow(const CompiledPolicy::Side& side, const RuleOutcome& first,
                const CompiledPolicy::Rule** decided) {
  if (first.outcome == RuleMemo::Outcome::kPassed) return Deny(Reason::kNoRule);
  const CompiledPolicy::Rule& rule = side.rules[first.rule];
  *decided = &rule;
  const bool failed = first.outcome == RuleMemo::Outcome::kFailed;
  Decision decision = Deny(failed ? Reason::kFilterError : Reason::kDeniedByRule, rule.id);
  decision.keep = rule.keep;
  if (!failed && rule.allow) {
    decision.allow = true;
    decision.reason = Reason::kAllowedByRule;
  }
  return decision;
}

RuleMemo* RulesMemo(DecisionMemo* memo) { return memo == nullptr ? nullptr : &memo->rules; }

RuleOutcome FirstOf(const CompiledPolicy::Side& side, filter::EventContext& event, RuleMemo* memo,
                    std::vector<RuleTrace>* trace) {
  const auto first =
      FirstToDecide(trace == nullptr ? memo : nullptr, side.serial, side.rules.size(), event,
                    [&](size_t i) { return Try(side.rules[i], event, trace); });
  if (!first) return {};
  return {first->outcome, static_cast<uint16_t>(first->rule)};
}

bool TooLarge(const CompiledPolicy::Side& side, const filter::EventContext& event) {
  const uint32_t limit = side.limits.max_event_bytes();
  return limit > 0 && event.byte_size() > limit;
}

// Labels of the event itself and of the terms it came under.
bool StampsKnown(filter::EventContext& event, const Environment& environment) {
  const Classifications& known = environment.labels();
  return known.Knows(event.classification()) &&
         (event.terms() == nullptr || known.Knows(event.terms()->classification()));
}

bool LabelsKnown(filter::EventContext& event, const Environment& environment) {
  return StampsKnown(event, environment) && environment.KnowsRegulations(event.regulation());
}

// Whether terms that name groups let `domain` have the event.
template <typename Groups>
bool MayReceive(const Groups& groups, absl::string_view domain, const filter::EventContext& event,
                const Environment& environment) {
  if (groups.empty()) return true;
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    return environment.IsMember(group, domain, event.accept_time());
  });
}

// Of whom it is, and whether that may pass; none: it may.
std::optional<Reason> CheckOrigin(const CompiledPolicy::Side& side, absl::string_view origin,
                                  absl::string_view sender) {
  if (origin == sender || side.transit.contains(origin)) return std::nullopt;
  return Reason::kTransitNotAllowed;
}

// Whether what came with a received event shows others whose it is: a statement of its origin,
// and one of each domain that passed it on, the last for the batch that it came in.
bool HasStatements(const event::StoredView& stored, size_t path) {
  size_t statements = 0;
  stored.ForEachStatement([&statements](absl::string_view) { ++statements; });
  return statements == path && !stored.import_leaf().empty();
}

// Of one of ours: whether the peer needs it; none: it does.
std::optional<Reason> CheckOwn(const filter::EventContext& event, absl::string_view peer) {
  const bool has_it =
      event.record() != nullptr && event::IsRecoveredFrom(event.record()->stored(), peer);
  return has_it ? std::optional<Reason>(Reason::kSplitHorizon) : std::nullopt;
}

// Of an event that was received, whether it may go on to `peer`; none: it may.
std::optional<Reason> CheckTransit(const filter::EventContext& event, absl::string_view peer,
                                   const ExportContext& context) {
  if (event.origin() == context.own_domain) return CheckOwn(event, peer);
  if (context.engine_version < 3 || event.record() == nullptr) return Reason::kAttestationUnproven;
  const event::StoredView& stored = event.record()->stored();
  size_t path = 0;
  bool came_through = event.origin() == peer;
  stored.ForEachPath([&](absl::string_view domain) {
    ++path;
    came_through = came_through || domain == peer;
  });
  if (came_through) return Reason::kSplitHorizon;
  if (path >= kMaxHops) return Reason::kHopsExceeded;
  // Terms say how far it may go; without any it stays.
  if (event.terms() == nullptr || event.terms()->onward() == 0) return Reason::kTermsExceeded;
  return HasStatements(stored, path) ? std::nullopt
                                     : std::optional<Reason>(Reason::kAttestationUnproven);
}

RuleMemo* InterestMemo(const ExportContext& context) {
  return context.memo == nullptr ? nullptr : &context.memo->interest;
}

bool Wants(const ExportContext& context, filter::EventContext& arriving) {
  return context.interest == nullptr || context.interest->Wants(arriving, InterestMemo(context));
}

// What the event leaves as, and whether the importer wants it so; none: it crosses.
std::optional<Reason> Transform(const CompiledPolicy::Rule& rule, filter::EventContext& event,
                                const ExportContext& context, Decision* decision) {
  std::optional<bool> wanted = true;
  if (context.interest != nullptr) {
    wanted = context.interest->WantsByKind(event, InterestMemo(context));
  }
  if (wanted == false) return Reason::kNotWanted;
  if (context.transformer == nullptr) return Reason::kTransformationUnavailable;
  bool changed = false;
  const Outgoing* const outgoing =
      context.transformer->Apply(rule.transformation, event, context.keys, &changed);
  if (outgoing == nullptr) return Reason::kTransformationUnavailable;
  if (changed) decision->outgoing = outgoing;
  if (wanted || Wants(context, changed ? context.transformer->Arriving(event) : event)) {
    return std::nullopt;
  }
  return Reason::kNotWanted;
}

// The first engine could not transform, and withheld what names other events.
std::optional<Reason> WithholdLinks(filter::EventContext& event) {
  switch (event.HasLinksOrChain()) {
    case filter::DataLookup::kAbsent: return std::nullopt;
    case filter::DataLookup::kNoJson: return Reason::kInvalidJson;
    default: return Reason::kTransformationUnavailable;
  }
}

// Behind the rules: what the event leaves under and as.
std::optional<Reason> Finish(const CompiledPolicy& policy, const CompiledPolicy::Rule& rule,
                             filter::EventContext& event, const ExportContext& context,
                             Decision* decision) {
  const Environment& environment = *context.environment;
  const bool first_engine = context.engine_version < 2;
  if (!(first_engine ? StampsKnown(event, environment) : LabelsKnown(event, environment))) {
    return Reason::kClassificationUnknown;
  }
  std::optional<TermsView> terms = NarrowTerms(event.terms(), rule.terms, environment.labels());
  if (!terms || (first_engine && !terms->groups.empty()) ||
      !MayReceive(terms->groups, policy.peer(), event, environment)) {
    return Reason::kTermsExceeded;
  }
  decision->terms = *std::move(terms);
  if (!rule.transformation.empty()) {
    if (!first_engine) return Transform(rule, event, context, decision);
    if (const std::optional<Reason> reason = WithholdLinks(event)) return reason;
  }
  return Wants(context, event) ? std::nullopt : std::optional<Reason>(Reason::kNotWanted);
}

}  // namespace

std::optional<TermsView> NarrowTerms(const storage::v1::Terms* event_terms,
                                     const storage::v1::Terms& rule_terms,
                                     const Classifications& known) {
  TermsView out{rule_terms.onward(),
                rule_terms.classification(),
                {rule_terms.groups().begin(), rule_terms.groups().end()}};
  if (event_terms == nullptr) return out;
  if (event_terms->onward() == 0) return std::nullopt;
  if (event_terms->groups_size() > 0) {
    const auto& allowed = event_terms->groups();
    if (out.groups.empty()) out.groups.assign(allowed.begin(), allowed.end());
    out.groups.erase(std::remove_if(out.groups.begin(), out.groups.end(),
                                    [&](absl::string_view group) {
                                      return std::find(allowed.begin(), allowed.end(), group) ==
                                             allowed.end();
                                    }),
                     out.groups.end());
    if (out.groups.empty()) return std::nullopt;
  }
  const std::optional<absl::string_view> label =
      known.Stricter(event_terms->classification(), rule_terms.classification());
  if (!label) return std::nullopt;
  out.onward = std::min(out.onward, event_terms->onward() - 1);
  out.classification = *label;
  return out;
}

RuleOutcome TryRules(const CompiledPolicy::Side& side, filter::EventContext& event,
                     RuleMemo* memo) {
  return FirstOf(side, event, memo, nullptr);
}

Decision DecideExport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ExportContext& context, std::vector<RuleTrace>* trace) {
  if (policy == nullptr) return Deny(Reason::kNoPolicy);
  if (const auto reason = CheckOrigin(policy->exports(), event.origin(), context.own_domain)) {
    return Deny(*reason);
  }
  if (const auto reason = CheckTransit(event, policy->peer(), context)) return Deny(*reason);
  if (TooLarge(policy->exports(), event)) return Deny(Reason::kTooLarge);
  const CompiledPolicy::Side& side = policy->exports();
  const RuleOutcome first = context.rules != nullptr && trace == nullptr
                                ? *context.rules
                                : FirstOf(side, event, RulesMemo(context.memo), trace);
  const CompiledPolicy::Rule* rule = nullptr;
  Decision decision = Follow(side, first, &rule);
  if (!decision.allow) return decision;
  const std::optional<Reason> reason = Finish(*policy, *rule, event, context, &decision);
  return reason ? Deny(*reason, rule->id) : decision;
}

Decision DecideImport(const CompiledPolicy* policy, filter::EventContext& event,
                      const ImportContext& context, std::vector<RuleTrace>* trace) {
  if (policy == nullptr) return Deny(Reason::kNoPolicy);
  if (const auto reason = CheckOrigin(policy->imports(), event.origin(), context.peer)) {
    return Deny(*reason);
  }
  if (TooLarge(policy->imports(), event)) return Deny(Reason::kTooLarge);
  if (event.unknown_type() && !policy->imports().accept_unknown) {
    return Deny(Reason::kUnknownType);
  }
  const CompiledPolicy::Rule* rule = nullptr;
  const CompiledPolicy::Side& side = policy->imports();
  const Decision decision =
      Follow(side, FirstOf(side, event, RulesMemo(context.memo), trace), &rule);
  if (!decision.allow) return decision;
  if (!LabelsKnown(event, *context.environment)) {
    return Deny(Reason::kClassificationUnknown, rule->id);
  }
  if (event.terms() != nullptr &&
      !MayReceive(event.terms()->groups(), context.own_domain, event, *context.environment)) {
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
