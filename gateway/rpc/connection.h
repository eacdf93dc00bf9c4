// One connection of a listener: what its calls account for, and who is at the other end.
#pragma once

#include <sys/types.h>

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

namespace grpc {
class AuthContext;
}

namespace cdgate::rpc {

// Who a connection is.
struct ConnectionIdentity {
  std::string leaf_pem;  // empty on the local listener
  authz::Principal principal;
  std::shared_ptr<const trust::VerifiedPeer> certificate;  // null on the local listener
};

// Shared by the guard, which owns the descriptor, and the connection's calls. Thread-safe.
class Connection {
 public:
  // Takes `fd`, a duplicate of the connection's descriptor, and closes it at destruction.
  Connection(int fd, authz::Listener listener, std::string key, std::string address);
  ~Connection();
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

  // Ends it at once, both ways, and drops what was received and not read. True for the
  // first caller.
  bool Cut();
  bool was_cut() const { return cut_.load(std::memory_order_relaxed); }

  // Its traffic so far; none once the connection is over, whoever ended it. On a Unix
  // socket `received` is 0.
  std::optional<TrafficSample> Sample() const;

  authz::Listener listener() const { return listener_; }
  const std::string& key() const { return key_; }
  const std::string& address() const { return address_; }

  // Written by calls with relaxed order.
  struct Counters {
    std::atomic<uint64_t> message_bytes{0};
    std::atomic<uint64_t> messages{0};
    std::atomic<uint64_t> sent_bytes{0};
    std::atomic<uint64_t> streams{0};
    std::atomic<uint64_t> waste{0};
    std::atomic<int64_t> open{0};
    std::atomic<int64_t> paused{0};
  };
  Counters counters;

 private:
  const int fd_;
  const authz::Listener listener_;
  const std::string key_;
  const std::string address_;
  std::atomic<bool> cut_{false};
  mutable base::Mutex mu_;
  std::vector<std::shared_ptr<const ConnectionIdentity>> identities_ CDGATE_GUARDED_BY(mu_);
};

using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace cdgate::rpc
