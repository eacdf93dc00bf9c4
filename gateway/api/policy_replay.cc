#include "gateway/api/policy_replay.h"

#include <utility>

#include "cdgate/storage/v1/state.pb.h"
#include "federation/session/replay_jobs.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {

absl::Status AddReplay(const state::Store& store, const std::string& author,
                       const PolicyCandidate& candidate, const PlanRange& range,
                       state::Proposal* proposal, admin::v1::ApplyPolicyResponse* response) {
  if (range.last < range.first) return absl::OkStatus();
  storage::v1::ReplayJob job;
  job.set_first_sequence(range.first.value());
  job.set_last_sequence(range.last.value());
  job.set_policy_version(candidate.compiled->version());
  job.set_author(author);
  CDGATE_ASSIGN_OR_RETURN(
      proposal->resources.emplace_back(),
      session::AddReplayJob(*store.Resources(), candidate.policy.peer(), std::move(job)));
  response->set_backfill_first(range.first.value());
  response->set_backfill_last(range.last.value());
  return absl::OkStatus();
}

}  // namespace cdgate::api
