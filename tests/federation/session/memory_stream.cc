#include "tests/federation/session/memory_stream.h"

#include <utility>

#include "gateway/base/errors.h"

namespace cdgate::test {
namespace {

constexpr int kClient = 0;
constexpr int kServer = 1;

}  // namespace

class MemoryWire::End final : public rpc::FrameStream {
 public:
  End(std::shared_ptr<MemoryWire> wire, int side) : wire_(std::move(wire)), side_(side) {}
  void Start(Callbacks callbacks) override { wire_->Start(side_, std::move(callbacks)); }
  void Read() override { wire_->Read(side_); }
  void Send(grpc::ByteBuffer message, rpc::SendHint, Written written) override {
    wire_->Send(side_, std::move(message), std::move(written));
  }
  void Close(const absl::Status& status) override { wire_->Close(side_, status); }
  void Cancel(const absl::Status& why) override { wire_->Cancel(side_, why); }
  std::string PeerAddress() const override { return "memory"; }

 private:
  const std::shared_ptr<MemoryWire> wire_;
  const int side_;
};

std::shared_ptr<MemoryWire> MemoryWire::Create(base::Executor& executor) {
  return std::shared_ptr<MemoryWire>(new MemoryWire(executor));
}

MemoryWire::MemoryWire(base::Executor& executor) {
  base::MutexLock lock(mu_);
  for (Side& side : sides_) side.strand = base::Strand::Create(executor);
}

rpc::FrameStreamPtr MemoryWire::client() {
  return std::make_shared<End>(shared_from_this(), kClient);
}
rpc::FrameStreamPtr MemoryWire::server() {
  return std::make_shared<End>(shared_from_this(), kServer);
}

size_t MemoryWire::frames_sent() const {
  base::MutexLock lock(mu_);
  return frames_;
}

void MemoryWire::Run(int side, base::Task task) {
  // A strand whose executor has gone drops the task: so does a process that has ended.
  static_cast<void>(sides_[side].strand->Post(std::move(task)));
}

void MemoryWire::Start(int side, rpc::FrameStream::Callbacks callbacks) {
  base::MutexLock lock(mu_);
  Side& own = sides_[side];
  own.callbacks = std::move(callbacks);
  own.started = own.reading = true;
  if (own.over) {
    const absl::Status why = own.outcome;
    own.over = false;
    return End_(side, why);
  }
  Pump(side);
}

void MemoryWire::Read(int side) {
  base::MutexLock lock(mu_);
  sides_[side].reading = true;
  Pump(side);
}

void MemoryWire::Pump(int side) {
  Side& own = sides_[side];
  if (!own.started || own.over || own.closing) return;
  if (own.reading && !own.inbox.empty()) {
    own.reading = false;
    auto deliver = own.callbacks.on_message;
    Run(side, [deliver, message = std::move(own.inbox.front())] { deliver(message); });
    own.inbox.pop_front();
    return;
  }
  if (!own.inbox.empty() || !own.peer_done || std::exchange(own.told_end, true)) return;
  if (own.callbacks.on_end) Run(side, own.callbacks.on_end);
  if (side == kClient) End_(kClient, own.outcome);
}

void MemoryWire::Send(int side, grpc::ByteBuffer message, rpc::FrameStream::Written written) {
  base::MutexLock lock(mu_);
  Side& own = sides_[side];
  const bool gone = own.over || own.closing;
  if (!gone) ++frames_;
  if (!silent_ && !gone) {
    sides_[1 - side].inbox.push_back(std::move(message));
    Pump(1 - side);
  }
  Run(side, [written = std::move(written), gone] { written(!gone); });
}

void MemoryWire::Close(int side, const absl::Status& status) {
  base::MutexLock lock(mu_);
  Side& own = sides_[side];
  Side& other = sides_[1 - side];
  if (own.over || std::exchange(own.closing, true)) return;
  if (silent_) return;
  if (!other.peer_done) {
    other.peer_done = true;
    if (side == kServer) other.outcome = status;
    Pump(1 - side);
  }
  if (side == kServer) return End_(kServer, absl::OkStatus());
  // A client's call goes on until the server ends it.
  own.outcome = status;
  if (other.over) End_(kClient, status);
}

void MemoryWire::Cancel(int side, const absl::Status& why) {
  base::MutexLock lock(mu_);
  if (sides_[side].over) return;
  End_(side, why);
  if (!silent_) {
    End_(1 - side, base::MakeError(base::Reason::kCancelled, "the other end cancelled the call"));
  }
}

void MemoryWire::Cut() {
  base::MutexLock lock(mu_);
  for (const int side : {kClient, kServer}) {
    End_(side, base::MakeError(base::Reason::kUnreachable, "the connection broke"));
  }
}

void MemoryWire::Silence() {
  base::MutexLock lock(mu_);
  silent_ = true;
}

void MemoryWire::End_(int side, const absl::Status& status) {
  Side& own = sides_[side];
  if (std::exchange(own.over, true)) return;
  own.outcome = status;
  own.inbox.clear();
  if (!own.started) return;  // told when it starts
  auto callbacks = std::make_shared<rpc::FrameStream::Callbacks>(std::move(own.callbacks));
  own.callbacks = {};
  Run(side, [callbacks, status] { callbacks->on_closed(status); });
  // A server that ends the call ends it for a client that has half-closed.
  Side& other = sides_[1 - side];
  if (side == kServer && other.closing && !silent_) End_(kClient, other.outcome);
}

}  // namespace cdgate::test
