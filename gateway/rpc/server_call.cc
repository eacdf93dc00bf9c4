#include "gateway/rpc/server_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/tsan.h"
#include "gateway/rpc/status.h"

namespace cdgate::rpc {
namespace {

using base::MakeError;
using base::Reason;

constexpr auto kRelaxed = std::memory_order_relaxed;

// Finishes at once; exists because gRPC wants a reactor for every call.
class RefusedCall final : public grpc::ServerGenericBidiReactor {
 public:
  RefusedCall(const CallEnvironment& environment, const absl::Status& why, ConnectionPtr connection)
      : environment_(environment), connection_(std::move(connection)), code_(why.code()) {
    if (connection_ != nullptr) connection_->counters.answered.fetch_add(1, kRelaxed);
    Finish(ToGrpcStatus(why));
    CDGATE_HANDED_OVER(this);
  }
  void OnDone() override {
    CDGATE_TAKEN_OVER(this);
    if (connection_ != nullptr) {
      connection_->counters.waste.fetch_add(kWasteRefused, kRelaxed);
      connection_->counters.answered.fetch_sub(1, kRelaxed);
      connection_->counters.open.fetch_sub(1, kRelaxed);
    }
    environment_.metrics.Count(code_);
    LiveCalls& live = environment_.live;
    delete this;
    live.Remove();
  }

 private:
  const CallEnvironment& environment_;
  const ConnectionPtr connection_;
  const absl::StatusCode code_;
};

// Answers a unary call once, however often and from wherever it is asked, and with
// INTERNAL where nobody asks.
class UnaryReply {
 public:
  explicit UnaryReply(std::shared_ptr<ServerCall> call) : call_(std::move(call)) {}
  ~UnaryReply() {
    Answer(MakeError(Reason::kInternal, absl::StrCat(call_->call().method, " gave no answer")));
  }
  void Answer(absl::StatusOr<grpc::ByteBuffer> response) {
    if (!answered_.exchange(true)) call_->Answer(std::move(response));
  }

 private:
  const std::shared_ptr<ServerCall> call_;
  std::atomic<bool> answered_{false};
};

absl::Status NoRequest() {
  return MakeError(Reason::kProtocolError, "the call has no request message");
}

}  // namespace

void LiveCalls::Add() {
  base::MutexLock lock(mu_);
  ++count_;
}

void LiveCalls::Remove() {
  base::MutexLock lock(mu_);
  if (--count_ == 0) none_.SignalAll();
}

size_t LiveCalls::count() const {
  base::MutexLock lock(mu_);
  return count_;
}

bool LiveCalls::WaitForNone(absl::Duration limit) {
  base::MutexLock lock(mu_);
  while (count_ > 0) {
    if (!none_.WaitFor(mu_, limit)) return count_ == 0;
  }
  return true;
}

CallMetrics::CallMetrics(base::Metrics& metrics, authz::Listener listener) {
  for (int i = 0; i <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    ended_[code] = &metrics.AddCounter("cdgate_rpc_calls_total", "Calls that ended, by code.",
                                       {{"listener", std::string(authz::ListenerName(listener))},
                                        {"code", absl::StatusCodeToString(code)}});
  }
}

void CallMetrics::Count(absl::StatusCode code) const {
  const auto it = ended_.find(code);
  if (it != ended_.end()) it->second->Add();
}

grpc::ServerGenericBidiReactor* CallService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  CDGATE_TAKEN_OVER(this);
  environment_.live.Add();
  ConnectionPtr connection = environment_.gate.ConnectionOf(*context);
  if (connection != nullptr) {
    connection->counters.streams.fetch_add(1, kRelaxed);
    connection->counters.open.fetch_add(1, kRelaxed);
  }
  auto admitted = environment_.gate.Admit(*context, connection.get());
  if (!admitted.ok()) {
    return ServerCall::Refuse(environment_, admitted.status(), std::move(connection));
  }
  return ServerCall::Begin(environment_, context, *std::move(admitted), std::move(connection));
}

grpc::ServerGenericBidiReactor* ServerCall::Begin(const CallEnvironment& environment,
                                                  grpc::GenericCallbackServerContext* context,
                                                  CallGate::Admitted admitted,
                                                  ConnectionPtr connection) {
  std::shared_ptr<ServerCall> call(
      new ServerCall(environment, context, std::move(admitted.call), std::move(connection)));
  call->self_ = call;
  call->core_.Bind(std::shared_ptr<StreamCore>(call, &call->core_));
  const Guarded::OnFirst& handler = admitted.entry->guarded.handler();
  // A unary call that was admitted is answered; a stream may outlive its token.
  if (call->call_->bearer != nullptr && !handler.unary) {
    environment.bearers.Add(call, call->call_->bearer);
  }
  call->Handle(handler);
  CDGATE_HANDED_OVER(call.get());
  return call.get();
}

grpc::ServerGenericBidiReactor* ServerCall::Refuse(const CallEnvironment& environment,
                                                   const absl::Status& why,
                                                   ConnectionPtr connection) {
  return new RefusedCall(environment, why, std::move(connection));
}

ServerCall::ServerCall(const CallEnvironment& environment,
                       grpc::GenericCallbackServerContext* context, CallPtr call,
                       ConnectionPtr connection)
    : environment_(environment),
      call_(std::move(call)),
      connection_(std::move(connection)),
      core_({.side = StreamCore::Side::kServer,
             .clock = environment.clock,
             .timers = environment.timers,
             .stall_limit = environment.write_stall_limit,
             .first_message_limit = environment.first_message_limit},
            *this),
      context_(context) {
  if (connection_ != nullptr) connection_->counters.paused.fetch_add(1, kRelaxed);
}

void ServerCall::Handle(const Guarded::OnFirst& handler) {
  if (handler.bidi) return handler.bidi(shared_from_this());
  core_.ReadFirst([this, &handler](grpc::ByteBuffer* message) {
    if (message == nullptr) return core_.Close(NoRequest());
    HandleFirst(handler, std::move(*message));
  });
}

void ServerCall::HandleFirst(const Guarded::OnFirst& handler, grpc::ByteBuffer message) {
  if (CallAuditor* const auditor = environment_.gate.auditor()) {
    auto record = auditor->Begin(call_, &message);
    if (!record.ok()) return core_.Close(record.status());
    record_ = *std::move(record);
  }
  if (handler.unary) return HandleUnary(handler, std::move(message));
  if (record_ == nullptr) return HandleServerStream(handler, std::move(message));
  record_->End(absl::OkStatus(), nullptr,
               [call = shared_from_this(), &handler,
                message = std::move(message)](const absl::Status& recorded) {
                 if (!recorded.ok()) return call->Close(recorded);
                 call->HandleServerStream(handler, message);
               });
}

void ServerCall::HandleUnary(const Guarded::OnFirst& handler, grpc::ByteBuffer message) {
  auto reply = std::make_shared<UnaryReply>(shared_from_this());
  handler.unary(call_, std::move(message),
                [reply = std::move(reply)](absl::StatusOr<grpc::ByteBuffer> response) {
                  reply->Answer(std::move(response));
                });
}

void ServerCall::HandleServerStream(const Guarded::OnFirst& handler, grpc::ByteBuffer message) {
  const absl::Status taken = handler.server_stream(shared_from_this(), std::move(message));
  if (!taken.ok()) Close(taken);
}

void ServerCall::Send(grpc::ByteBuffer message, SendHint hint, Written on_written) {
  const auto keep = shared_from_this();
  core_.Send(std::move(message), hint, std::move(on_written));
}

void ServerCall::Close(const absl::Status& status) {
  const auto keep = shared_from_this();
  core_.Close(status);
}

void ServerCall::Cancel(const absl::Status& why) {
  const auto keep = shared_from_this();
  core_.Cancel(why);
}

void ServerCall::Answer(absl::StatusOr<grpc::ByteBuffer> response) {
  if (record_ == nullptr) return Respond(std::move(response));
  const absl::Status outcome = response.status();
  const grpc::ByteBuffer* const answer = response.ok() ? &*response : nullptr;
  record_->End(outcome, answer,
               [call = shared_from_this(), response](const absl::Status& recorded) {
                 // What was done and could not be recorded is not acknowledged.
                 if (response.ok() && !recorded.ok()) return call->Respond(recorded);
                 call->Respond(response);
               });
}

void ServerCall::Respond(absl::StatusOr<grpc::ByteBuffer> response) {
  const auto keep = shared_from_this();
  if (!response.ok()) return core_.Close(response.status());
  core_.CloseWith(*std::move(response));
}

void ServerCall::StartRead(grpc::ByteBuffer* into) {
  reading_into_ = into;
  if (connection_ != nullptr) connection_->counters.paused.fetch_sub(1, kRelaxed);
  CDGATE_HANDED_OVER(this);
  ServerBidiReactor::StartRead(into);
}

void ServerCall::OnReadDone(bool ok) {
  CDGATE_TAKEN_OVER(this);
  if (connection_ != nullptr) {
    TrafficCounters& counters = connection_->counters;
    if (ok) counters.CountMessage(reading_into_->Length());
    counters.paused.fetch_add(1, kRelaxed);
    if (!ok) counters.ended.fetch_add(1, kRelaxed);
  }
  read_ended_ = !ok;
  // A read that failed because the client went is no half-close.
  if (!ok && WasCancelled()) OnCancel();
  core_.OnReadDone(ok);
}

bool ServerCall::WasCancelled() {
  base::MutexLock lock(context_mu_);
  return context_->IsCancelled();
}

void ServerCall::StartWrite(const grpc::ByteBuffer& message, SendHint hint) {
  CountSent(message.Length());
  grpc::WriteOptions options;
  if (hint == SendHint::kMoreFollows) options.set_buffer_hint();
  CDGATE_HANDED_OVER(this);
  ServerBidiReactor::StartWrite(&message, options);
}

void ServerCall::OnWriteDone(bool ok) {
  CDGATE_TAKEN_OVER(this);
  core_.OnWriteDone(ok);
}

void ServerCall::StartEnd(const absl::Status& status, const grpc::ByteBuffer* last) {
  answered_ = true;
  if (connection_ != nullptr) connection_->counters.answered.fetch_add(1, kRelaxed);
  CDGATE_HANDED_OVER(this);
  if (!cancelled_.load(kRelaxed)) code_.store(status.code(), kRelaxed);
  if (last == nullptr) return Finish(ToGrpcStatus(status));
  CountSent(last->Length());
  StartWriteAndFinish(last, grpc::WriteOptions(), ToGrpcStatus(status));
}

void ServerCall::CountSent(size_t bytes) {
  if (connection_ != nullptr) connection_->counters.sent_bytes.fetch_add(bytes, kRelaxed);
}

void ServerCall::Abort() {
  // TryCancel only marks the call; what follows from it comes on gRPC's own threads.
  base::MutexLock lock(context_mu_);
  if (context_ != nullptr) context_->TryCancel();
}

void ServerCall::OnCancel() {
  CDGATE_TAKEN_OVER(this);
  cancelled_.store(true, kRelaxed);
  const bool late = environment_.clock.Now() >= call_->deadline;
  core_.OnCancelled(late ? MakeError(Reason::kDeadlineExceeded, "the caller's deadline passed")
                         : MakeError(Reason::kCancelled, "the caller went away"));
}

void ServerCall::OnDone() {
  CDGATE_TAKEN_OVER(this);
  {
    base::MutexLock lock(context_mu_);
    context_ = nullptr;
  }
  core_.OnDone(absl::OkStatus());
  if (call_->bearer != nullptr) environment_.bearers.Remove(this);
  environment_.metrics.Count(code_.load(kRelaxed));
  if (connection_ != nullptr) {
    TrafficCounters& counters = connection_->counters;
    if (!core_.got_message()) {
      counters.waste.fetch_add(kWasteCancelledUnused, kRelaxed);
    } else if (cancelled_.load(kRelaxed)) {
      counters.waste.fetch_add(kWasteCancelled, kRelaxed);
    }
    if (read_ended_) counters.ended.fetch_sub(1, kRelaxed);
    counters.paused.fetch_sub(1, kRelaxed);
    if (answered_) counters.answered.fetch_sub(1, kRelaxed);
    counters.open.fetch_sub(1, kRelaxed);
  }
  LiveCalls& live = environment_.live;
  self_.reset();  // may destroy this
  live.Remove();
}

}  // namespace cdgate::rpc
