// Calls to other gateways.
//
//   rpc::ClientChannel channel("beta.example:8443", credentials, {.clock = clock,
//                              .timers = timers});
//   rpc::FrameStreamPtr link = channel.OpenStream("/cdgate.federation.v1.FederationService/Link");
//   link->Start(...);
//   channel.Call<EnrolRequest, EnrolResponse>(method, request, absl::Seconds(5),
//       [](absl::StatusOr<EnrolResponse> response) { ... });
//
// Each channel has its own connection, credentials and memory quota; nothing is shared
// with other channels of the process, proxies from the environment are ignored, messages
// are neither compressed nor accepted compressed. A server whose connection costs more
// than it carries is cut off with CONNECTION_ABUSE, as clients are (guard.h);
// docs/adr/0005-dialled-links.md.
//
// Thread-safe. Streams and calls may outlive the channel. Callbacks run on gRPC's threads
// and must not block.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/frame_stream.h"

namespace grpc {
class Channel;
class ChannelCredentials;
}  // namespace grpc

namespace cdgate::rpc {

class ChannelGuard;

struct ClientChannelOptions {
  // These outlive every stream of the channel, that is, until its on_closed has run.
  base::Clock& clock;
  base::TimerQueue& timers;

  int max_message_bytes = 4 << 20;
  size_t quota_bytes = 64 << 20;
  // Bytes the server may have sent beyond what its messages account for.
  uint64_t slack_bytes = 1 << 20;
  absl::Duration keepalive_time = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // How long one connection attempt may take.
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration write_stall_limit = kWriteStallLimit;
};

class ClientChannel {
 public:
  // `target`: "host:port", "[::1]:443", or "unix:/path" of a local socket, for which
  // `credentials` may be null. Connects at the first call.
  ClientChannel(const std::string& target, std::shared_ptr<grpc::ChannelCredentials> credentials,
                ClientChannelOptions options);

  // A new stream. Where the server cannot be reached on_closed says UNREACHABLE; it does
  // not wait for a server to come up.
  FrameStreamPtr OpenStream(absl::string_view method);

  // One request, one response. `done` runs once. DEADLINE_EXCEEDED after `timeout`.
  template <typename Response>
  void Call(absl::string_view method, const google::protobuf::MessageLite& request,
            absl::Duration timeout, std::function<void(absl::StatusOr<Response>)> done);
  void CallBytes(absl::string_view method, grpc::ByteBuffer request, absl::Duration timeout,
                 std::function<void(absl::StatusOr<grpc::ByteBuffer>)> done);

  // For generated stubs (the command line).
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  const ClientChannelOptions options_;
  const std::shared_ptr<ChannelGuard> guard_;
  std::shared_ptr<grpc::Channel> channel_;
};

template <typename Response>
void ClientChannel::Call(absl::string_view method, const google::protobuf::MessageLite& request,
                         absl::Duration timeout,
                         std::function<void(absl::StatusOr<Response>)> done) {
  CallBytes(method, Serialise(request), timeout,
            [done = std::move(done)](absl::StatusOr<grpc::ByteBuffer> bytes) {
              if (!bytes.ok()) return done(std::move(bytes).status());
              Response response;
              if (absl::Status parsed = Parse(*bytes, &response); !parsed.ok()) return done(parsed);
              done(std::move(response));
            });
}

}  // namespace cdgate::rpc
