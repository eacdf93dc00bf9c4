#include "gateway/rpc/client_channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "absl/strings/match.h"
#include "gateway/base/tsan.h"
#include "gateway/rpc/callback_threads.h"
#include "gateway/rpc/channel_guard.h"
#include "gateway/rpc/client_stream.h"
#include "gateway/rpc/socket_tap.h"
#include "gateway/rpc/status.h"
#include "gateway/rpc/transport.h"

namespace cdgate::rpc {
namespace {

constexpr int kNoCompression = 1;                  // the bit of GRPC_COMPRESS_NONE
constexpr int64_t kMaxStreams = int64_t{1} << 32;  // they are our own: no rule about them

int Millis(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

std::shared_ptr<ChannelGuard> GuardFor(const std::string& target,
                                       const ClientChannelOptions& options) {
  return ChannelGuard::Create(
      {.target = target,
       .clock = options.clock,
       .timers = options.timers,
       .limits = {.slack_bytes = options.slack_bytes,
                  .max_message_bytes = static_cast<uint64_t>(options.max_message_bytes),
                  .window_bytes = kProbedWindowBytes,
                  .max_streams = kMaxStreams,
                  .frame_timeout = options.keepalive_time + options.keepalive_timeout}});
}

grpc::ChannelArguments ArgumentsFor(const std::string& target, const ClientChannelOptions& options,
                                    const std::shared_ptr<ChannelGuard>& guard) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, kNoCompression);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttp2FrameBytes);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_time));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Millis(options.connect_timeout));
  grpc::ResourceQuota quota;
  quota.Resize(options.quota_bytes);
  arguments.SetResourceQuota(quota);
  // A local socket's other end is as trusted as we are, and has no bytes to be counted.
  if (!absl::StartsWith(target, "unix:")) {
    TapSockets(arguments, [guard = std::weak_ptr<ChannelGuard>(guard)](int fd) {
      if (const auto self = guard.lock()) self->Watch(fd);
    });
  }
  return arguments;
}

// One unary call, from CallBytes to its completion, which always comes.
struct UnaryCall {
  grpc::ClientContext context;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<ChannelGuard> guard;
  absl::Duration made;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  std::function<void(absl::StatusOr<grpc::ByteBuffer>)> done;
};

void Complete(UnaryCall* raw, const grpc::Status& status) {
  CDGATE_TAKEN_OVER(raw);
  const std::unique_ptr<UnaryCall> call(raw);
  call->guard->EndCall();
  if (!status.ok()) {
    const absl::Status cut = call->guard->CutSince(call->made);
    return call->done(cut.ok() ? FromGrpcStatus(status) : cut);
  }
  call->guard->counters.CountMessage(call->response.Length());
  call->done(std::move(call->response));
}

}  // namespace

ClientChannel::ClientChannel(const std::string& target,
                             std::shared_ptr<grpc::ChannelCredentials> credentials,
                             ClientChannelOptions options)
    : options_(options),
      guard_(GuardFor(target, options)),
      channel_(grpc::CreateCustomChannel(
          target, credentials == nullptr ? grpc::InsecureChannelCredentials() : credentials,
          ArgumentsFor(target, options, guard_))) {
  KeepCallbackThreads();
}

FrameStreamPtr ClientChannel::OpenStream(absl::string_view method) {
  return ClientStream::Create(channel_, std::string(method), options_, guard_);
}

void ClientChannel::CallBytes(absl::string_view method, grpc::ByteBuffer request,
                              absl::Duration timeout,
                              std::function<void(absl::StatusOr<grpc::ByteBuffer>)> done) {
  UnaryCall* const call = std::make_unique<UnaryCall>().release();  // Complete() takes it back
  call->context.set_deadline(std::chrono::system_clock::now() +
                             absl::ToChronoMilliseconds(timeout));
  call->channel = channel_;
  call->guard = guard_;
  call->made = options_.clock.Monotonic();
  guard_->BeginCall();
  call->request.Swap(&request);
  call->done = std::move(done);
  CDGATE_HANDED_OVER(call);
  grpc::GenericStub(channel_).UnaryCall(
      &call->context, std::string(method), grpc::StubOptions(), &call->request, &call->response,
      [call](const grpc::Status& status) { Complete(call, status); });
}

}  // namespace cdgate::rpc
