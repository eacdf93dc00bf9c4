#include "federation/session/replay_decider.h"

#include <utility>

#include "gateway/base/status_macros.h"

namespace cdgate::session {

ReplayDecider::ReplayDecider(const SessionDeps& deps, admin::v1::Peer peer,
                             const PolicyWatch& policy, std::function<InterestPtr()> interest)
    : deps_(deps),
      peer_(std::move(peer)),
      policy_(policy),
      interest_of_(std::move(interest)),
      // What is on its way is not settled, whatever the link says of it.
      outcomes_(deps.domain, deps.store, deps.pseudonyms,
                [](absl::string_view) { return LinkFacts(); }) {}

absl::StatusOr<ReplayVerdict> ReplayDecider::Decide(const event::Record& record) {
  ReplayVerdict verdict;
  CDGATE_ASSIGN_OR_RETURN(const Outcome before, outcomes_.Of(peer_, record));
  if (!before.withheld()) return verdict;
  interest_ = interest_of_();
  context_.Reset(record);
  const PeerPolicy& policy = policy_.current();
  verdict.decision = policy::DecideExport(policy.compiled.get(), context_,
                                          {.own_domain = deps_.domain,
                                           .interest = interest_.get(),
                                           .environment = policy.environment.get(),
                                           .keys = policy.keys.get(),
                                           .transformer = &transformer_});
  verdict.send = verdict.decision.allow;
  verdict.state_before = before.state;
  verdict.reason_before = before.reason;
  return verdict;
}

}  // namespace cdgate::session
