// Bytes with their memory: a serialised StoredEvent, or a whole commit. What is added to
// them is not set to anything first, which std::string would do.
//
//   ByteArena arena;                               // one per worker
//   OwnedBytes bytes = arena.Take(size + room);    // empty, with room for so much
//   Render(bytes.Extend(size));
//
// Events are admitted by the hundred on one thread and dropped together on another, the
// committer's. Memory for each would be taken and given back under a lock that both
// threads want; so those of one worker lie one behind the other in pieces of kPieceBytes,
// and a piece goes with the last event in it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"

namespace cdgate::event {

// A value; a copy has memory of its own and no room. Thread-compatible.
class OwnedBytes {
 public:
  OwnedBytes() = default;
  // A copy in memory of its own, with `room` bytes behind it.
  explicit OwnedBytes(absl::string_view bytes, size_t room = 0);
  OwnedBytes(const OwnedBytes& other) : OwnedBytes(other.view()) {}
  OwnedBytes(OwnedBytes&& other) noexcept
      : memory_(std::move(other.memory_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)) {}
  OwnedBytes& operator=(OwnedBytes other) noexcept {
    Swap(&other);
    return *this;
  }

  // Valid as long as the memory: also after a move of this object.
  absl::string_view view() const { return {data_, size_}; }
  operator absl::string_view() const { return view(); }  // NOLINT: it is one, with an owner
  size_t size() const { return size_; }

  // By how much it can be extended where it is.
  size_t room() const { return room_; }
  // Makes it longer by at most room(). Returns where the new bytes begin, unset.
  char* Extend(size_t bytes);

 private:
  friend class ByteArena;
  void Swap(OwnedBytes* other);

  std::shared_ptr<char[]> memory_;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
};

// For one thread at a time. What was taken from it may outlive it.
class ByteArena {
 public:
  static constexpr size_t kPieceBytes = 64 << 10;

  // Empty, with `room` bytes; large ones get memory of their own.
  OwnedBytes Take(size_t room);

 private:
  std::shared_ptr<char[]> piece_;
  size_t used_ = kPieceBytes;
};

}  // namespace cdgate::event
