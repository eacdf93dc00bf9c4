// What became of events for peers: the code behind who-got, explain, plans and what is kept of
// events that retention removes.
//
//   Outcomes outcomes(domain, store, keeper, link_facts);          // for one question
//   CDGATE_ASSIGN_OR_RETURN(Outcome outcome, outcomes.Of(peer, record));
//   Print(outcome.state, outcome.reason, outcome.rule);
//
// The decision is that of the policy epoch that the ledger has for the event, made again by
// the enforcement code; the ledger adds what happened. Before anything was decided it is what
// would happen now.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/policy/policy.h"
#include "federation/session/decision_basis.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"
#include "gateway/state/store.h"

namespace cdgate::session {

// What only a running link knows about a peer.
struct LinkFacts {
  // Sent on the live link, through this sequence of our log; 0: no link is up.
  base::Sequence sent_through;
};
using LinkFactsOf = std::function<LinkFacts(absl::string_view peer)>;

struct Outcome {
  std::string state;   // as in admin.v1.PeerOutcome
  std::string reason;  // registered, lower snake case; may be empty
  std::string rule;    // "rule@version"; empty: none decided
  // Of our own decision, whatever the peer said of the event later: what explain tells.
  std::string decision_reason;
  bool allowed = false;
  bool replayed = false;
  // False: no row of the ledger accounts for it yet.
  bool settled = false;
  // It left, or may have, by this decision, and no ack told of it.
  bool underway = false;
  // What the decision depended on.
  storage::v1::PolicyEpoch epoch;

  // It is settled that the peer does not have it, and not by its own choice: what is offered
  // again, where the policy in force allows it.
  bool withheld() const {
    return settled && (state == "denied" || state == "not_wanted" || state == "dead_lettered");
  }
};

// Not thread-safe, reads the store, which may block; cheap to make. What it is given outlives
// it.
class Outcomes {
 public:
  Outcomes(std::string domain, const state::Store& store, const PseudonymKeeper& keeper,
           LinkFactsOf link_facts)
      : domain_(std::move(domain)),
        store_(store),
        source_(store, keeper),
        link_facts_(std::move(link_facts)) {}

  // (blocks) Of an event of our log for a peer that did not send it. LOG_CORRUPT.
  absl::StatusOr<Outcome> Of(const admin::v1::Peer& peer, const event::Record& record);

  // (blocks) What is kept of it when retention removes it.
  absl::StatusOr<storage::v1::PeerOutcomeRow> Fold(const admin::v1::Peer& peer,
                                                   const event::Record& record);
  // (blocks) Of an event that retention removed, from what is kept. `row` names the peer.
  absl::StatusOr<Outcome> OfRemoved(base::Sequence sequence,
                                    const storage::v1::PeerOutcomeRow& row);

  // (blocks) What decided it, or would now, and the decision, with each rule tried in `trace`
  // unless that is null: of `outcome`, which Of() has said, or of the first time it was offered.
  // The decision views the basis, the event and this, until the next call.
  struct Decided {
    DecisionBasis basis;
    policy::Decision decision;
  };
  absl::StatusOr<Decided> Decide(const admin::v1::Peer& peer, const event::Record& record,
                                 std::vector<policy::RuleTrace>* trace);
  absl::StatusOr<Decided> Decide(const admin::v1::Peer& peer, const event::Record& record,
                                 const Outcome& outcome, std::vector<policy::RuleTrace>* trace);

  BasisSource& source() { return source_; }

 private:
  absl::StatusOr<Decided> DecideBy(absl::StatusOr<DecisionBasis> basis, const event::Record& record,
                                   std::vector<policy::RuleTrace>* trace);
  absl::StatusOr<DecisionBasis> BasisOf(absl::string_view peer, const state::LedgerFacts& ledger);
  absl::StatusOr<std::optional<Decided>> Underway(const std::string& peer,
                                                  const event::Record& record,
                                                  const state::LedgerFacts& ledger);
  // What a job that offered the event again changed.
  absl::Status Revise(absl::string_view peer, const event::Record& record,
                      const state::ReplayFacts& replay, Outcome* outcome);

  const std::string domain_;
  const state::Store& store_;
  BasisSource source_;
  const LinkFactsOf link_facts_;
  filter::EventContext context_;
  policy::EventTransformer transformer_;
};

}  // namespace cdgate::session
