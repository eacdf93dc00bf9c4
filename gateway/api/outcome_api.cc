#include "gateway/api/outcome_api.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

constexpr char kExplain[] = "/cdgate.admin.v1.AdminService/ExplainEvent";
constexpr char kWhoGot[] = "/cdgate.admin.v1.AdminService/WhoGot";

absl::Status NoPeer(absl::string_view peer) {
  return base::MakeError(base::Reason::kNoAgreement,
                         absl::StrCat("there is no agreement with ", base::Shorten(peer),
                                      "; cdgate peer list shows the peers"),
                         {{"peer", std::string(peer)}});
}

admin::v1::EventSummary Summarise(const storage::v1::ImportRefusal& refusal) {
  admin::v1::EventSummary summary;
  summary.set_origin(refusal.origin());
  summary.set_source(refusal.source());
  summary.set_id(refusal.id());
  summary.set_type(refusal.type());
  return summary;
}

admin::v1::ImportOutcome ImportOf(const storage::v1::OutcomeRow& row) {
  admin::v1::ImportOutcome import;
  import.set_peer(row.received_from());
  import.set_state("accepted");
  import.set_rule(row.import_rule());
  import.set_reason(base::ReasonLabel(base::Reason::kAllowedByRule));
  return import;
}

bool WasNotFound(const absl::Status& status) {
  return base::ReasonOf(status) == base::Reason::kNotFound;
}

void Fill(const policy::Decision& decision, admin::v1::ExplainEventResponse* response) {
  response->set_allowed(decision.allow);
  response->set_reason(base::ReasonLabel(decision.reason));
  response->set_rule(std::string(decision.rule));
}

admin::v1::PeerOutcome ToProto(absl::string_view peer, const session::Outcome& outcome) {
  admin::v1::PeerOutcome out;
  out.set_peer(std::string(peer));
  out.set_state(outcome.state);
  out.set_reason(outcome.reason);
  out.set_rule(outcome.rule);
  out.set_replayed(outcome.replayed);
  return out;
}

// The version in "rule@version"; none where there is none.
std::optional<uint64_t> VersionOf(absl::string_view rule) {
  const size_t at = rule.rfind('@');
  uint64_t version = 0;
  if (at == absl::string_view::npos || !absl::SimpleAtoi(rule.substr(at + 1), &version)) {
    return std::nullopt;
  }
  return version;
}

// What would be, or was, done to it on its way out.
void FillOutgoing(const policy::Decision& decision, admin::v1::ExplainEventResponse* response) {
  if (!decision.allow) return;
  storage::v1::Terms& terms = *response->mutable_terms();
  terms.set_onward(decision.terms.onward);
  terms.set_classification(std::string(decision.terms.classification));
  for (const absl::string_view group : decision.terms.groups) terms.add_groups(std::string(group));
  if (decision.outgoing == nullptr) return;
  const policy::Outgoing& outgoing = *decision.outgoing;
  response->mutable_withheld()->Add(outgoing.withheld.begin(), outgoing.withheld.end());
  response->mutable_substituted()->Add(outgoing.substituted.begin(), outgoing.substituted.end());
}

admin::v1::ImportOutcome ImportOf(const event::Record& record) {
  admin::v1::ImportOutcome import;
  import.set_peer(std::string(record.stored().received_from()));
  import.set_state("accepted");
  import.set_rule(std::string(record.stored().import_rule()));
  import.set_reason(base::ReasonLabel(base::Reason::kAllowedByRule));
  return import;
}

// Leaves what concerns the peers in `scope`.
void Narrow(const authz::PeerScope& scope, admin::v1::WhoGotResponse* response) {
  if (scope.all()) return;
  auto& outcomes = *response->mutable_outcomes();
  outcomes.erase(std::remove_if(outcomes.begin(), outcomes.end(),
                                [&scope](const admin::v1::PeerOutcome& outcome) {
                                  return !scope.Covers(outcome.peer());
                                }),
                 outcomes.end());
  if (!scope.Covers(response->import().peer())) response->clear_import();
}

admin::v1::ImportOutcome ImportOf(const storage::v1::ImportRefusal& refusal) {
  admin::v1::ImportOutcome import;
  import.set_peer(refusal.peer());
  import.set_state("refused");
  import.set_rule(refusal.rule());
  import.set_reason(refusal.reason());
  return import;
}

}  // namespace

absl::Status OutcomeApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ExplainEventRequest, ExplainEventResponse>(
      kExplain, pool_,
      [this](const rpc::Call& call, const auto& request) { return Explain(request, &call); })));
  return router.Register(OnPool<WhoGotRequest, WhoGotResponse>(
      kWhoGot, pool_,
      [this](const rpc::Call& call,
             const auto& request) -> absl::StatusOr<admin::v1::WhoGotResponse> {
        CDGATE_ASSIGN_OR_RETURN(admin::v1::WhoGotResponse response, WhoGot(request));
        Narrow(call.peers, &response);
        return response;
      }));
}

absl::StatusOr<storage::v1::ImportRefusal> OutcomeApi::RefusalOf(
    const admin::v1::EventKey& key) const {
  CDGATE_ASSIGN_OR_RETURN(const auto rows, store_.Refusals(key.id(), key.source(), key.origin()));
  if (!rows.empty()) return rows.back().refusal();
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("no event with id ", base::Shorten(key.id()), " was accepted or refused here"),
      {{"id", key.id()}});
}

absl::StatusOr<admin::v1::ExplainEventResponse> OutcomeApi::Explain(
    const admin::v1::ExplainEventRequest& request, const rpc::Call* call) const {
  const state::ResourcePtr resource = store_.Resources()->Find(state::kPeerKind, request.peer());
  if (resource == nullptr) return NoPeer(request.peer());
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer peer, resource->As<admin::v1::Peer>());
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
  admin::v1::ExplainEventResponse response;
  const absl::StatusOr<state::EventRef> ref = FindEvent(store_, query);
  if (WasNotFound(ref.status())) {
    CDGATE_ASSIGN_OR_RETURN(const auto removed, FindRemoved(query));
    if (removed) return ExplainRemoved(*removed, peer);
    CDGATE_ASSIGN_OR_RETURN(const auto refusal, RefusalOf(request.event()));
    // It may have come from another peer than the one asked about.
    if (call != nullptr) CDGATE_RETURN_IF_ERROR(call->MayReach(refusal.peer()));
    *response.mutable_event() = Summarise(refusal);
    response.set_direction("import");
    response.set_reason(refusal.reason());
    response.set_rule(refusal.rule());
    response.set_state("refused");
    return response;
  }
  CDGATE_RETURN_IF_ERROR(ref.status());
  const event::Record& record = *ref->record;
  *response.mutable_event() = Summarise(record);
  const bool import = record.stored().received_from() == request.peer();
  CDGATE_RETURN_IF_ERROR(import ? ExplainImport(record, &response)
                                : ExplainExport(peer, record, &response));
  return response;
}

// What is kept of an event that retention removed; none where nothing is.
absl::StatusOr<std::optional<storage::v1::OutcomeRow>> OutcomeApi::FindRemoved(
    const EventQuery& query) const {
  if (query.sequence) return store_.OutcomeAt(*query.sequence);
  CDGATE_ASSIGN_OR_RETURN(auto rows, store_.Outcomes(query.id, query.source, query.origin));
  if (rows.empty()) return std::optional<storage::v1::OutcomeRow>();
  if (rows.size() == 1) return std::optional<storage::v1::OutcomeRow>(std::move(rows.front()));
  return base::MakeError(base::Reason::kAmbiguousId,
                         absl::StrCat("several events had id ", base::Shorten(query.id),
                                      "; add source and origin, or name its sequence"),
                         {{"id", query.id}});
}

absl::StatusOr<admin::v1::ExplainEventResponse> OutcomeApi::ExplainRemoved(
    const storage::v1::OutcomeRow& row, const admin::v1::Peer& peer) const {
  admin::v1::ExplainEventResponse response;
  *response.mutable_event() = Summarise(row);
  response.set_trimmed(true);
  if (row.received_from() == peer.domain()) {
    response.set_direction("import");
    response.set_allowed(true);
    response.set_state("accepted");
    response.set_rule(row.import_rule());
    response.set_reason(base::ReasonLabel(base::Reason::kAllowedByRule));
    return response;
  }
  response.set_direction("export");
  for (const storage::v1::PeerOutcomeRow& kept : row.outcomes()) {
    if (kept.peer() != peer.domain()) continue;
    CDGATE_ASSIGN_OR_RETURN(const session::Outcome outcome,
                            MakeOutcomes().OfRemoved(base::Sequence(row.sequence()), kept));
    response.set_state(outcome.state);
    response.set_allowed(outcome.allowed);
    response.set_reason(outcome.decision_reason);
    response.set_rule(outcome.rule);
    response.set_replayed(outcome.replayed);
    *response.mutable_policy_epoch() = outcome.epoch;
    return response;
  }
  // The agreement is younger than the event's end here.
  response.set_state("denied");
  response.set_reason(base::ReasonLabel(base::Reason::kNoAgreement));
  return response;
}

absl::StatusOr<admin::v1::WhoGotResponse> OutcomeApi::WhoGotRemoved(
    const storage::v1::OutcomeRow& row) const {
  admin::v1::WhoGotResponse response;
  *response.mutable_event() = Summarise(row);
  if (!row.received_from().empty()) *response.mutable_import() = ImportOf(row);
  session::Outcomes outcomes = MakeOutcomes();
  for (const storage::v1::PeerOutcomeRow& kept : row.outcomes()) {
    CDGATE_ASSIGN_OR_RETURN(const session::Outcome outcome,
                            outcomes.OfRemoved(base::Sequence(row.sequence()), kept));
    *response.add_outcomes() = ToProto(kept.peer(), outcome);
  }
  return response;
}

absl::Status OutcomeApi::ExplainImport(const event::Record& record,
                                       admin::v1::ExplainEventResponse* response) const {
  const std::string peer(record.stored().received_from());
  session::Outcomes outcomes = MakeOutcomes();
  CDGATE_ASSIGN_OR_RETURN(session::DecisionBasis basis, outcomes.source().Current(peer));
  const uint64_t version = VersionOf(record.stored().import_rule()).value_or(0);
  CDGATE_ASSIGN_OR_RETURN(basis.policy,
                          outcomes.source().PolicyOf(peer, version, basis.environment));
  filter::EventContext context;
  context.Reset(record);
  std::vector<policy::RuleTrace> trace;
  response->set_direction("import");
  Fill(policy::DecideImport(basis.policy.get(), context, basis.ForImport(domain_, peer), &trace),
       response);
  // It is in our log: whatever the labels and groups of today say, that rule let it in.
  response->set_allowed(true);
  response->set_state("accepted");
  response->set_reason(base::ReasonLabel(base::Reason::kAllowedByRule));
  response->set_rule(std::string(record.stored().import_rule()));
  for (const policy::RuleTrace& rule : trace) *response->add_rules() = policy::ToProto(rule);
  response->mutable_policy_epoch()->set_policy_version(version);
  return absl::OkStatus();
}

absl::Status OutcomeApi::ExplainExport(const admin::v1::Peer& peer, const event::Record& record,
                                       admin::v1::ExplainEventResponse* response) const {
  session::Outcomes outcomes = MakeOutcomes();
  response->set_direction("export");
  CDGATE_ASSIGN_OR_RETURN(const session::Outcome outcome, outcomes.Of(peer, record));
  std::vector<policy::RuleTrace> trace;
  CDGATE_ASSIGN_OR_RETURN(const session::Outcomes::Decided decided,
                          outcomes.Decide(peer, record, outcome, &trace));
  Fill(decided.decision, response);
  response->set_replayed(outcome.replayed);
  response->set_state(outcome.state);
  for (const policy::RuleTrace& rule : trace) *response->add_rules() = policy::ToProto(rule);
  *response->mutable_policy_epoch() = decided.basis.epoch;
  FillOutgoing(decided.decision, response);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<storage::v1::OutcomeRow>> FoldOutcomes(
    session::Outcomes& outcomes, const state::Store& store,
    absl::Span<const event::CommitPtr> commits) {
  std::vector<admin::v1::Peer> peers;
  for (const state::ResourcePtr& resource : store.Resources()->List(state::kPeerKind)) {
    CDGATE_ASSIGN_OR_RETURN(peers.emplace_back(), resource->As<admin::v1::Peer>());
  }
  std::vector<storage::v1::OutcomeRow> rows;
  for (const event::CommitPtr& commit : commits) {
    for (const event::Record& record : commit->events) {
      storage::v1::OutcomeRow row = state::MakeOutcomeRow(*commit, record);
      for (const admin::v1::Peer& peer : peers) {
        if (peer.domain() == record.stored().received_from()) continue;
        CDGATE_ASSIGN_OR_RETURN(*row.add_outcomes(), outcomes.Fold(peer, record));
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

absl::StatusOr<admin::v1::WhoGotResponse> OutcomeApi::WhoGot(
    const admin::v1::WhoGotRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
  admin::v1::WhoGotResponse response;
  const absl::StatusOr<state::EventRef> ref = FindEvent(store_, query);
  if (WasNotFound(ref.status())) {
    CDGATE_ASSIGN_OR_RETURN(const auto removed, FindRemoved(query));
    if (removed) return WhoGotRemoved(*removed);
    CDGATE_ASSIGN_OR_RETURN(const auto refusal, RefusalOf(request.event()));
    *response.mutable_event() = Summarise(refusal);
    *response.mutable_import() = ImportOf(refusal);
    return response;
  }
  CDGATE_RETURN_IF_ERROR(ref.status());
  *response.mutable_event() = Summarise(*ref->record);
  const absl::string_view sender = ref->record->stored().received_from();
  if (!sender.empty()) *response.mutable_import() = ImportOf(*ref->record);
  session::Outcomes outcomes = MakeOutcomes();
  for (const state::ResourcePtr& resource : store_.Resources()->List(state::kPeerKind)) {
    CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer peer, resource->As<admin::v1::Peer>());
    if (peer.domain() == sender) continue;  // it has the event: it sent it
    CDGATE_ASSIGN_OR_RETURN(const session::Outcome outcome, outcomes.Of(peer, *ref->record));
    *response.add_outcomes() = ToProto(peer.domain(), outcome);
  }
  return response;
}

}  // namespace cdgate::api
