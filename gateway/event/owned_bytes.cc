#include "gateway/event/owned_bytes.h"

#include <cstring>

namespace cdgate::event {
namespace {

// Beyond it an event would leave too much of a piece unused.
constexpr size_t kLargeBytes = ByteArena::kPieceBytes / 8;

std::shared_ptr<char[]> Allocate(size_t bytes) {
  return std::shared_ptr<char[]>(new char[bytes]);  // unset, unlike make_shared's
}

}  // namespace

OwnedBytes::OwnedBytes(absl::string_view bytes, size_t room)
    : memory_(Allocate(bytes.size() + room)),
      data_(memory_.get()),
      size_(bytes.size()),
      room_(room) {
  if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
}

char* OwnedBytes::Extend(size_t bytes) {
  char* const at = data_ + size_;
  size_ += bytes;
  room_ -= bytes;
  return at;
}

void OwnedBytes::Swap(OwnedBytes* other) {
  memory_.swap(other->memory_);
  std::swap(data_, other->data_);
  std::swap(size_, other->size_);
  std::swap(room_, other->room_);
}

OwnedBytes ByteArena::Take(size_t room) {
  if (room > kLargeBytes) return OwnedBytes({}, room);
  if (kPieceBytes - used_ < room) {
    piece_ = Allocate(kPieceBytes);
    used_ = 0;
  }
  OwnedBytes out;
  out.memory_ = piece_;
  out.data_ = piece_.get() + used_;
  out.room_ = room;
  used_ += room;
  return out;
}

}  // namespace cdgate::event
