// Counts and logs connections that our verifier or the TLS library refused.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "auth/credentials/observer.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"

namespace cdgate::app {

// cdgate_handshake_refusals_total{side,reason}. Thread-safe.
class RefusalCounter final : public credentials::VerificationObserver {
 public:
  explicit RefusalCounter(base::Metrics& metrics);
  void OnRefused(const credentials::Refusal& refusal) override;

 private:
  absl::flat_hash_map<base::Reason, base::Counter*> server_;  // fixed after construction
  absl::flat_hash_map<base::Reason, base::Counter*> client_;
};

}  // namespace cdgate::app
