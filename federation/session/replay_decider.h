// Decides what of the past a peer is offered again: what it does not have, and the policy in
// force allows now.
//
//   ReplayDecider decider(deps, peer, policy_watch, [this] { return interest_; });
//   CDGATE_ASSIGN_OR_RETURN(ReplayVerdict verdict, decider.Decide(record));
//
// An event that the peer has, refused, or that is still on its way keeps its outcome. Not
// thread-safe: everything runs on the session's strand; reads the store, which may block.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/policy.h"
#include "federation/session/outcomes.h"
#include "federation/session/policy_watch.h"
#include "federation/session/replay_reader.h"
#include "federation/session/session_types.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"

namespace cdgate::session {

class ReplayDecider {
 public:
  // All outlive it. `interest`: what the peer shows of its rules now; may give null.
  ReplayDecider(const SessionDeps& deps, admin::v1::Peer peer, const PolicyWatch& policy,
                std::function<InterestPtr()> interest);

  absl::StatusOr<ReplayVerdict> Decide(const event::Record& record);

 private:
  const SessionDeps& deps_;
  const admin::v1::Peer peer_;
  const PolicyWatch& policy_;
  const std::function<InterestPtr()> interest_of_;
  Outcomes outcomes_;
  InterestPtr interest_;  // of the verdict that was given last
  filter::EventContext context_;
  policy::EventTransformer transformer_;
};

}  // namespace cdgate::session
