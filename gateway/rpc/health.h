// The standard health protocol (grpc.health.v1.Health).
//
//   rpc::HealthRegistry health;
//   health.Set("", true);                      // the gateway as a whole
//   health.Set("peer:beta.example", false);    // nothing can cross
//   CDGATE_RETURN_IF_ERROR(rpc::RegisterHealth(router, health));
//
// The registry must outlive the server. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/router.h"

namespace cdgate::rpc {

class HealthRegistry {
 public:
  using WatchId = uint64_t;

  // "" is the gateway, otherwise a full service name or "peer:" and a domain.
  void Set(absl::string_view service, bool serving);
  void Remove(absl::string_view service);
  // Everything that is known stops serving, for good: Set() has no effect afterwards.
  void Drain();

  // None: there is no such service.
  std::optional<bool> Get(absl::string_view service) const;

  // Calls `changed` after every change of `service`, with no lock held, until
  // Unwatch(); a call under way may still run while Unwatch returns.
  WatchId Watch(absl::string_view service, std::function<void()> changed);
  void Unwatch(WatchId id);

 private:
  struct Watcher {
    std::string service;
    std::function<void()> changed;
  };
  // With mu_ released: calls those who watch `service`.
  void Notify(absl::string_view service);

  mutable base::Mutex mu_;
  std::map<std::string, bool, std::less<>> serving_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_map<WatchId, Watcher> watchers_ CDGATE_GUARDED_BY(mu_);
  WatchId next_id_ CDGATE_GUARDED_BY(mu_) = 1;
  bool draining_ CDGATE_GUARDED_BY(mu_) = false;
};

// Registers Check and Watch.
absl::Status RegisterHealth(Router& router, HealthRegistry& registry);

}  // namespace cdgate::rpc
