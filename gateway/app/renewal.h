// The gateway's own certificates, what it connects with and what it signs statements by, are
// renewed before they end, each by a Renewal of its own.
//
//   Renewal renewal({.before = …, .directory = …, .in_use = …}, std::move(source), deps);
//   ...every few seconds:
//   renewal.Tick();                     // posts the work where it is due
//   for (const std::string& problem : renewal.Problems()) ...
//
// What the source gives is checked before anything is replaced, and the store that has it in use
// checks it again: on any failure the last good certificate stays in use, the gateway has a problem
// that says why, `cdgate_certificate_renewals_total{result="failed"}` counts it (of the attestor
// cdgate_attestor_renewals_total), and it is tried again with growing pauses, of 10 minutes at
// most.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "auth/credentials/attestor.h"
#include "auth/credentials/identity_store.h"
#include "gateway/app/renewal_files.h"
#include "gateway/app/renewal_source.h"
#include "gateway/base/backoff.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"

namespace cdgate::config::v1 {
class GatewayConfig;
}

namespace cdgate::app {

// All outlive it.
struct RenewalDeps {
  base::Executor& executor;  // for work that may take as long as the command's timeout
  const base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  // Optional. Told of each try that failed, on the thread that tried.
  std::function<void(const absl::Status&)> on_failed = nullptr;
};

struct RenewalOptions {
  absl::Duration before;  // RenewalDue()
  std::string directory;  // of RenewalFiles
  credentials::IdentityOptions in_use;
};

// Thread-safe. The executor is shut down before it goes.
class Renewal {
 public:
  Renewal(RenewalOptions options, std::unique_ptr<RenewalSource> source, RenewalDeps deps);

  // Null where the configuration has no renewal of what `in_use` is for.
  static std::unique_ptr<Renewal> FromConfig(const config::v1::GatewayConfig& config,
                                             const credentials::IdentityOptions& in_use,
                                             RenewalDeps deps);

  // (blocks) The identity for a gateway that starts: what a crash left is finished, and where the
  // files cannot be used, as after a long stop, they are renewed at once. Its errors, and those
  // of IdentityStore::Create. `registry` outlives the store.
  absl::StatusOr<std::unique_ptr<credentials::IdentityStore>> Open(trust::TrustRegistry& registry);
  // The same of the attestor; `before_use` as AttestorStore::Create has it.
  absl::StatusOr<std::unique_ptr<credentials::AttestorStore>> OpenAttestor(
      credentials::AttestorStore::BeforeUse before_use);

  // From then on Tick() renews what is in use there; it outlives this. Before anything else runs.
  void Attach(credentials::IdentityStore& identity);
  void Attach(credentials::AttestorStore& attestor);

  // Posts a renewal where one is due and none runs. Returns at once.
  void Tick();

  // Why the certificate in use is older than it should be; empty where it is not.
  std::vector<std::string> Problems() const;

  // Ends what runs, and starts nothing more. Does not wait.
  void Stop();

 private:
  // Runs `open` once or twice, as Open() does.
  absl::Status OpenBy(const std::function<absl::Status()>& open);
  void Run();
  // A renewed certificate in the place of the one in use; null: none can be used.
  absl::Status Replace(const credentials::IdentityInfo* in_use);
  absl::Status ReplaceAndReload();
  void Note(const absl::Status& status);

  const RenewalOptions options_;
  const std::unique_ptr<RenewalSource> source_;
  const RenewalDeps deps_;
  const RenewalFiles files_;
  base::Counter& renewed_;
  base::Counter& failed_;
  std::function<std::shared_ptr<const credentials::IdentityInfo>()> current_;
  std::function<absl::Status()> reload_;

  mutable base::Mutex mu_;
  bool running_ CDGATE_GUARDED_BY(mu_) = false;
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Time renewed_at_ CDGATE_GUARDED_BY(mu_) = absl::InfinitePast();
  // Of the failures since the last success.
  uint64_t failures_ CDGATE_GUARDED_BY(mu_) = 0;
  absl::Status last_failure_ CDGATE_GUARDED_BY(mu_);
  absl::Duration next_try_ CDGATE_GUARDED_BY(mu_) = -absl::InfiniteDuration();  // monotonic
  base::Backoff backoff_ CDGATE_GUARDED_BY(mu_);
};

// What is wrong with the certificate in use: it ends soon, or could not be renewed. `renewal` may
// be null.
std::vector<std::string> CertificateProblems(const credentials::IdentityInfo& in_use,
                                             const Renewal* renewal, absl::Time now,
                                             credentials::IdentityUse use);

}  // namespace cdgate::app
