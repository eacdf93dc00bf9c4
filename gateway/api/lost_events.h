// Which events a peer lost: retention removed them before they could be offered to it.
//
//   CDGATE_ASSIGN_OR_RETURN(auto page, ListLostEvents(store, request));
//   for (const admin::v1::LostEvent& lost : page.events()) Show(lost.event());
//
// The ledger has the ranges, which are for ever; what the events were is in their outcome rows, for
// log.audit_retention. Sequences without such a row are told as ranges. So the list, what the peer
// sent or is the origin of, and those ranges add up to PeerStatus.lost_events.
#pragma once

#include "absl/status/statusor.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// (blocks) One page, by sequence. It reads at most some 4,000 ranges of the ledger and 10,000 rows
// of events, whatever they hold, so that a page may be short, or empty, and not be the last.
// Whether there is such a peer is the caller's to know. INVALID_ARGUMENT for a page size below 0
// and for a token that is not of this list and peer; errors of the store. Thread-safe.
absl::StatusOr<admin::v1::ListLostEventsResponse> ListLostEvents(
    const state::Store& store, const admin::v1::ListLostEventsRequest& request);

}  // namespace cdgate::api
