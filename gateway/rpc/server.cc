#include "gateway/rpc/server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/base/tsan.h"
#include "gateway/rpc/acceptor.h"
#include "gateway/rpc/address.h"
#include "gateway/rpc/call_gate.h"
#include "gateway/rpc/callback_threads.h"
#include "gateway/rpc/connection_gate.h"
#include "gateway/rpc/guard.h"
#include "gateway/rpc/server_call.h"
#include "gateway/rpc/transport.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;
using base::MakeError;
using base::Reason;
using ConnectionAcceptor = grpc::experimental::ExternalConnectionAcceptor;

constexpr int kHandshakeMillis = 5000;
constexpr int kKeepaliveMillis = 20000;
constexpr int kKeepaliveTimeoutMillis = 10000;
constexpr int kIdleMillis = 10 * 60 * 1000;
// gRPC queues a GOAWAY and an error, some 2 KB, for each ping beyond its strikes until it gets to
// end the connection: 4 MiB of pings cost a second and 400 MiB. Answering them costs a fiftieth,
// and that no message explains them is what the guard ends (abuse_meter.h).
constexpr int kUnboundedPingStrikes = 0;
// How long gRPC may take, past the limit, to end what it was told to cancel.
constexpr absl::Duration kCancelGrace = absl::Seconds(1);
constexpr absl::Duration kLongestDrain = absl::Hours(1);

std::string UserName(uid_t user) {
  char buffer[1024];
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(user, &entry, buffer, sizeof(buffer), &found);
  return found == nullptr ? absl::StrCat(user) : std::string(found->pw_name);
}

std::shared_ptr<const ConnectionIdentity> LocalIdentity(uid_t user) {
  auto identity = std::make_shared<ConnectionIdentity>();
  identity->principal = authz::Principal::Local(UserName(user));
  return identity;
}

// The settings of docs/security.md: what gRPC can be told about hostile clients.
void Configure(const ListenerLimits& limits, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(limits.max_message_bytes);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams_per_connection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttp2FrameBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, limits.probe_window ? 1 : 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kUnboundedPingStrikes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMillis);
}

// A gRPC server of its own for each listener, since a call does not say which listener
// it came by; for each user of the local one, since a Unix socket's peer has no name.
struct Lane {
  Lane(CallGate::Options gate_options, const CallMetrics& call_metrics, LiveCalls& live,
       BearerStreams& bearers, const ServerOptions& options, absl::Duration first_message_limit)
      : gate(std::move(gate_options)),
        service({.gate = gate,
                 .metrics = call_metrics,
                 .live = live,
                 .bearers = bearers,
                 .clock = options.clock,
                 .timers = options.timers,
                 .write_stall_limit = options.write_stall_limit,
                 .first_message_limit = first_message_limit}) {}
  CallGate gate;
  CallService service;
  std::unique_ptr<ConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
};

class ServerImpl final : public Server {
 public:
  explicit ServerImpl(ServerOptions options);
  ~ServerImpl() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Run();

  std::string BoundAddress(Listener kind) const override;
  size_t CutConnections(const std::function<bool(const authz::Principal&)>& matches) override {
    return guard_.Cut(matches);
  }
  void OnDrain(std::function<void()> hook) override;
  void Shutdown(absl::Duration limit) override;
  size_t live_calls() const override { return live_.count(); }
  size_t live_connections() const override { return guard_.size(); }

 private:
  enum class State { kRunning, kStopping, kStopped };

  static Guard::Options GuardOptions(const ServerOptions& options);
  absl::StatusOr<Acceptor::Socket> Open(const ListenerOptions& listener);
  absl::StatusOr<Acceptor::Socket> OpenLocal(const ListenerOptions& listener, BoundSocket bound);
  absl::StatusOr<Lane*> AddLane(const ListenerOptions& listener,
                                std::shared_ptr<const ConnectionIdentity> local);
  void EndLanes(absl::Duration limit);

  const ServerOptions options_;
  Guard guard_;
  LiveCalls live_;
  const std::shared_ptr<BearerStreams> bearer_streams_;
  std::atomic<bool> draining_{false};
  // Constant after Run():
  std::map<Listener, std::unique_ptr<CallMetrics>> call_metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::map<Listener, std::string> addresses_;
  std::unique_ptr<Acceptor> acceptor_;
  std::optional<CallbackBeat> beat_;  // while it runs

  base::Mutex mu_;
  base::CondVar stopped_;
  State state_ CDGATE_GUARDED_BY(mu_) = State::kRunning;
  std::vector<std::function<void()>> drain_hooks_ CDGATE_GUARDED_BY(mu_);
};

ListenerLimits LimitsOf(const ListenerOptions& listener) {
  return listener.limits.value_or(DefaultLimits(listener.kind));
}

void HandOver(ConnectionAcceptor& acceptor, int fd) {
  ConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = fd;
  acceptor.HandleNewConnection(&connection);
}

ServerImpl::ServerImpl(ServerOptions options)
    : options_(std::move(options)),
      guard_(GuardOptions(options_)),
      bearer_streams_(BearerStreams::Create(options_.clock, options_.timers,
                                            [deny = options_.deny](const Bearer& bearer) {
                                              if (deny) {
                                                CDGATE_RETURN_IF_ERROR(deny(bearer.principal));
                                              }
                                              return bearer.check();
                                            })) {}

Guard::Options ServerImpl::GuardOptions(const ServerOptions& options) {
  Guard::Options guard{.clock = options.clock,
                       .metrics = options.metrics,
                       .limits = {},
                       .total_slack_bytes = options.total_slack_bytes,
                       .trust = options.trust};
  for (const ListenerOptions& listener : options.listeners) {
    guard.limits[listener.kind] = LimitsOf(listener);
  }
  return guard;
}

absl::Status ServerImpl::Run() {
  std::vector<Acceptor::Socket> sockets;
  for (const ListenerOptions& listener : options_.listeners) {
    CDGATE_ASSIGN_OR_RETURN(Acceptor::Socket socket, Open(listener));
    addresses_[listener.kind] = socket.bound.address;
    sockets.push_back(std::move(socket));
  }
  acceptor_ = std::make_unique<Acceptor>(guard_, std::move(sockets));
  beat_.emplace(options_.clock, options_.timers);
  return absl::OkStatus();
}

absl::StatusOr<Acceptor::Socket> ServerImpl::Open(const ListenerOptions& listener) {
  if (addresses_.contains(listener.kind)) {
    return MakeError(Reason::kInvalidConfig, absl::StrCat("there are two listeners for ",
                                                          authz::ListenerName(listener.kind)));
  }
  call_metrics_[listener.kind] = std::make_unique<CallMetrics>(options_.metrics, listener.kind);
  if (listener.kind == Listener::kLocal) {
    CDGATE_ASSIGN_OR_RETURN(BoundSocket bound, ListenUnix(listener.address));
    return OpenLocal(listener, std::move(bound));
  }
  if (listener.credentials == nullptr) {
    return MakeError(Reason::kCredentialsInvalid,
                     absl::StrCat("the listener on ", listener.address, " has no credentials"));
  }
  CDGATE_ASSIGN_OR_RETURN(BoundSocket bound, ListenTcp(listener.address));
  CDGATE_ASSIGN_OR_RETURN(Lane* const lane, AddLane(listener, nullptr));
  return Acceptor::Socket{.listener = listener.kind,
                          .bound = std::move(bound),
                          .serve = [lane](int fd, uid_t) { HandOver(*lane->acceptor, fd); },
                          .admits_user = nullptr};
}

absl::StatusOr<Acceptor::Socket> ServerImpl::OpenLocal(const ListenerOptions& listener,
                                                       BoundSocket bound) {
  const uid_t service =
      options_.service_user == static_cast<uid_t>(-1) ? geteuid() : options_.service_user;
  std::map<uid_t, Lane*> by_user;
  for (const uid_t user : {uid_t{0}, service}) {
    if (by_user.contains(user)) continue;
    CDGATE_ASSIGN_OR_RETURN(by_user[user], AddLane(listener, LocalIdentity(user)));
  }
  return Acceptor::Socket{
      .listener = listener.kind,
      .bound = std::move(bound),
      .serve = [by_user](int fd, uid_t user) { HandOver(*by_user.at(user)->acceptor, fd); },
      .admits_user = [by_user](uid_t user) { return by_user.contains(user); }};
}

absl::StatusOr<Lane*> ServerImpl::AddLane(const ListenerOptions& listener,
                                          std::shared_ptr<const ConnectionIdentity> local) {
  const ListenerLimits limits = LimitsOf(listener);
  auto credentials = listener.credentials;
  if (local != nullptr) {
    credentials = grpc::InsecureServerCredentials();
  } else {
    credentials->SetAuthMetadataProcessor(std::make_shared<ConnectionGate>());
  }
  CallGate::Options gate{.listener = listener.kind,
                         .router = options_.router,
                         .grants = options_.grants,
                         .guard = guard_,
                         .deny = options_.deny,
                         .bearer = options_.bearer,
                         .local = std::move(local),
                         .max_streams = limits.max_streams_per_connection,
                         .draining = draining_,
                         .auditor = options_.auditor,
                         .rates = options_.rates};
  auto lane = std::make_unique<Lane>(std::move(gate), *call_metrics_.at(listener.kind), live_,
                                     *bearer_streams_, options_, limits.first_message_timeout);
  grpc::ServerBuilder builder;
  Configure(limits, builder);
  builder.RegisterCallbackGenericService(&lane->service);
  lane->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  CDGATE_HANDED_OVER(&lane->service);
  lane->server = builder.BuildAndStart();
  if (lane->server == nullptr) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("gRPC did not start for the listener on ", listener.address));
  }
  lanes_.push_back(std::move(lane));
  return lanes_.back().get();
}

std::string ServerImpl::BoundAddress(Listener kind) const {
  const auto it = addresses_.find(kind);
  return it == addresses_.end() ? "" : it->second;
}

void ServerImpl::OnDrain(std::function<void()> hook) {
  base::MutexLock lock(mu_);
  drain_hooks_.push_back(std::move(hook));
}

void ServerImpl::Shutdown(absl::Duration limit) {
  std::vector<std::function<void()>> hooks;
  {
    base::MutexLock lock(mu_);
    if (state_ != State::kRunning) {
      while (state_ != State::kStopped) stopped_.Wait(mu_);
      return;
    }
    state_ = State::kStopping;
    hooks.swap(drain_hooks_);
  }
  draining_ = true;
  if (acceptor_ != nullptr) acceptor_->StopAccepting();
  for (const auto& hook : hooks) hook();
  EndLanes(limit);
  acceptor_.reset();
  beat_.reset();
  base::MutexLock lock(mu_);
  state_ = State::kStopped;
  stopped_.SignalAll();
}

void ServerImpl::EndLanes(absl::Duration limit) {
  // Each Shutdown() tells its clients to go away, waits for its calls, cancels them at the
  // deadline and waits for that; so all run at once.
  limit = std::min(limit, kLongestDrain);
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit);
  std::vector<std::thread> threads;
  for (const auto& lane : lanes_) {
    threads.emplace_back([&lane, deadline] { lane->server->Shutdown(deadline); });
  }
  if (!live_.WaitForNone(limit + kCancelGrace)) {
    base::Log(base::LogLevel::kWarning, "calls outlived the drain",
              {{"calls", absl::StrCat(live_.count())}});
  }
  guard_.CutAll();  // whatever is left, also in the middle of a handshake
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

ListenerLimits DefaultLimits(Listener kind) {
  ListenerLimits limits;
  switch (kind) {
    case Listener::kApi: break;
    case Listener::kPeers:
      limits.max_streams_per_connection = 16;
      limits.max_message_bytes = 4 << 20;
      break;
    case Listener::kEnrolment:
      limits.max_connections = 64;
      limits.max_connections_per_address = 8;
      limits.max_streams_per_connection = 4;
      limits.max_message_bytes = 8 << 10;
      limits.probe_window = false;
      limits.slack_bytes = 256 << 10;
      limits.first_message_timeout = absl::Seconds(5);
      break;
    case Listener::kLocal:
      limits.max_connections = 64;
      limits.max_message_bytes = 4 << 20;
      break;
  }
  return limits;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options) {
  auto server = std::make_unique<ServerImpl>(std::move(options));
  CDGATE_RETURN_IF_ERROR(server->Run());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace cdgate::rpc
