// Why and whether: explain one event for one peer, and who got an event.
//
// Both run the enforcement code over the stored record, by what decided it (session::Outcomes), and
// add the facts of the ledger. So what they say is what happened; before anything was decided,
// what would happen now. Where the interest that decided is not kept any more, an event that
// the policy allows is acknowledged_undisclosed: the peer has it, or showed that it does not
// want it. Of events that retention removed they say what was kept of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/session/outcomes.h"
#include "gateway/api/event_lookup.h"
#include "gateway/base/executor.h"
#include "gateway/event/record.h"
#include "gateway/rpc/router.h"
#include "gateway/state/outcomes.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// What is kept of events that retention removes (state::FoldOutcomes): for each of the commits'
// events a row with what became of it for every peer. Blocks.
absl::StatusOr<std::vector<storage::v1::OutcomeRow>> FoldOutcomes(
    session::Outcomes& outcomes, const state::Store& store,
    absl::Span<const event::CommitPtr> commits);

// Thread-safe; outlives the router's server.
class OutcomeApi {
 public:
  OutcomeApi(std::string domain, const state::Store& store, const session::PseudonymKeeper& keeper,
             session::LinkFactsOf link_facts, base::Executor& pool)
      : domain_(std::move(domain)),
        store_(store),
        keeper_(keeper),
        link_facts_(std::move(link_facts)),
        pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

  // (both block) NOT_FOUND where the event was neither accepted nor refused here,
  // AMBIGUOUS_ID where the key fits several, NO_AGREEMENT where `peer` is no peer,
  // SCOPE_NOT_GRANTED where it came from a peer that the call does not reach (null: reaches all).
  absl::StatusOr<admin::v1::ExplainEventResponse> Explain(
      const admin::v1::ExplainEventRequest& request, const rpc::Call* call = nullptr) const;
  absl::StatusOr<admin::v1::WhoGotResponse> WhoGot(const admin::v1::WhoGotRequest& request) const;

 private:
  absl::StatusOr<std::optional<storage::v1::OutcomeRow>> FindRemoved(const EventQuery& query) const;
  absl::StatusOr<admin::v1::ExplainEventResponse> ExplainRemoved(const storage::v1::OutcomeRow& row,
                                                                 const admin::v1::Peer& peer) const;
  absl::StatusOr<admin::v1::WhoGotResponse> WhoGotRemoved(const storage::v1::OutcomeRow& row) const;
  absl::Status ExplainImport(const event::Record& record,
                             admin::v1::ExplainEventResponse* response) const;
  absl::Status ExplainExport(const admin::v1::Peer& peer, const event::Record& record,
                             admin::v1::ExplainEventResponse* response) const;
  session::Outcomes MakeOutcomes() const {
    return session::Outcomes(domain_, store_, keeper_, link_facts_);
  }
  // For an event that was refused here and so is not in the log; NOT_FOUND where none was.
  absl::StatusOr<storage::v1::ImportRefusal> RefusalOf(const admin::v1::EventKey& key) const;

  const std::string domain_;
  const state::Store& store_;
  const session::PseudonymKeeper& keeper_;
  const session::LinkFactsOf link_facts_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
