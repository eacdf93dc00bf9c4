// Messages as bytes: between grpc::ByteBuffer, which streams carry, std::string and
// protobuf messages. Copies are made only where the words say so.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/base/tsan.h"

namespace cdgate::rpc {

// Takes `bytes` over without copying them.
grpc::ByteBuffer ToBytes(std::string bytes);
// The same for a message that is in two pieces: `head` with `tail` behind it.
grpc::ByteBuffer ToBytes(std::string head, std::string tail);

// Bytes that go out in several messages, copied into none. Immutable; thread-safe; a copy is
// another reference.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Takes them over.
  explicit SharedBytes(std::string bytes);
  size_t size() const { return slice_.size(); }

 private:
  friend grpc::ByteBuffer ToBytes(absl::string_view head, absl::Span<const SharedBytes> parts);
  grpc::Slice slice_;
};
// A message of a short `head`, which is copied, and the parts behind it.
grpc::ByteBuffer ToBytes(absl::string_view head, absl::Span<const SharedBytes> parts);

// Serialises into one slice of exactly the message's size.
grpc::ByteBuffer Serialise(const google::protobuf::MessageLite& message);

// Parses from the slices, without joining them first. PROTOCOL_ERROR where the bytes
// are no such message; `message` is then unspecified.
absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

// Is what a message asks for done in less time than another thread takes to wake up? Then it is
// done where it arrived.
inline bool IsSmall(const grpc::ByteBuffer& message) { return message.Length() <= 4096; }

// A message's bytes as one piece: a reference to the buffer's memory where it is one
// slice (the usual case: a frame of ours), otherwise a joined copy. What view()
// returns lives as long as this object. Copyable, cheap: slices are counted.
class FlatBytes {
 public:
  FlatBytes() = default;
  explicit FlatBytes(const grpc::ByteBuffer& bytes);
  FlatBytes(const FlatBytes&) = default;
  FlatBytes& operator=(const FlatBytes&) = default;
  // gRPC counts the references: who drops the last one comes after all who read.
  ~FlatBytes() { CDGATE_HANDED_OVER(const_cast<uint8_t*>(slice_.begin())); }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

 private:
  grpc::Slice slice_;
};

}  // namespace cdgate::rpc
