// Finding one event of the log, by sequence or by id.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/event/record.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// How an event is asked for: a sequence, or an id with what narrows it.
struct EventQuery {
  std::optional<base::Sequence> sequence;
  std::string id;
  std::string source;
  std::string origin;
};

// INVALID_ARGUMENT where neither sequence nor id is set.
absl::StatusOr<EventQuery> QueryOf(const admin::v1::EventKey& key);
absl::StatusOr<EventQuery> QueryOf(const events::v1::GetEventRequest& request);

// (blocks) The event. NOT_FOUND where there is none, AMBIGUOUS_ID naming the candidates
// where several fit.
absl::StatusOr<state::EventRef> FindEvent(const state::Store& store, const EventQuery& query);
// (blocks) The same for a caller who sees what `scope` covers: any other event is, to it, not
// there, and nothing in the answer tells otherwise.
absl::StatusOr<state::EventRef> FindCovered(const state::Store& store, const EventQuery& query,
                                            delivery::ReadScope& scope);

admin::v1::EventSummary Summarise(const event::Record& record);
// Of one that retention removed.
admin::v1::EventSummary Summarise(const storage::v1::OutcomeRow& row);

// The event as it is delivered, with attempt 1.
events::v1::DeliveredEvent Deliver(const event::Record& record);

}  // namespace cdgate::api
