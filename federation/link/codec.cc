#include "federation/link/codec.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <utility>

#include "gateway/event/wire_reader.h"
#include "gateway/event/wire_writer.h"

namespace cdgate::link {
namespace {

using federation::v1::Batch;
using federation::v1::Frame;
using federation::v1::RelayedEvent;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t BytesTag(int field) { return static_cast<uint32_t>(field) << 3 | 2; }

size_t FieldSize(size_t bytes) {
  // Our tags are all one byte.
  return 1 + CodedOutputStream::VarintSize64(bytes) + bytes;
}

uint8_t* WriteHeader(int field, size_t bytes, uint8_t* at) {
  at = CodedOutputStream::WriteVarint32ToArray(BytesTag(field), at);
  return CodedOutputStream::WriteVarint64ToArray(bytes, at);
}

uint8_t* WriteBytes(absl::string_view bytes, uint8_t* at) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

uint8_t* Grow(size_t by, std::string* out) {
  const size_t before = out->size();
  out->resize(before + by);
  return reinterpret_cast<uint8_t*>(out->data()) + before;
}

}  // namespace

size_t EncodedSize(const SendFrame& send) {
  if (!send.frame.has_batch()) return send.frame.ByteSizeLong();
  return FieldSize(send.frame.batch().ByteSizeLong() + send.events.size());
}

std::string EncodeFrame(const SendFrame& send) {
  if (!send.frame.has_batch()) return send.frame.SerializeAsString();
  const Batch& batch = send.frame.batch();
  const size_t head = batch.ByteSizeLong();
  std::string out;
  uint8_t* at = Grow(FieldSize(head + send.events.size()), &out);
  at = WriteHeader(Frame::kBatchFieldNumber, head + send.events.size(), at);
  at = batch.SerializeWithCachedSizesToArray(at);
  WriteBytes(send.events, at);
  return out;
}

// Splits a Batch into its events and the rest.
bool DecodeBatch(absl::string_view bytes, FrameReceived* received) {
  std::string rest;
  event::WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == Batch::kEventsFieldNumber && reader.is_bytes()) {
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
