// Which connections a listener has room for: so many in all, so many from one address, and
// not too many new ones from one address in a short time.
//
//   http::ConnectionCaps caps({.max_connections = 1000}, clock);
//   if (caps.Admit(address) == ConnectionCaps::Refusal::kNone) { serve; caps.Release(address); }
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::http {

struct CapLimits {
  size_t max_connections = 1000;
  size_t max_connections_per_address = 100;
  // New ones from one address: so many at once, then so many a second.
  double accept_burst = 200;
  double accepts_per_second = 50;
};

// Thread-safe.
class ConnectionCaps {
 public:
  // `clock` outlives it.
  ConnectionCaps(CapLimits limits, const base::Clock& clock) : limits_(limits), clock_(clock) {}

  enum class Refusal { kNone, kListenerFull, kAddressFull, kRate };
  // Room for one more from `address` (rpc::AddressGroup); kNone takes it, until Release(). The
  // empty address stands for clients that have none of their own, behind a proxy: only
  // max_connections holds for it.
  Refusal Admit(const std::string& address);
  void Release(const std::string& address);

 private:
  struct Address {
    size_t connections = 0;
    double tokens = 0;
    absl::Duration refilled;
  };
  Address& Refilled(const std::string& address) CDGATE_REQUIRES(mu_);
  void ForgetIdle() CDGATE_REQUIRES(mu_);

  const CapLimits limits_;
  const base::Clock& clock_;
  base::Mutex mu_;
  size_t connections_ CDGATE_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string, Address> addresses_ CDGATE_GUARDED_BY(mu_);
};

// "listener_full", "address_full", "rate": a metric label.
absl::string_view RefusalName(ConnectionCaps::Refusal refusal);

}  // namespace cdgate::http
