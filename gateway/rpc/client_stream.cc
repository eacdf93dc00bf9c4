#include "gateway/rpc/client_stream.h"

#include "gateway/base/tsan.h"
#include "gateway/rpc/status.h"

namespace cdgate::rpc {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

std::shared_ptr<ClientStream> ClientStream::Create(std::shared_ptr<grpc::Channel> channel,
                                                   std::string method,
                                                   const ClientChannelOptions& options,
                                                   std::shared_ptr<ChannelGuard> guard) {
  std::shared_ptr<ClientStream> stream(
      new ClientStream(std::move(channel), std::move(method), options, std::move(guard)));
  stream->core_.Bind(std::shared_ptr<StreamCore>(stream, &stream->core_));
  return stream;
}

ClientStream::ClientStream(std::shared_ptr<grpc::Channel> channel, std::string method,
                           const ClientChannelOptions& options, std::shared_ptr<ChannelGuard> guard)
    : channel_(std::move(channel)),
      method_(std::move(method)),
      guard_(std::move(guard)),
      made_(options.clock.Monotonic()),
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
    guard_->BeginCall();
    self_ = shared_from_this();
    stub_.PrepareBidiStreamingCall(&context_, method_, grpc::StubOptions(), this);
    AddHold();  // operations come from everywhere; until Release()
  } else {
    guard_->counters.paused.fetch_sub(1, kRelaxed);
  }
  reading_into_ = into;
  CDGATE_HANDED_OVER(this);
  ClientBidiReactor::StartRead(into);
  if (begin) StartCall();
}

void ClientStream::StartWrite(const grpc::ByteBuffer& message, SendHint hint) {
  grpc::WriteOptions options;
  if (hint == SendHint::kMoreFollows) options.set_buffer_hint();
  guard_->counters.sent_bytes.fetch_add(message.Length(), kRelaxed);
  CDGATE_HANDED_OVER(this);
  ClientBidiReactor::StartWrite(&message, options);
}

void ClientStream::StartEnd(const absl::Status&, const grpc::ByteBuffer*) {
  CDGATE_HANDED_OVER(this);
  StartWritesDone();
}

void ClientStream::Release() {
  CDGATE_HANDED_OVER(this);
  RemoveHold();
}

void ClientStream::OnReadDone(bool ok) {
  CDGATE_TAKEN_OVER(this);
  if (ok) guard_->counters.CountMessage(reading_into_->Length());
  guard_->counters.paused.fetch_add(1, kRelaxed);
  core_.OnReadDone(ok);
}

void ClientStream::OnWriteDone(bool ok) {
  CDGATE_TAKEN_OVER(this);
  core_.OnWriteDone(ok);
}

void ClientStream::OnWritesDoneDone(bool) {
  CDGATE_TAKEN_OVER(this);
  core_.OnEndDone();
}

void ClientStream::OnDone(const grpc::Status& status) {
  CDGATE_TAKEN_OVER(this);
  guard_->counters.paused.fetch_sub(1, kRelaxed);
  guard_->EndCall();
  const absl::Status cut = status.ok() ? absl::OkStatus() : guard_->CutSince(made_);
  core_.OnDone(cut.ok() ? FromGrpcStatus(status) : cut);
  self_.reset();  // may destroy this
}

}  // namespace cdgate::rpc
