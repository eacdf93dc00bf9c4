// How large frames may be: large while few streams are there.
//
// What a frame costs, a task, a write, an answer to both, is the same for 50 events and for 200,
// and a stream that is behind can have as many. But one that is not read holds its frame in
// memory, and so may thousands.
//
//   FrameRoom room;                              // one of the gateway
//   const FrameRoom::Place place = room.Take();  // one of each stream
//   window.Next(scope, place.bytes());
//
// Thread-safe; a Place is for one thread. The room outlives its places.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace cdgate::delivery {

class FrameRoom {
 public:
  static constexpr size_t kLeastBytes = 64 << 10;
  static constexpr size_t kMostBytes = 256 << 10;
  // For the frames of all streams together; beyond, each has the least.
  static constexpr size_t kTotalBytes = 16 << 20;

  class Place {
   public:
    explicit Place(FrameRoom& room) : room_(room) { room_.places_.fetch_add(1); }
    ~Place() { room_.places_.fetch_sub(1); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // A frame is closed before it would have more, as of now.
    size_t bytes() const {
      return std::clamp(kTotalBytes / room_.places_.load(), kLeastBytes, kMostBytes);
    }

   private:
    FrameRoom& room_;
  };

  Place Take() { return Place(*this); }

 private:
  std::atomic<size_t> places_{0};
};

}  // namespace cdgate::delivery
