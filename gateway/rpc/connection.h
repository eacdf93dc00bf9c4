// One connection of a listener: what its calls account for, and who is at the other end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/authz/method_table.h"
#include "auth/authz/principal.h"
#include "auth/trust/verify.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/abuse_meter.h"
#include "gateway/rpc/traffic.h"

namespace grpc {
class AuthContext;
}

namespace cdgate::rpc {

// Who a connection is.
struct ConnectionIdentity {
  std::string leaf_pem;  // empty on the local listener
  authz::Principal principal;
  std::shared_ptr<const trust::VerifiedPeer> certificate;  // null on the local listener
  // Version of the TrustSnapshot under which the certificate was verified last.
  mutable std::atomic<uint64_t> verified_under{0};
};

// Shared by the guard, which owns the descriptor, and the connection's calls. Thread-safe.
class Connection {
 public:
  // Takes `fd`, a duplicate of the connection's descriptor, and closes it at destruction.
  // `trust_version`: of trust before its handshake.
  Connection(int fd, authz::Listener listener, std::string key, std::string address,
             uint64_t trust_version = 0);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The identity of a call that came with `context`. It is worked out once for each
  // certificate, not once for each call; a call is never given the identity of another
  // certificate, even where two connections had the same address one after the other.
  // Errors of credentials::PeerFromAuthContext.
  absl::StatusOr<std::shared_ptr<const ConnectionIdentity>> Identify(
      const grpc::AuthContext& context);
  // Everyone its calls were identified as: one, and none before the first call. More only
  // where calls of an earlier connection with the same address were still on their way.
  std::vector<std::shared_ptr<const ConnectionIdentity>> identities() const;

  bool Cut() { return socket_.Cut(); }
  bool was_cut() const { return socket_.was_cut(); }

  // Its traffic so far; none once the connection is over, whoever ended it.
  std::optional<TrafficSample> Sample() const;

  authz::Listener listener() const { return listener_; }
  const std::string& key() const { return key_; }
  const std::string& address() const { return address_; }

  TrafficCounters counters;

 private:
  WatchedSocket socket_;
  const authz::Listener listener_;
  const std::string key_;
  const std::string address_;
  const uint64_t trust_version_;
  mutable base::Mutex mu_;
  std::vector<std::shared_ptr<const ConnectionIdentity>> identities_ CDGATE_GUARDED_BY(mu_);
};

using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace cdgate::rpc
