// Renders deliveries as the bytes of cdgate.events.v1 messages, without parsing or
// rendering an event again: its CloudEvent is spliced in. Tests hold every function
// against the generated messages.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/base/types.h"
#include "gateway/delivery/converter.h"
#include "gateway/event/record.h"

namespace cdgate::delivery {

// Appends one DeliveredEvent as an `events` field of an EventBatch; `rendition`, unless null,
// is how the event is delivered.
void AppendDelivered(const event::Record& record, uint32_t attempt, const Rendition* rendition,
                     std::string* batch);

// Makes an EventBatch a SubscribeResponse, in place.
std::string AsSubscribeResponse(std::string batch);
// What comes before an EventBatch of so many bytes in a SubscribeResponse.
std::string SubscribeResponseHead(size_t batch_bytes);

// A WatchResponse with one event.
std::string AsWatchResponse(const event::Record& record, const Rendition* rendition,
                            const base::Epoch& epoch);

}  // namespace cdgate::delivery
