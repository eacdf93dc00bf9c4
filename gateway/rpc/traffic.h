// What a connection carries, and the end of it: the parts that accepted and dialled
// connections have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gateway/rpc/abuse_meter.h"

namespace cdgate::rpc {

// What calls account for. Written with relaxed order by the calls' threads.
struct TrafficCounters {
  std::atomic<uint64_t> message_bytes{0};
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> sent_bytes{0};
  std::atomic<uint64_t> streams{0};
  std::atomic<uint64_t> waste{0};
  std::atomic<int64_t> open{0};
  std::atomic<int64_t> answered{0};
  std::atomic<int64_t> paused{0};
  std::atomic<int64_t> ended{0};

  // A message came.
  void CountMessage(size_t bytes) {
    message_bytes.fetch_add(bytes, std::memory_order_relaxed);
    messages.fetch_add(1, std::memory_order_relaxed);
  }

  // Calls that wait for something of ours. Where threads have to wait for their turn, gRPC may tell
  // of the end of a call long after the client has its answer and has made the next.
  int64_t Unanswered() const {
    return open.load(std::memory_order_relaxed) - answered.load(std::memory_order_relaxed);
  }

  // All of them now; to be completed by WatchedSocket::Measure(), in this order, so that
  // no message is counted before its bytes.
  TrafficSample Load() const;
};

// A second descriptor of a connection that belongs to gRPC. Thread-safe.
class WatchedSocket {
 public:
  enum class Kind {
    kTcp,
    kDialledTcp,  // given before it is connected
    kUnix,        // its bytes are not counted
  };

  // Takes `fd` and closes it at destruction.
  WatchedSocket(int fd, Kind kind) : fd_(fd), kind_(kind) {}
  ~WatchedSocket();
  WatchedSocket(const WatchedSocket&) = delete;
  WatchedSocket& operator=(const WatchedSocket&) = delete;

  // Ends the connection at once, both ways, and drops what was received and not read.
  // True for the first caller.
  bool Cut();
  bool was_cut() const { return cut_.load(std::memory_order_relaxed); }

  // Completes the sample with what the kernel knows, `received`, `unread` and
  // `acknowledged`; of a Unix socket they stay 0. False once the connection is over, whoever ended
  // it. A dialled one that is not connected yet is not over: whoever waits must give it a time.
  bool Measure(TrafficSample& sample) const;
  // Whether a dialled one was seen to connect, or was cut.
  bool begun() const { return begun_.load(std::memory_order_relaxed); }

 private:
  const int fd_;
  const Kind kind_;
  std::atomic<bool> cut_{false};
  mutable std::atomic<bool> begun_{false};  // of a dialled one: it was seen to connect
};

}  // namespace cdgate::rpc
