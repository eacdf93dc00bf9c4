// All connections of a server: who may connect, which one a call belongs to, who is cut.
//
// The guard does no waiting: the acceptor (acceptor.h) calls Admit() for every new
// connection and Tick() at a fixed interval; calls find their connection by Find().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/method_table.h"
#include "auth/authz/principal.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/abuse_meter.h"
#include "gateway/rpc/connection.h"
#include "gateway/rpc/server.h"

namespace cdgate::rpc {

// Thread-safe; Tick() is called by one thread at a time.
class Guard {
 public:
  struct Options {
    base::Clock& clock;
    base::Metrics& metrics;
    std::map<authz::Listener, ListenerLimits> limits;
    uint64_t total_slack_bytes;
    // By what certificates are judged again when it changes; null: not again.
    std::shared_ptr<const trust::SnapshotSource> trust = nullptr;
  };
  explicit Guard(Options options);

  // Why a connection is not admitted.
  enum class Refusal { kNone, kListenerFull, kAddressFull, kRate, kDescriptors, kUser };

  // Whether there is room for one more connection from `address` (AddressGroup). Every
  // answer is counted; room is taken by Add().
  Refusal Admit(authz::Listener listener, const std::string& address);
  // Counts a connection refused for a reason of the caller's.
  void CountRefusal(authz::Listener listener, Refusal refusal);
  // From now on the connection is found by its key. One with the same key is over by now
  // and makes way.
  void Add(ConnectionPtr connection);

  // Null where there is none, or it was cut.
  ConnectionPtr Find(const std::string& key) const;

  // Looks at all connections: drops those that are over; cuts those that abuse, whose
  // certificate has expired or is not trusted any more, or that cost most where all together
  // cost too much.
  void Tick();

  // Whether a call of `identity` may be made on the connection under the trust of now; where
  // not, the connection is cut. Costs nothing unless trust has changed since it was asked
  // last, then half a millisecond. Reasons of trust::VerifyEstablished.
  absl::Status CheckTrust(Connection& connection, const ConnectionIdentity& identity);

  // Cuts a connection that has too many calls at once (TooManyStreams), without waiting for the
  // next Tick(). Costs two loads; to be called as a call begins.
  void CheckStreams(Connection& connection);

  // The version of trust that a connection which is accepted now will be verified under at
  // least.
  uint64_t trust_version() const {
    return options_.trust == nullptr ? 0 : options_.trust->version();
  }

  // Server::CutConnections.
  size_t Cut(const std::function<bool(const authz::Principal&)>& matches);
  void CutAll();

  size_t size() const;

 private:
  struct Watched {
    ConnectionPtr connection;
    AbuseMeter meter;  // Tick()'s
  };
  using WatchedPtr = std::shared_ptr<Watched>;
  struct Address {
    size_t connections = 0;
    double tokens = 0;  // connections it may open now; below 0 after abuse
    absl::Duration refilled;
  };
  struct Series {
    base::Gauge* connections;
    std::map<Refusal, base::Counter*> refused;
    std::map<std::string, base::Counter*, std::less<>> cut;
  };

  Refusal Check(authz::Listener listener, const std::string& address) CDGATE_REQUIRES(mu_);
  // The address's state, its tokens refilled up to now.
  Address& Refilled(const ListenerLimits& limits, const std::string& key) CDGATE_REQUIRES(mu_);
  void Remove(const WatchedPtr& watched) CDGATE_REQUIRES(mu_);
  std::vector<WatchedPtr> Snapshot() const;
  void ForgetIdleAddresses();
  // `cause` is a label of Series::cut. False where it was cut before.
  bool CutFor(Connection& connection, absl::string_view cause, base::Reason reason);
  void CutForAbuse(Connection& connection, absl::string_view cause);
  void CutGreediest(const std::vector<WatchedPtr>& all);
  void CutExpired(const std::vector<WatchedPtr>& all);
  void CutUntrusted(const std::vector<WatchedPtr>& all);

  const Options options_;
  std::map<authz::Listener, Series> series_;  // constant after construction
  absl::Duration last_tick_;                  // Tick()'s
  absl::Duration last_sweep_;                 // Tick()'s

  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, WatchedPtr> watched_ CDGATE_GUARDED_BY(mu_);
  // By listener and address.
  absl::flat_hash_map<std::string, Address> addresses_ CDGATE_GUARDED_BY(mu_);
  std::map<authz::Listener, size_t> counts_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::rpc
