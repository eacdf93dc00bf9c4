#include "gateway/rpc/client_channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "gateway/rpc/callback_threads.h"
#include "gateway/rpc/client_stream.h"
#include "gateway/rpc/status.h"

namespace cdgate::rpc {
namespace {

constexpr int kNoCompression = 1;  // the bit of GRPC_COMPRESS_NONE
constexpr int kMaxMetadataBytes = 8 << 10;

int Millis(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

grpc::ChannelArguments ArgumentsFor(const ClientChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, kNoCompression);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, options.window_bytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_time));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Millis(options.connect_timeout));
  grpc::ResourceQuota quota;
  quota.Resize(options.quota_bytes);
  arguments.SetResourceQuota(quota);
  return arguments;
}

// One unary call, from CallBytes to its completion.
struct UnaryCall {
  grpc::ClientContext context;
  std::shared_ptr<grpc::Channel> channel;
  std::string method;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

}  // namespace

ClientChannel::ClientChannel(const std::string& target,
                             std::shared_ptr<grpc::ChannelCredentials> credentials,
                             ClientChannelOptions options)
    : options_(options),
      channel_(grpc::CreateCustomChannel(
          target, credentials == nullptr ? grpc::InsecureChannelCredentials() : credentials,
          ArgumentsFor(options))) {
  KeepCallbackThreads();
}

FrameStreamPtr ClientChannel::OpenStream(absl::string_view method) {
  return ClientStream::Create(channel_, std::string(method), options_);
}

void ClientChannel::CallBytes(absl::string_view method, grpc::ByteBuffer request,
                              absl::Duration timeout,
                              std::function<void(absl::StatusOr<grpc::ByteBuffer>)> done) {
  auto call = std::make_shared<UnaryCall>();
  call->context.set_deadline(std::chrono::system_clock::now() +
                             absl::ToChronoMilliseconds(timeout));
  call->channel = channel_;
  call->method = std::string(method);
  call->request.Swap(&request);
  grpc::GenericStub stub(channel_);
  stub.UnaryCall(&call->context, call->method, grpc::StubOptions(), &call->request, &call->response,
                 [call, done = std::move(done)](const grpc::Status& status) {
                   if (!status.ok()) return done(FromGrpcStatus(status));
                   done(std::move(call->response));
                 });
}

}  // namespace cdgate::rpc
