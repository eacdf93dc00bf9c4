// The keys of identity providers: read from their files and addresses, and read again.
//
//   IdentityKeys keys({.config = config, .clock = clock, ...});
//   CDGATE_RETURN_IF_ERROR(keys.Start());
//   ...every few seconds, on the background pool:
//   keys.Tick();
//   ...on SIGHUP:
//   CDGATE_RETURN_IF_ERROR(keys.Reload(config.identity_providers()));
//
// A file is read when it changes, an address at its interval, and at once (not twice within
// 30 s) where a token names a key that is not known: providers publish a new key only some time
// before they sign by it. What cannot be read or is no key set leaves the last good keys in use,
// those of an address until max_key_age has passed; it is logged, shown by Problems() and
// counted. Nothing is read in the thread of a call.
//
// A reload takes over which providers there are. One that is as before goes on with its keys and
// tokens; of one that is gone, or differs in anything but its intervals, no token is good from
// then on, and what goes by one ends within two seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
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
  using Configs = google::protobuf::RepeatedPtrField<config::v1::IdentityProvider>;
  struct Deps {
    std::string domain;  // ours
    Configs providers;
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
  // From now on these are the providers; checked by config::ParseGatewayConfig. Files of new ones
  // are read before (blocks), addresses soon after. INVALID_CONFIG as of Start(): then everything
  // stays as it was. For one caller at a time.
  absl::Status Reload(const Configs& providers);
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
  // One provider as it is configured: the first part is constant, the rest guarded by `mu_`.
  struct Source {
    oidc::ProviderOptions options;
    std::string file, url, ca_file;
    oidc::ProviderPtr provider;
    base::Gauge* age = nullptr;
    base::Counter* failures = nullptr;

    absl::Duration refresh = {};
    absl::Duration max_key_age = {};
    std::string stamp = {};  // of the file as it was read
    absl::Time read = absl::InfinitePast();
    absl::Duration tried = -absl::InfiniteDuration();  // monotonic
    bool wanted = true;  // by a token with an unknown key, and at first
    std::string problem = {};
  };
  using SourcePtr = std::shared_ptr<Source>;
  using Files = std::map<std::string, std::pair<std::string, oidc::JwkSetPtr>>;

  explicit IdentityKeys(Deps deps);
  void Want(const std::string& name);
  // The files of `providers` that no source has yet, by the provider's name: stamp and keys.
  absl::StatusOr<Files> ReadNewFiles(const Configs& providers) const;
  SourcePtr SourceOf(const config::v1::IdentityProvider& config) const;
  SourcePtr MakeSource(const config::v1::IdentityProvider& config);
  std::vector<SourcePtr> Sources() const;
  absl::Status ReadFile(const SourcePtr& source);
  void FetchDue();
  void Fetch(const SourcePtr& source);
  // Takes what was read, or notes why it was not.
  absl::Status Take(const SourcePtr& source, const absl::StatusOr<std::string>& text);

  const Deps deps_;
  std::weak_ptr<IdentityKeys> self_;
  std::shared_ptr<oidc::IdentityProviders> providers_;
  mutable base::Mutex mu_;
  std::vector<SourcePtr> sources_ CDGATE_GUARDED_BY(mu_);
  bool fetching_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::app
