// How far the frame is that somebody writes to a stream. Who writes is told that it left with
// whatever happens to them next, and at once only where they wait for that: most frames of a quiet
// stream are followed by none, and a task for each is a thread woken for nothing.
//
//   write_.Begin();                                    // on the strand
//   stream->Send(frame, [this] {                       // on any thread
//     if (write_.Finish()) Post([this] { Step(); });
//   });
//   if (write_.Take()) link.Step(Written{});           // on the strand, before anything else
//   if (link.awaits_written() && !write_.Await()) ...  // it left meanwhile: Take() again
#pragma once

#include <atomic>

namespace cdgate::rpc {

// Finish() may be called on any thread, the others on one strand.
class FrameWrite {
 public:
  // The one before was taken.
  void Begin() { at_.store(At::kUnderWay); }
  // The frame left. True: somebody waits to be told.
  [[nodiscard]] bool Finish() { return at_.exchange(At::kLeft) == At::kAwaited; }
  // True once for each frame that left.
  [[nodiscard]] bool Take() {
    At left = At::kLeft;
    return at_.compare_exchange_strong(left, At::kNone);
  }
  // From now on its end is to be told at once. False: it left, and is to be taken.
  [[nodiscard]] bool Await() {
    At under_way = At::kUnderWay;
    return at_.compare_exchange_strong(under_way, At::kAwaited) || under_way == At::kAwaited;
  }

 private:
  enum class At { kNone, kUnderWay, kAwaited, kLeft };
  std::atomic<At> at_{At::kNone};
};

}  // namespace cdgate::rpc
