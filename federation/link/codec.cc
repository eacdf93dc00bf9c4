#include "federation/link/codec.h"

#include <algorithm>
#include <utility>

#include "federation/link/config.h"
#include "gateway/event/wire_reader.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::link {
namespace {

using federation::v1::Batch;
using federation::v1::Frame;
using federation::v1::RelayedEvent;

size_t FieldSize(size_t bytes) {
  // Our tags are all one byte.
  return 1 + event::VarintSize(bytes) + bytes;
}

}  // namespace

size_t EncodedSize(const SendFrame& send) {
  if (!send.frame.has_batch()) return send.frame.ByteSizeLong();
  return FieldSize(send.frame.batch().ByteSizeLong() + send.events.size());
}

std::string EncodeHead(const SendFrame& send) {
  if (!send.frame.has_batch()) return send.frame.SerializeAsString();
  const Batch& batch = send.frame.batch();
  std::string out;
  event::AppendBytesHeader(Frame::kBatchFieldNumber, batch.ByteSizeLong() + send.events.size(),
                           &out);
  batch.AppendToString(&out);
  return out;
}

size_t CountEvents(absl::string_view batch) {
  size_t count = 0;
  event::WireReader reader(batch);
  while (reader.Next()) count += reader.field() == Batch::kEventsFieldNumber ? 1 : 0;
  return count;
}

// Splits a Batch into its events and the rest.
bool DecodeBatch(absl::string_view bytes, FrameReceived* received) {
  std::string rest;
  // One too many is enough to refuse the batch, whatever else a hostile one has.
  constexpr size_t kMostViews = kMaxBatchEvents + 1;
  received->events.views.reserve(std::min(CountEvents(bytes), kMostViews));
  event::WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == Batch::kEventsFieldNumber && reader.is_bytes()) {
      if (received->events.views.size() == kMostViews) continue;
      if (!received->events.views.emplace_back().Assign(reader.bytes())) return false;
    } else {
      rest.append(bytes.data() + reader.field_offset(), reader.offset() - reader.field_offset());
    }
  }
  return reader.ok() && received->frame.mutable_batch()->ParseFromString(rest);
}

bool DecodeFrame(absl::string_view bytes, std::shared_ptr<const void> memory,
                 FrameReceived* received) {
  *received = FrameReceived();
  received->wire_bytes = bytes.size();
  event::WireReader reader(bytes);
  // The usual case: nothing else is in the frame of a Batch.
  if (reader.Next() && reader.field() == Frame::kBatchFieldNumber && reader.is_bytes() &&
      reader.offset() == bytes.size()) {
    received->events.memory = std::move(memory);
    return DecodeBatch(reader.bytes(), received);
  }
  // A message for each event would be many times the size of the frame.
  size_t events = 0;
  for (event::WireReader fields(bytes); fields.Next();) {
    const bool batch = fields.field() == Frame::kBatchFieldNumber && fields.is_bytes();
    if (batch) events += CountEvents(fields.bytes());
  }
  if (events > kMaxBatchEvents) return false;
  if (bytes.size() > INT32_MAX ||
      !received->frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return false;
  }
  if (!received->frame.has_batch()) return true;
  const auto batch = std::make_shared<std::string>(received->frame.batch().SerializeAsString());
  received->events.memory = batch;
  return DecodeBatch(*batch, received);
}

size_t RelayedEventSize(size_t cloud_event_bytes, size_t rest_bytes) {
  return FieldSize(FieldSize(cloud_event_bytes) + rest_bytes);
}

void AppendRelayedEvent(absl::string_view cloud_event, absl::string_view rest,
                        std::string* events) {
  event::AppendBytesHeader(Batch::kEventsFieldNumber, FieldSize(cloud_event.size()) + rest.size(),
                           events);
  event::AppendBytesField(RelayedEvent::kCloudEventFieldNumber, cloud_event, events);
  events->append(rest.data(), rest.size());
}

void PadHeartbeat(Frame* frame) {
  // Frame and padding have two-byte lengths, because both are above 127 bytes: what a
  // heartbeat holds besides is bounded by kMaxTokenBytes and kMaxLinkEpochBytes.
  constexpr size_t kFrameHeader = 3;
  constexpr size_t kPaddingHeader = 3;
  const size_t used = kFrameHeader + frame->heartbeat().ByteSizeLong() + kPaddingHeader;
  if (used + 128 > kHeartbeatFrameBytes) return;  // cannot be: see above
  frame->mutable_heartbeat()->mutable_padding()->assign(kHeartbeatFrameBytes - used, '\0');
}

}  // namespace cdgate::link
