// Counts and logs connections that our verifier or the TLS library refused.
#pragma once

#include <functional>

#include "absl/container/flat_hash_map.h"
#include "auth/credentials/observer.h"
#include "gateway/app/refusal_memory.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"

namespace cdgate::app {

// cdgate_handshake_refusals_total{side,reason}. Thread-safe.
class RefusalCounter final : public credentials::VerificationObserver {
 public:
  // `clock` dates what is remembered, and outlives it.
  explicit RefusalCounter(base::Metrics& metrics, const base::Clock& clock = base::SystemClock());
  void OnRefused(const credentials::Refusal& refusal) override;

  // Who else is told from now on; null: nobody any more, but for a call that is under way. It
  // must not block.
  using Listener = std::function<void(const credentials::Refusal&)>;
  void Tell(Listener listener);

  // The last refusal of each domain that did not come through since.
  const RefusalMemory& memory() const { return memory_; }
  void CameThrough(absl::string_view domain) { memory_.Forget(domain); }

 private:
  absl::flat_hash_map<base::Reason, base::Counter*> server_;  // fixed after construction
  absl::flat_hash_map<base::Reason, base::Counter*> client_;
  const base::Clock& clock_;
  RefusalMemory memory_;
  base::Mutex mu_;
  Listener listener_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app
