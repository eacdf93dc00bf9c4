// A server stream whose other end is the test: what was sent is kept, and each write ends when
// the test says so.
//
//   auto stream = std::make_shared<FakeServerStream>(CallOf("spiffe://a.example/service"));
//   SubscribeStream::Subscribe(stream, deps);
//   stream->Receive(request);
//   stream->EndWrite(true);
//
// For one thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/call.h"
#include "google/protobuf/message.h"

namespace cdgate::test {

class FakeServerStream final : public rpc::ServerStream {
 public:
  explicit FakeServerStream(rpc::Call call) : call_(std::move(call)) {}

  void Start(Callbacks callbacks) override { callbacks_ = std::move(callbacks); }
  void Read() override { ++reads; }
  void Send(grpc::ByteBuffer message, rpc::SendHint, Written on_written) override {
    if (broken) return on_written(false);
    sent.push_back(std::move(message));
    written_ = std::move(on_written);
  }
  void Close(const absl::Status& status) override { closed.push_back(status); }
  void Cancel(const absl::Status& why) override { closed.push_back(why); }
  std::string PeerAddress() const override { return "ipv4:127.0.0.1:1"; }
  const rpc::Call& call() const override { return call_; }

  void Receive(const google::protobuf::Message& message) {
    callbacks_.on_message(rpc::Serialise(message));
  }
  bool writing() const { return written_ != nullptr; }
  // Ends the write under way; with false all later ones fail too, as those of rpc::StreamCore.
  void EndWrite(bool ok) {
    broken = broken || !ok;
    std::exchange(written_, nullptr)(ok);
  }
  // The call is over, and a write under way with it; lets go of what the callbacks hold.
  void Over() {
    if (writing()) EndWrite(false);
    const Callbacks callbacks = std::exchange(callbacks_, {});
    callbacks.on_closed(absl::CancelledError("over"));
  }

  std::vector<grpc::ByteBuffer> sent;
  std::vector<absl::Status> closed;
  bool broken = false;
  int reads = 0;

 private:
  const rpc::Call call_;
  Callbacks callbacks_;
  Written written_;
};

// Of a Subscribe call by the service `who` of alpha.example.
inline std::shared_ptr<FakeServerStream> StreamOf(const std::string& who) {
  rpc::Call call;
  call.method = "/cdgate.events.v1.EventsService/Subscribe";
  call.listener = authz::Listener::kApi;
  call.principal = authz::Principal::Spiffe(*trust::SpiffeId::Service("alpha.example", who));
  return std::make_shared<FakeServerStream>(std::move(call));
}

}  // namespace cdgate::test
