#include "gateway/rpc/bytes.h"

#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::rpc {
namespace {

// gRPC calls it when the last reference to the slice is dropped.
void DeleteText(void* owner) {
  auto* const text = static_cast<std::string*>(owner);
  CDGATE_TAKEN_OVER(text->data());
  delete text;
}

grpc::Slice ToSlice(std::string bytes) {
  auto owner = std::make_unique<std::string>(std::move(bytes));
  std::string* const text = owner.release();
  return grpc::Slice(text->data(), text->size(), &DeleteText, text);
}

}  // namespace

grpc::ByteBuffer ToBytes(std::string bytes) {
  const grpc::Slice slice = ToSlice(std::move(bytes));
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer ToBytes(std::string head, std::string tail) {
  if (tail.empty()) return ToBytes(std::move(head));
  const grpc::Slice slices[] = {ToSlice(std::move(head)), ToSlice(std::move(tail))};
  return grpc::ByteBuffer(slices, 2);
}

SharedBytes::SharedBytes(std::string bytes) {
  slice_ = ToSlice(std::move(bytes));
  CDGATE_HANDED_OVER(const_cast<uint8_t*>(slice_.begin()));
}

grpc::ByteBuffer ToBytes(absl::string_view head, absl::Span<const SharedBytes> parts) {
  absl::InlinedVector<grpc::Slice, 8> slices;
  slices.reserve(parts.size() + 1);
  slices.emplace_back(head.data(), head.size());
  for (const SharedBytes& part : parts) slices.push_back(part.slice_);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

grpc::ByteBuffer Serialise(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  const grpc::Slice slice(size);
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message) {
  // The reader takes a mutable buffer but only counts a reference on its slices.
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  if (reader.status().ok() && message->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  return base::MakeError(base::Reason::kProtocolError,
                         absl::StrCat("the message is no ", message->GetTypeName()),
                         {{"type", message->GetTypeName()}});
}

FlatBytes::FlatBytes(const grpc::ByteBuffer& bytes) {
  if (!bytes.Valid() || bytes.TrySingleSlice(&slice_).ok()) return;
  if (!bytes.DumpToSingleSlice(&slice_).ok()) slice_ = grpc::Slice();
}

}  // namespace cdgate::rpc
