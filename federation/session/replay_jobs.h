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

// What one peer may have waiting: those of one that is away for long do not grow without end.
inline constexpr int kMaxReplayJobs = 100;

// The edit that adds `job`, whose number, that no job of the peer had before, it sets. QUOTA
// where kMaxReplayJobs wait; LOG_CORRUPT where those that wait cannot be read.
absl::StatusOr<state::ResourceEdit> AddReplayJob(const state::ResourceSnapshot& resources,
                                                 absl::string_view peer,
                                                 storage::v1::ReplayJob job);

}  // namespace cdgate::session
