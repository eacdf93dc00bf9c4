// Two ends of a rpc::FrameStream in one process, and the network between them.
//
//   auto wire = test::MemoryWire::Create(executor);
//   Use(wire->client());  Use(wire->server());
//   wire->Cut();          // the connection breaks: both ends learn of it
//   wire->Silence();      // it breaks, and nobody learns of it
//
// Callbacks run on the executor, one at a time for each end, as frame_stream.h says.
// Thread-safe.
#pragma once

#include <deque>
#include <memory>

#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/frame_stream.h"

namespace cdgate::test {

class MemoryWire : public std::enable_shared_from_this<MemoryWire> {
 public:
  static std::shared_ptr<MemoryWire> Create(base::Executor& executor);

  rpc::FrameStreamPtr client();
  rpc::FrameStreamPtr server();

  void Cut();
  void Silence();
  // Frames that the client has sent, and the server.
  size_t frames_sent() const;

 private:
  class End;
  struct Side {
    std::shared_ptr<base::Strand> strand;
    rpc::FrameStream::Callbacks callbacks;
    std::deque<grpc::ByteBuffer> inbox;
    bool started = false;
    bool reading = false;
    bool peer_done = false;  // the other end closed; told when the inbox is empty
    bool told_end = false;
    bool closing = false;  // this end called Close or Cancel
    bool over = false;
    absl::Status outcome;  // what on_closed says when the other end is done
  };

  explicit MemoryWire(base::Executor& executor);
  void Start(int side, rpc::FrameStream::Callbacks callbacks);
  void Read(int side);
  void Send(int side, grpc::ByteBuffer message, rpc::FrameStream::Written written);
  void Close(int side, const absl::Status& status);
  void Cancel(int side, const absl::Status& why);

  void Pump(int side) CDGATE_REQUIRES(mu_);
  void End_(int side, const absl::Status& status) CDGATE_REQUIRES(mu_);
  void Run(int side, base::Task task) CDGATE_REQUIRES(mu_);

  mutable base::Mutex mu_;
  Side sides_[2] CDGATE_GUARDED_BY(mu_);  // client, server
  bool silent_ CDGATE_GUARDED_BY(mu_) = false;
  size_t frames_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::test
