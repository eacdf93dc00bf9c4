// The past events that a peer is still to be offered, as the resource "replay"/PEER has them:
// backfills of a wider policy, and dead letters that are redriven. Jobs are worked on one after
// the other, by number.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"

namespace cdgate::session {

// Those that are not done, oldest first. LOG_CORRUPT.
absl::StatusOr<storage::v1::ReplayJobs> ReplayJobsOf(const state::ResourceSnapshot& resources,
                                                     absl::string_view peer);

// The edit that adds `job`, whose number it sets. LOG_CORRUPT.
absl::StatusOr<state::ResourceEdit> AddReplayJob(const state::ResourceSnapshot& resources,
                                                 absl::string_view peer,
                                                 storage::v1::ReplayJob job);

}  // namespace cdgate::session
