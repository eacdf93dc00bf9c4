// All gRPC listeners of a gateway: what accepts connections, keeps them honest, and
// serves the router's methods on them.
//
//   rpc::ServerOptions options{.router = router, .grants = grants, .clock = clock,
//                              .timers = timers, .metrics = metrics};
//   options.listeners.push_back({.kind = authz::Listener::kApi, .address = "127.0.0.1:0",
//                                .credentials = credentials::ServerCredentials(...)});
//   CDGATE_ASSIGN_OR_RETURN(auto server, rpc::Server::Start(std::move(options)));
//   std::string address = server->BoundAddress(authz::Listener::kApi);  // "127.0.0.1:40123"
//   ...
//   server->Shutdown(absl::Seconds(10));
//
// The installed gRPC cannot defend itself (docs/security.md): connections are accepted
// here, counted, capped and watched, and one that costs more than it carries is cut
// with CONNECTION_ABUSE. The local listener is a Unix socket for root and the service
// user only: its connections are capped, not watched.
//
// Thread-safe. Shutdown must not be called from a handler or another callback of gRPC.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/grants.h"
#include "auth/authz/method_table.h"
#include "auth/authz/principal.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/bearer.h"
#include "gateway/rpc/call_auditor.h"
#include "gateway/rpc/frame_stream.h"
#include "gateway/rpc/principal_rates.h"
#include "gateway/rpc/router.h"

namespace grpc {
class ServerCredentials;
}

namespace cdgate::rpc {

// Bounds of one listener.
struct ListenerLimits {
  size_t max_connections = 1000;
  size_t max_connections_per_address = 100;
  // New connections from one address: so many at once, then so many a second, and none
  // for a while after one that was cut for abuse. Connections that stand are not touched.
  // All IPv6 addresses of one /64 network count as one.
  double accept_burst = 200;
  double accepts_per_second = 50;
  absl::Duration abuse_pause = absl::Seconds(5);
  int max_streams_per_connection = 64;
  int max_message_bytes = 1 << 20;
  // Whether clients get as much window as the path holds, or kFixedWindowBytes (transport.h).
  bool probe_window = true;
  // Bytes a connection may have sent beyond what its messages account for.
  uint64_t slack_bytes = 4 << 20;
  // How long a call may stay without its first message.
  absl::Duration first_message_timeout = absl::Seconds(30);
  // How long a frame or header block may take that comes at less than 256 bytes a second,
  // while the connection does nothing else. gRPC pings a silent connection after 20 s; with
  // less than that, honest clients would be cut.
  absl::Duration frame_timeout = absl::Seconds(30);
};

struct ListenerOptions {
  authz::Listener kind;
  // "host:port" (a numeric address, a name, "[::1]:0"; port 0: any free one), or for
  // kLocal the path of the socket. A stale socket file there is replaced.
  std::string address;
  // Not for kLocal.
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;
  std::optional<ListenerLimits> limits = std::nullopt;  // DefaultLimits(kind)
};

// The limits of a kind where none are given: of kApi as above; kPeers takes messages and
// windows of 4 MiB and 16 streams; kEnrolment messages of 8 KiB, 4 streams, 64 connections.
ListenerLimits DefaultLimits(authz::Listener kind);

// Whether calls of a principal are refused for the time being: OK, or why (FROZEN).
// Asked for every call before anything else; must be fast and must not block.
using DenyList = std::function<absl::Status(const authz::Principal&)>;

struct ServerOptions {
  // These outlive the server.
  const Router& router;
  const authz::GrantRegistry& grants;
  base::Clock& clock;
  base::TimerQueue& timers;
  base::Metrics& metrics;

  std::vector<ListenerOptions> listeners = {};  // at most one of each kind
  DenyList deny = nullptr;                      // optional
  CallAuditor* auditor = nullptr;               // optional; outlives the server
  // By what certificates of clients are judged again whenever it changes: before the next call, and
  // within about two seconds where none comes; null: they are not.
  std::shared_ptr<const trust::SnapshotSource> trust = nullptr;
  // Of tokens on the api listener; optional: without it they are refused.
  BearerResolver bearer = nullptr;
  // How many calls one principal may make; optional; outlives the server.
  PrincipalRates* rates = nullptr;
  // Who besides root may use the local listener; by default whoever runs the process.
  uid_t service_user = static_cast<uid_t>(-1);
  // How long a message to a client may wait to be read.
  absl::Duration write_stall_limit = kWriteStallLimit;
  // Bytes all connections together may have sent beyond what their messages account for;
  // above it the connection with the most of them is cut.
  uint64_t total_slack_bytes = 256 << 20;
};

class Server {
 public:
  // Listens on all addresses, or on none: ADDRESS_IN_USE naming the address,
  // INVALID_CONFIG for one that is malformed or cannot be bound, INTERNAL where gRPC does
  // not start.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options);
  // Calls Shutdown(0).
  virtual ~Server() = default;

  // "127.0.0.1:40123", or the socket's path. Empty where there is no such listener.
  virtual std::string BoundAddress(authz::Listener kind) const = 0;

  // Ends at once every connection of the principals that `matches` picks: streams end
  // with CANCELLED. Returns how many connections. A principal that stays refused must
  // also be on the deny list, since it may connect again. Connections that made no call
  // yet have no principal and are left, and so are those of the enrolment listener, where
  // nobody has verified who it is.
  virtual size_t CutConnections(
      const std::function<bool(const authz::Principal& principal)>& matches) = 0;

  // `hook` is called when Shutdown begins, once, in its thread: it tells sessions to say
  // goodbye and must not wait for them.
  virtual void OnDrain(std::function<void()> hook) = 0;

  // Stops accepting, refuses new calls with DRAINING, runs the drain hooks, waits until
  // the calls have ended or `limit` has passed, cancels the rest and waits for those.
  // Idempotent; a second caller waits for the first.
  virtual void Shutdown(absl::Duration limit) = 0;

  // Calls being served; 0 after Shutdown.
  virtual size_t live_calls() const = 0;
  // Connections being served, local ones included.
  virtual size_t live_connections() const = 0;
};

}  // namespace cdgate::rpc
