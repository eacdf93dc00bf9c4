// Frames as bytes. Events are spliced in as they are, never rendered again.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/messages.h"

namespace cdgate::link {

// The serialised frame up to `send.events`, which follow it as they are: events are not
// copied once more, only to stand behind it.
std::string EncodeHead(const SendFrame& send);

// Reads a frame. `memory` keeps `bytes` alive, which the events of a Batch point into.
// False where the bytes are no frame. Of a Batch with more than kMaxBatchEvents events one
// more than that are read, or none, and then it is no frame.
bool DecodeFrame(absl::string_view bytes, std::shared_ptr<const void> memory,
                 FrameReceived* received);

// Bytes of the whole frame.
size_t EncodedSize(const SendFrame& send);

// Appends one `events` field of a Batch: the serialised RelayedEvent whose parts are
// `cloud_event` (a serialised CloudEvent) and `rest` (a serialised RelayedEvent without it).
void AppendRelayedEvent(absl::string_view cloud_event, absl::string_view rest, std::string* events);
// Bytes that AppendRelayedEvent will append for parts of so many bytes.
size_t RelayedEventSize(size_t cloud_event_bytes, size_t rest_bytes);

// Fills `padding`, so that the frame has kHeartbeatFrameBytes.
void PadHeartbeat(federation::v1::Frame* frame);

}  // namespace cdgate::link
