#include "gateway/rpc/client_stream.h"

#include "gateway/rpc/status.h"

namespace cdgate::rpc {

std::shared_ptr<ClientStream> ClientStream::Create(std::shared_ptr<grpc::Channel> channel,
                                                   std::string method,
                                                   const ClientChannelOptions& options) {
  std::shared_ptr<ClientStream> stream(
      new ClientStream(std::move(channel), std::move(method), options));
  stream->core_.Bind(std::shared_ptr<StreamCore>(stream, &stream->core_));
  return stream;
}

ClientStream::ClientStream(std::shared_ptr<grpc::Channel> channel, std::string method,
                           const ClientChannelOptions& options)
    : channel_(std::move(channel)),
      method_(std::move(method)),
      stub_(channel_),
      core_({.side = StreamCore::Side::kClient,
             .clock = options.clock,
             .timers = options.timers,
             .stall_limit = options.write_stall_limit,
             .first_message_limit = absl::InfiniteDuration()},
            *this) {}

void ClientStream::Start(Callbacks callbacks) {
  const auto keep = shared_from_this();
  core_.Start(std::move(callbacks));
}

void ClientStream::Read() {
  const auto keep = shared_from_this();
  core_.Read();
}

void ClientStream::Send(grpc::ByteBuffer message, SendHint hint, Written on_written) {
  const auto keep = shared_from_this();
  core_.Send(std::move(message), hint, std::move(on_written));
}

void ClientStream::Close(const absl::Status& status) {
  const auto keep = shared_from_this();
  core_.Close(status);
}

void ClientStream::Cancel(const absl::Status& why) {
  const auto keep = shared_from_this();
  core_.Cancel(why);
}

void ClientStream::StartRead(grpc::ByteBuffer* into) {
  // The core's first operation is always a read, and nothing else begins before it.
  const bool begin = !begun_;
  if (begin) {
    begun_ = true;
    self_ = shared_from_this();
    stub_.PrepareBidiStreamingCall(&context_, method_, grpc::StubOptions(), this);
    AddHold();  // operations come from everywhere; until Release()
  }
  ClientBidiReactor::StartRead(into);
  if (begin) StartCall();
}

void ClientStream::StartWrite(const grpc::ByteBuffer& message, SendHint hint) {
  grpc::WriteOptions options;
  if (hint == SendHint::kMoreFollows) options.set_buffer_hint();
  ClientBidiReactor::StartWrite(&message, options);
}

void ClientStream::StartEnd(const absl::Status&, const grpc::ByteBuffer*) { StartWritesDone(); }

void ClientStream::OnDone(const grpc::Status& status) {
  core_.OnDone(FromGrpcStatus(status));
  self_.reset();  // may destroy this
}

}  // namespace cdgate::rpc
