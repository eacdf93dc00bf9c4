// Past events that are offered with a policy: the replay job that comes with it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/api/plan_run.h"
#include "gateway/api/policy_candidate.h"
#include "gateway/state/proposal.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Adds the job to `proposal`, and its range to `response`; nothing where the range is empty.
// Errors of session::AddReplayJob.
absl::Status AddReplay(const state::Store& store, const std::string& author,
                       const PolicyCandidate& candidate, const PlanRange& range,
                       state::Proposal* proposal, admin::v1::ApplyPolicyResponse* response);

}  // namespace cdgate::api
