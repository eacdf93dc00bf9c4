// Why and whether: explain one event for one peer, and who got an event.
//
// Both run the enforcement code over the stored record, with the policy version and the
// interest that decided it, and add the facts of the ledger. So what they say is what
// happened; before anything was decided, what would happen now. Where the interest that
// decided is not kept any more, an event that the policy allows is
// acknowledged_undisclosed: the peer has it, or showed that it does not want it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/policy/policy.h"
#include "gateway/base/executor.h"
#include "gateway/filter/event_context.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// What only a running link knows about a peer.
struct LinkFacts {
  // Sent on the live link, through this sequence of our log; 0: no link is up.
  base::Sequence sent_through;
  // What the peer showed of its import rules; null: nothing.
  std::shared_ptr<const policy::CompiledInterest> interest;
};
using LinkFactsOf = std::function<LinkFacts(absl::string_view peer)>;

// Thread-safe; outlives the router's server.
class OutcomeApi {
 public:
  OutcomeApi(std::string domain, const state::Store& store, LinkFactsOf link_facts,
             base::Executor& pool)
      : domain_(std::move(domain)),
        store_(store),
        link_facts_(std::move(link_facts)),
        pool_(pool) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

  // (both block) NOT_FOUND where the event was neither accepted nor refused here,
  // AMBIGUOUS_ID where the key fits several, NO_AGREEMENT where `peer` is no peer.
  absl::StatusOr<admin::v1::ExplainEventResponse> Explain(
      const admin::v1::ExplainEventRequest& request) const;
  absl::StatusOr<admin::v1::WhoGotResponse> WhoGot(const admin::v1::WhoGotRequest& request) const;

 private:
  using PolicyPtr = std::shared_ptr<const policy::CompiledPolicy>;

  // What decided an event for a peer, or would now.
  struct Basis {
    PolicyPtr policy;  // null: none was in force
    // Null: nothing was shown, or it is not kept any more.
    std::shared_ptr<const policy::CompiledInterest> interest;
    uint64_t interest_version = 0;
    bool interest_known = true;
  };

  // The policy for `peer`, of `version` (none: the one in force); null where there is none.
  absl::StatusOr<PolicyPtr> PolicyFor(absl::string_view peer,
                                      std::optional<uint64_t> version) const;
  absl::StatusOr<Basis> BasisOf(absl::string_view peer, const state::LedgerFacts& ledger,
                                const LinkFacts& link) const;
  absl::Status ExplainImport(const event::Record& record,
                             admin::v1::ExplainEventResponse* response) const;
  absl::Status ExplainExport(absl::string_view peer, const event::Record& record,
                             admin::v1::ExplainEventResponse* response) const;
  absl::StatusOr<admin::v1::PeerOutcome> OutcomeFor(const admin::v1::Peer& peer,
                                                    const event::Record& record) const;
  // For an event that was refused here and so is not in the log; NOT_FOUND where none was.
  absl::StatusOr<storage::v1::ImportRefusal> RefusalOf(const admin::v1::EventKey& key) const;

  const std::string domain_;
  const state::Store& store_;
  const LinkFactsOf link_facts_;
  base::Executor& pool_;
};

}  // namespace cdgate::api
