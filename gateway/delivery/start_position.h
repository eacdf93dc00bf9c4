// Where a subscription begins, and how much it may hold.
#pragma once

#include "absl/status/statusor.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/types.h"
#include "gateway/delivery/window.h"
#include "gateway/state/store.h"

namespace cdgate::delivery {

// (blocks) The sequence after which delivery begins; the head where `from` says nothing.
// WRONG_EPOCH or EPOCH_REGRESSED for a position of another log, TRIMMED for one that is
// older than retention.
absl::StatusOr<base::Sequence> ResolveStart(const state::Store& store,
                                            const events::v1::StartPosition& from);

// The defaults and bounds of events.proto applied.
WindowLimits LimitsOf(const events::v1::SubscribeStart& start, bool one_per_frame);

}  // namespace cdgate::delivery
