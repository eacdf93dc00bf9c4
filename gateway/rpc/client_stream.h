// A client's end of a stream: the reactor under ClientChannel::OpenStream(). Private to
// the library.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <utility>

#include "gateway/rpc/channel_guard.h"
#include "gateway/rpc/client_channel.h"
#include "gateway/rpc/stream_core.h"

namespace cdgate::rpc {

// Reaches gRPC with Start(); lives until OnDone, and longer where its user keeps it.
class ClientStream final : public FrameStream,
                           public std::enable_shared_from_this<ClientStream>,
                           private StreamCore::Transport,
                           private grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static std::shared_ptr<ClientStream> Create(std::shared_ptr<grpc::Channel> channel,
                                              std::string method,
                                              const ClientChannelOptions& options,
                                              std::shared_ptr<ChannelGuard> guard);

  void Start(Callbacks callbacks) override;
  void Read() override;
  void Send(grpc::ByteBuffer message, SendHint hint, Written on_written) override;
  void Close(const absl::Status& status) override;
  void Cancel(const absl::Status& why) override;
  std::string PeerAddress() const override { return context_.peer(); }

 private:
  ClientStream(std::shared_ptr<grpc::Channel> channel, std::string method,
               const ClientChannelOptions& options, std::shared_ptr<ChannelGuard> guard);

  void StartRead(grpc::ByteBuffer* into) override;
  void StartWrite(const grpc::ByteBuffer& message, SendHint hint) override;
  void StartEnd(const absl::Status& status, const grpc::ByteBuffer* last) override;
  void Release() override;
  void Abort() override { context_.TryCancel(); }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnWritesDoneDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::shared_ptr<grpc::Channel> channel_;
  const std::string method_;
  const std::shared_ptr<ChannelGuard> guard_;
  const absl::Duration made_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  StreamCore core_;
  grpc::ByteBuffer* reading_into_ = nullptr;
  bool begun_ = false;                  // the call reached gRPC: by the first read
  std::shared_ptr<ClientStream> self_;  // from then until OnDone
};

}  // namespace cdgate::rpc
