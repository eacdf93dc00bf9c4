#include "federation/session/outcomes.h"

#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

Outcome BeforeAgreement() {
  Outcome outcome;
  outcome.state = "denied";
  outcome.reason = base::ReasonLabel(base::Reason::kNoAgreement);
  outcome.decision_reason = outcome.reason;
  outcome.settled = true;
  return outcome;
}

// The state of an event that the policy allows and no ledger row accounts for yet.
absl::string_view PendingState(const admin::v1::Peer& peer, base::Sequence sequence,
                               base::Sequence sent_through, base::Sequence horizon) {
  if (peer.frozen()) return "frozen";
  if (sequence <= sent_through) return "sent";
  if (sequence <= horizon) return "possibly_sent";
  return "waiting";
}

absl::string_view StateOf(const policy::Decision& decision) {
  if (decision.allow) return "accepted";
  return decision.reason == base::Reason::kNotWanted ? "not_wanted" : "denied";
}

// An event in a range that is accounted for.
void Settle(const storage::v1::LedgerRow& row, bool interest_known, bool allowed,
            Outcome* outcome) {
  outcome->settled = true;
  if (!allowed) return;
  if (!interest_known) outcome->state = "acknowledged_undisclosed";
  if (row.state().empty()) return;
  outcome->state = row.state();
  outcome->reason = row.reason();
}

void Override(const storage::v1::LedgerException& exception, Outcome* outcome) {
  outcome->state = exception.state();
  outcome->reason = exception.reason();
  if (!exception.rule().empty()) outcome->rule = exception.rule();
}

void ReadDecision(const storage::v1::PeerOutcomeRow& row, Outcome* outcome) {
  outcome->decision_reason = row.decision_reason();
  outcome->allowed = row.allowed();
  if (!row.decision_reason().empty()) return;
  // An older row: as far as what became of it tells.
  outcome->allowed = row.state() != "denied" && row.state() != "not_wanted";
  outcome->decision_reason =
      outcome->allowed ? base::ReasonLabel(base::Reason::kAllowedByRule) : row.reason();
}

Outcome OutcomeOf(const Outcomes::Decided& decided) {
  Outcome outcome;
  outcome.state = std::string(StateOf(decided.decision));
  outcome.reason = base::ReasonLabel(decided.decision.reason);
  outcome.decision_reason = outcome.reason;
  outcome.allowed = decided.decision.allow;
  outcome.rule = std::string(decided.decision.rule);
  outcome.epoch = decided.basis.epoch;
  return outcome;
}

}  // namespace

absl::StatusOr<DecisionBasis> Outcomes::BasisOf(absl::string_view peer,
                                                const state::LedgerFacts& ledger) {
  if (!ledger.acknowledged) return source_.Current(peer);
  return source_.Of(peer, ledger.acknowledged->policy_epoch());
}

absl::StatusOr<Outcomes::Decided> Outcomes::DecideBy(absl::StatusOr<DecisionBasis> basis,
                                                     const event::Record& record,
                                                     std::vector<policy::RuleTrace>* trace) {
  CDGATE_RETURN_IF_ERROR(basis.status());
  Decided out;
  out.basis = *std::move(basis);
  context_.Reset(record);
  out.decision = policy::DecideExport(out.basis.policy.get(), context_,
                                      out.basis.ForExport(domain_, transformer_), trace);
  return out;
}

absl::StatusOr<Outcomes::Decided> Outcomes::Decide(const admin::v1::Peer& peer,
                                                   const event::Record& record,
                                                   std::vector<policy::RuleTrace>* trace) {
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts ledger,
                          store_.Ledger(peer.domain(), record.sequence()));
  return DecideBy(BasisOf(peer.domain(), ledger), record, trace);
}

absl::StatusOr<Outcomes::Decided> Outcomes::Decide(const admin::v1::Peer& peer,
                                                   const event::Record& record,
                                                   const Outcome& outcome,
                                                   std::vector<policy::RuleTrace>* trace) {
  if (!outcome.replayed && !outcome.underway) return Decide(peer, record, trace);
  return DecideBy(source_.Of(peer.domain(), outcome.epoch), record, trace);
}

// The decision it left by, or may have left by; none: it did not.
absl::StatusOr<std::optional<Outcomes::Decided>> Outcomes::Underway(
    const std::string& peer, const event::Record& record, const state::LedgerFacts& ledger) {
  using Result = std::optional<Decided>;
  if (ledger.acknowledged || !ledger.sent_epoch) return Result();
  const base::Sequence sent = link_facts_(peer).sent_through;
  const bool live = sent != base::Sequence(0);
  if (record.sequence() > (live ? sent : ledger.horizon)) return Result();
  CDGATE_ASSIGN_OR_RETURN(Decided decided,
                          DecideBy(source_.Of(peer, *ledger.sent_epoch), record, nullptr));
  // Without a link it is not known whether it was reached before what is in force now was.
  if (!live && !decided.decision.allow) return Result();
  return Result(std::move(decided));
}

absl::StatusOr<Outcome> Outcomes::Of(const admin::v1::Peer& peer, const event::Record& record) {
  if (record.sequence() < base::Sequence(peer.agreed_sequence())) return BeforeAgreement();
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts ledger,
                          store_.Ledger(peer.domain(), record.sequence()));
  CDGATE_ASSIGN_OR_RETURN(std::optional<Decided> made, Underway(peer.domain(), record, ledger));
  const bool underway = made.has_value();
  if (!made) {
    CDGATE_ASSIGN_OR_RETURN(made, DecideBy(BasisOf(peer.domain(), ledger), record, nullptr));
  }
  const Decided& decided = *made;
  Outcome outcome = OutcomeOf(decided);
  outcome.underway = underway;
  if (ledger.acknowledged) {
    Settle(*ledger.acknowledged, decided.basis.interest_known, decided.decision.allow, &outcome);
  } else if (decided.decision.allow) {
    outcome.state = std::string(PendingState(
        peer, record.sequence(), link_facts_(peer.domain()).sent_through, ledger.horizon));
  }
  if (ledger.exception) Override(*ledger.exception, &outcome);
  for (const state::ReplayFacts& replay : ledger.replays) {
    CDGATE_RETURN_IF_ERROR(Revise(peer.domain(), record, replay, &outcome));
  }
  return outcome;
}

absl::Status Outcomes::Revise(absl::string_view peer, const event::Record& record,
                              const state::ReplayFacts& replay, Outcome* outcome) {
  if (!outcome->withheld()) return absl::OkStatus();  // it kept the outcome it had
  CDGATE_ASSIGN_OR_RETURN(const Decided decided,
                          DecideBy(source_.Of(peer, replay.row.policy_epoch()), record, nullptr));
  if (!decided.decision.allow) return absl::OkStatus();
  *outcome = OutcomeOf(decided);
  outcome->replayed = true;
  Settle(replay.row, decided.basis.interest_known, true, outcome);
  if (replay.exception) Override(*replay.exception, outcome);
  return absl::OkStatus();
}

absl::StatusOr<storage::v1::PeerOutcomeRow> Outcomes::Fold(const admin::v1::Peer& peer,
                                                           const event::Record& record) {
  CDGATE_ASSIGN_OR_RETURN(const Outcome outcome, Of(peer, record));
  storage::v1::PeerOutcomeRow row;
  row.set_peer(peer.domain());
  row.set_state(outcome.state);
  row.set_rule(outcome.rule);
  row.set_reason(outcome.reason);
  row.set_replayed(outcome.replayed);
  row.set_decision_reason(outcome.decision_reason);
  row.set_allowed(outcome.allowed);
  *row.mutable_policy_epoch() = outcome.epoch;
  row.set_open(!outcome.settled);
  return row;
}

absl::StatusOr<Outcome> Outcomes::OfRemoved(base::Sequence sequence,
                                            const storage::v1::PeerOutcomeRow& row) {
  Outcome outcome;
  outcome.state = row.state();
  outcome.rule = row.rule();
  outcome.reason = row.reason();
  outcome.replayed = row.replayed();
  ReadDecision(row, &outcome);
  outcome.epoch = row.policy_epoch();
  outcome.settled = !row.open();
  if (outcome.settled) return outcome;
  // It was on its way, or waited, when it was removed: the row that came says what became of it.
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts ledger, store_.Ledger(row.peer(), sequence));
  if (ledger.acknowledged) {
    if (outcome.allowed) outcome.state = "accepted";
    Settle(*ledger.acknowledged, true, outcome.allowed, &outcome);
  }
  if (ledger.exception) Override(*ledger.exception, &outcome);
  return outcome;
}

}  // namespace cdgate::session
