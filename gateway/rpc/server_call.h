// One call at the server: the reactor between gRPC and a handler, and the accounting of
// its connection. Private to the library.
#pragma once

#include <grpcpp/impl/codegen/async_generic_service.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/bearer.h"
#include "gateway/rpc/call.h"
#include "gateway/rpc/call_gate.h"
#include "gateway/rpc/connection.h"
#include "gateway/rpc/stream_core.h"

namespace cdgate::rpc {

// Calls being served. Thread-safe.
class LiveCalls {
 public:
  void Add();
  void Remove();
  size_t count() const;
  // False where some are left after `limit`.
  bool WaitForNone(absl::Duration limit);

 private:
  mutable base::Mutex mu_;
  base::CondVar none_;
  size_t count_ CDGATE_GUARDED_BY(mu_) = 0;
};

// Calls that ended, by code. Thread-safe.
class CallMetrics {
 public:
  CallMetrics(base::Metrics& metrics, authz::Listener listener);
  void Count(absl::StatusCode code) const;

 private:
  std::map<absl::StatusCode, base::Counter*> ended_;
};

// What the calls of one listener share.
struct CallEnvironment {
  const CallGate& gate;
  const CallMetrics& metrics;
  LiveCalls& live;
  BearerStreams& bearers;
  base::Clock& clock;
  base::TimerQueue& timers;
  absl::Duration write_stall_limit;
  absl::Duration first_message_limit;
};

// The one service of a listener: every call of every method comes here.
class CallService final : public grpc::CallbackGenericService {
 public:
  explicit CallService(CallEnvironment environment) : environment_(environment) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  const CallEnvironment environment_;
};

// Lives from CreateReactor to OnDone, and longer where a handler keeps it.
class ServerCall final : public ServerStream,
                         public std::enable_shared_from_this<ServerCall>,
                         private StreamCore::Transport,
                         private grpc::ServerGenericBidiReactor {
 public:
  // Starts the handler. The reactor is gRPC's until OnDone.
  static grpc::ServerGenericBidiReactor* Begin(const CallEnvironment& environment,
                                               grpc::GenericCallbackServerContext* context,
                                               CallGate::Admitted admitted,
                                               ConnectionPtr connection);
  // A call that ends before it has a handler.
  static grpc::ServerGenericBidiReactor* Refuse(const CallEnvironment& environment,
                                                const absl::Status& why, ConnectionPtr connection);
  ~ServerCall() override = default;

  void Start(Callbacks callbacks) override { core_.Start(std::move(callbacks)); }
  void Read() override { core_.Read(); }
  void Send(grpc::ByteBuffer message, SendHint hint, Written on_written) override;
  void Close(const absl::Status& status) override;
  void Cancel(const absl::Status& why) override;
  std::string PeerAddress() const override { return call_->peer_address; }
  const Call& call() const override { return *call_; }

  // Of a unary call: the response, or why there is none. Sent when it is recorded, where the
  // call is.
  void Answer(absl::StatusOr<grpc::ByteBuffer> response);

 private:
  ServerCall(const CallEnvironment& environment, grpc::GenericCallbackServerContext* context,
             CallPtr call, ConnectionPtr connection);
  void Handle(const Guarded::OnFirst& handler);
  void HandleFirst(const Guarded::OnFirst& handler, grpc::ByteBuffer message);
  void HandleUnary(const Guarded::OnFirst& handler, grpc::ByteBuffer message);
  void HandleServerStream(const Guarded::OnFirst& handler, grpc::ByteBuffer message);
  void Respond(absl::StatusOr<grpc::ByteBuffer> response);

  void StartRead(grpc::ByteBuffer* into) override;
  void StartWrite(const grpc::ByteBuffer& message, SendHint hint) override;
  void StartEnd(const absl::Status& status, const grpc::ByteBuffer* last) override;
  void Release() override {}
  void Abort() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  bool WasCancelled();
  void CountSent(size_t bytes);

  const CallEnvironment& environment_;  // until OnDone
  const CallPtr call_;
  const ConnectionPtr connection_;  // null on the local listener
  StreamCore core_;
  std::shared_ptr<ServerCall> self_;    // until OnDone
  std::unique_ptr<CallRecord> record_;  // of a unary call that is recorded
  grpc::ByteBuffer* reading_into_ = nullptr;
  bool read_ended_ = false;  // the client half-closed, or is gone
  bool answered_ = false;    // StartEnd() was called
  std::atomic<bool> cancelled_{false};
  std::atomic<absl::StatusCode> code_{absl::StatusCode::kCancelled};

  base::Mutex context_mu_;  // orders the use of the context before OnDone
  grpc::GenericCallbackServerContext* context_ CDGATE_GUARDED_BY(context_mu_);
};

}  // namespace cdgate::rpc
