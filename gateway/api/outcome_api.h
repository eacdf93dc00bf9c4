// Why and whether: explain one event for one peer, and who got an event.
//
// Both run the enforcement code over the stored record, with the policy version that
// decided it, and add the facts of the ledger. So what they say is what happened.
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

  absl::Status Register(rpc::Router& router);

 private:
  using PolicyPtr = std::shared_ptr<const policy::CompiledPolicy>;

  absl::StatusOr<admin::v1::ExplainEventResponse> Explain(
      const admin::v1::ExplainEventRequest& request) const;
  absl::StatusOr<admin::v1::WhoGotResponse> WhoGot(const admin::v1::WhoGotRequest& request) const;

  // The policy for `peer`, of `version` (0: the one in force); null where there is none.
  absl::StatusOr<PolicyPtr> PolicyFor(absl::string_view peer, uint64_t version) const;
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
