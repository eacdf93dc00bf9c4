// What two domains hold of each other's events.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// (blocks) Of what crossed with `peer`. It reads at most 100,000 events of the log and counts at
// most 10,000 dead letters, however long the agreement lasted. Errors of the store.
absl::StatusOr<admin::v1::GetHoldingsResponse> HoldingsOf(const state::Store& store,
                                                          const eventlog::EventLog& log,
                                                          const std::string& peer);

}  // namespace cdgate::api
