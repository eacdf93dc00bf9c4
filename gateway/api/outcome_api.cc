#include "gateway/api/outcome_api.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "federation/session/interest_history.h"
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

bool WasNotFound(const absl::Status& status) {
  return base::ReasonOf(status) == base::Reason::kNotFound;
}

void Fill(const policy::Decision& decision, admin::v1::ExplainEventResponse* response) {
  response->set_allowed(decision.allow);
  response->set_reason(base::ReasonLabel(decision.reason));
  response->set_rule(std::string(decision.rule));
}

admin::v1::PeerOutcome MakeOutcome(absl::string_view peer, absl::string_view state,
                                   const policy::Decision& decision) {
  admin::v1::PeerOutcome outcome;
  outcome.set_peer(std::string(peer));
  outcome.set_state(std::string(state));
  outcome.set_reason(base::ReasonLabel(decision.reason));
  outcome.set_rule(std::string(decision.rule));
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

// The state of an event that was allowed in a range that is accounted for.
void Settle(const storage::v1::LedgerRow& row, bool interest_known,
            admin::v1::PeerOutcome* outcome) {
  outcome->set_state(interest_known ? "accepted" : "acknowledged_undisclosed");
  if (!row.state().empty()) outcome->set_state(row.state());
  if (!row.reason().empty()) outcome->set_reason(row.reason());
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

void Override(const storage::v1::LedgerException& exception, admin::v1::PeerOutcome* outcome) {
  outcome->set_state(exception.state());
  if (!exception.reason().empty()) outcome->set_reason(exception.reason());
  if (!exception.rule().empty()) outcome->set_rule(exception.rule());
}

admin::v1::PeerOutcome BeforeAgreement(absl::string_view peer) {
  admin::v1::PeerOutcome outcome;
  outcome.set_peer(std::string(peer));
  outcome.set_state("denied");
  outcome.set_reason(base::ReasonLabel(base::Reason::kNoAgreement));
  return outcome;
}

admin::v1::ImportOutcome ImportOf(const event::Record& record) {
  admin::v1::ImportOutcome import;
  import.set_peer(std::string(record.stored().received_from()));
  import.set_state("accepted");
  import.set_rule(std::string(record.stored().import_rule()));
  import.set_reason(base::ReasonLabel(base::Reason::kAllowedByRule));
  return import;
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
      [this](const rpc::Call&, const auto& request) { return Explain(request); })));
  return router.Register(OnPool<WhoGotRequest, WhoGotResponse>(
      kWhoGot, pool_, [this](const rpc::Call&, const auto& request) { return WhoGot(request); }));
}

absl::StatusOr<OutcomeApi::PolicyPtr> OutcomeApi::PolicyFor(absl::string_view peer,
                                                            std::optional<uint64_t> version) const {
  if (version == 0) return PolicyPtr();
  state::ResourcePtr resource = store_.Resources()->Find(state::kPolicyKind, peer);
  if (version && (resource == nullptr || resource->version != version)) {
    resource = nullptr;
    CDGATE_ASSIGN_OR_RETURN(const auto history, store_.History(state::kPolicyKind, peer));
    for (const state::ResourcePtr& candidate : history) {
      if (candidate->version == version && !candidate->deleted) resource = candidate;
    }
  }
  if (resource == nullptr) return PolicyPtr();
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Policy policy, resource->As<admin::v1::Policy>());
  return policy::CompiledPolicy::Compile(policy, resource->version);
}

absl::StatusOr<OutcomeApi::Basis> OutcomeApi::BasisOf(absl::string_view peer,
                                                      const state::LedgerFacts& ledger,
                                                      const LinkFacts& link) const {
  Basis basis;
  const uint64_t shown = link.interest == nullptr ? 0 : link.interest->version();
  if (!ledger.acknowledged) {
    CDGATE_ASSIGN_OR_RETURN(basis.policy, PolicyFor(peer, std::nullopt));
    basis.interest = link.interest;
    basis.interest_version = shown;
    return basis;
  }
  const storage::v1::PolicyEpoch& epoch = ledger.acknowledged->policy_epoch();
  CDGATE_ASSIGN_OR_RETURN(basis.policy, PolicyFor(peer, epoch.policy_version()));
  basis.interest_version = epoch.interest_version();
  if (basis.interest_version == shown) {
    basis.interest = link.interest;
    return basis;
  }
  CDGATE_ASSIGN_OR_RETURN(basis.interest,
                          session::InterestOf(store_, peer, basis.interest_version));
  basis.interest_known = basis.interest != nullptr;
  return basis;
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
    const admin::v1::ExplainEventRequest& request) const {
  if (store_.Resources()->Find(state::kPeerKind, request.peer()) == nullptr) {
    return NoPeer(request.peer());
  }
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
  admin::v1::ExplainEventResponse response;
  const absl::StatusOr<state::EventRef> ref = FindEvent(store_, query);
  if (WasNotFound(ref.status())) {
    CDGATE_ASSIGN_OR_RETURN(const auto refusal, RefusalOf(request.event()));
    *response.mutable_event() = Summarise(refusal);
    response.set_direction("import");
    response.set_reason(refusal.reason());
    response.set_rule(refusal.rule());
    return response;
  }
  CDGATE_RETURN_IF_ERROR(ref.status());
  const event::Record& record = *ref->record;
  *response.mutable_event() = Summarise(record);
  const bool import = record.stored().received_from() == request.peer();
  CDGATE_RETURN_IF_ERROR(import ? ExplainImport(record, &response)
                                : ExplainExport(request.peer(), record, &response));
  response.mutable_policy_epoch()->set_engine_version(policy::kEngineVersion);
  return response;
}

absl::Status OutcomeApi::ExplainImport(const event::Record& record,
                                       admin::v1::ExplainEventResponse* response) const {
  const std::string peer(record.stored().received_from());
  CDGATE_ASSIGN_OR_RETURN(const PolicyPtr policy,
                          PolicyFor(peer, VersionOf(record.stored().import_rule())));
  filter::EventContext context;
  context.Reset(record);
  std::vector<policy::RuleTrace> trace;
  response->set_direction("import");
  Fill(policy::DecideImport(policy.get(), context, {.peer = peer}, &trace), response);
  for (const policy::RuleTrace& rule : trace) *response->add_rules() = policy::ToProto(rule);
  response->mutable_policy_epoch()->set_policy_version(policy ? policy->version() : 0);
  return absl::OkStatus();
}

absl::Status OutcomeApi::ExplainExport(absl::string_view peer, const event::Record& record,
                                       admin::v1::ExplainEventResponse* response) const {
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts ledger, store_.Ledger(peer, record.sequence()));
  CDGATE_ASSIGN_OR_RETURN(const Basis basis, BasisOf(peer, ledger, link_facts_(peer)));
  filter::EventContext context;
  context.Reset(record);
  std::vector<policy::RuleTrace> trace;
  response->set_direction("export");
  Fill(policy::DecideExport(basis.policy.get(), context,
                            {.own_domain = domain_, .interest = basis.interest.get()}, &trace),
       response);
  for (const policy::RuleTrace& rule : trace) *response->add_rules() = policy::ToProto(rule);
  response->mutable_policy_epoch()->set_policy_version(basis.policy ? basis.policy->version() : 0);
  response->mutable_policy_epoch()->set_interest_version(basis.interest_version);
  return absl::OkStatus();
}

absl::StatusOr<admin::v1::PeerOutcome> OutcomeApi::OutcomeFor(const admin::v1::Peer& peer,
                                                              const event::Record& record) const {
  if (record.sequence() < base::Sequence(peer.agreed_sequence())) {
    return BeforeAgreement(peer.domain());
  }
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts ledger,
                          store_.Ledger(peer.domain(), record.sequence()));
  const LinkFacts link = link_facts_(peer.domain());
  CDGATE_ASSIGN_OR_RETURN(const Basis basis, BasisOf(peer.domain(), ledger, link));
  filter::EventContext context;
  context.Reset(record);
  const policy::Decision decision = policy::DecideExport(
      basis.policy.get(), context, {.own_domain = domain_, .interest = basis.interest.get()});
  admin::v1::PeerOutcome outcome = MakeOutcome(peer.domain(), "", decision);
  if (!decision.allow) {
    const bool unwanted = decision.reason == base::Reason::kNotWanted;
    outcome.set_state(unwanted ? "not_wanted" : "denied");
  } else if (ledger.acknowledged) {
    Settle(*ledger.acknowledged, basis.interest_known, &outcome);
  } else {
    outcome.set_state(
        std::string(PendingState(peer, record.sequence(), link.sent_through, ledger.horizon)));
  }
  if (ledger.exception) Override(*ledger.exception, &outcome);
  return outcome;
}

absl::StatusOr<admin::v1::WhoGotResponse> OutcomeApi::WhoGot(
    const admin::v1::WhoGotRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
  admin::v1::WhoGotResponse response;
  const absl::StatusOr<state::EventRef> ref = FindEvent(store_, query);
  if (WasNotFound(ref.status())) {
    CDGATE_ASSIGN_OR_RETURN(const auto refusal, RefusalOf(request.event()));
    *response.mutable_event() = Summarise(refusal);
    *response.mutable_import() = ImportOf(refusal);
    return response;
  }
  CDGATE_RETURN_IF_ERROR(ref.status());
  *response.mutable_event() = Summarise(*ref->record);
  const absl::string_view sender = ref->record->stored().received_from();
  if (!sender.empty()) *response.mutable_import() = ImportOf(*ref->record);
  for (const state::ResourcePtr& resource : store_.Resources()->List(state::kPeerKind)) {
    CDGATE_ASSIGN_OR_RETURN(const admin::v1::Peer peer, resource->As<admin::v1::Peer>());
    if (peer.domain() == sender) continue;  // it has the event: it sent it
    CDGATE_ASSIGN_OR_RETURN(*response.add_outcomes(), OutcomeFor(peer, *ref->record));
  }
  return response;
}

}  // namespace cdgate::api
