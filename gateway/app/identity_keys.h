// The keys of identity providers: read from their files and addresses, and read again.
//
//   IdentityKeys keys({.config = config, .clock = clock, ...});
//   CDGATE_RETURN_IF_ERROR(keys.Start());
//   ...every few seconds, on the background pool:
//   keys.Tick();
//
// A file is read when it changes, an address at its interval, and at once (not twice within
// 30 s) where a token names a key that is not known: providers publish a new key only some time
// before they sign by it. What cannot be read or is no key set leaves the last good keys in use,
// those of an address until max_key_age has passed; it is logged, shown by Problems() and
// counted. Nothing is read in the thread of a call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/oidc/https_fetch.h"
#include "auth/oidc/identity_providers.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/bearer.h"

namespace cdgate::app {

// Thread-safe.
class IdentityKeys {
 public:
  struct Deps {
    const config::v1::GatewayConfig& config;
    const base::Clock& clock;
    base::Metrics& metrics;
    base::Executor& background;
    std::function<absl::StatusOr<std::string>(const oidc::FetchOptions&)> fetch = oidc::FetchHttps;
  };
  // What it is given outlives it, and tasks that it posts to `background` hold on to it.
  static std::shared_ptr<IdentityKeys> Create(Deps deps);

  // Reads all files and begins to read the addresses. INVALID_CONFIG where a file cannot be read
  // or has no keys.
  absl::Status Start();
  // Looks what is due. Reads files; what is read from afar is posted to the background pool, one
  // at a time.
  void Tick();

  // For listeners.
  absl::StatusOr<rpc::BearerPtr> Resolve(absl::string_view token) const;
  absl::StatusOr<authz::Principal> Who(absl::string_view token) const;

  // What an operator should know: whose keys could not be read, since when.
  std::vector<std::string> Problems() const;
  // cdgate_identity_keys_age_seconds.
  void UpdateGauges();

 private:
  // One provider; what changes is guarded by `mu_`.
  struct Source {
    config::v1::IdentityProvider config;
    base::Gauge* age = nullptr;
    base::Counter* failures = nullptr;
    std::string stamp = {};  // of the file as it was read
    absl::Time read = absl::InfinitePast();
    absl::Duration tried = -absl::InfiniteDuration();  // monotonic
    bool wanted = true;  // by a token with an unknown key, and at first
    std::string problem = {};
  };

  explicit IdentityKeys(Deps deps);
  void Want(size_t provider);
  absl::Status ReadFile(size_t provider);
  void FetchDue();
  void Fetch(size_t provider);
  // Takes what was read, or notes why it was not.
  absl::Status Take(size_t provider, const absl::StatusOr<std::string>& text);

  const Deps deps_;
  std::weak_ptr<IdentityKeys> self_;
  std::shared_ptr<oidc::IdentityProviders> providers_;
  mutable base::Mutex mu_;
  std::vector<Source> sources_ CDGATE_GUARDED_BY(mu_);  // their number and config are constant
  bool fetching_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::app
