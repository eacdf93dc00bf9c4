// Dials a peer as the link would, one layer after the other, and says what it saw: for
// api::Diagnose. It changes nothing here or there and takes no link's place.
#pragma once

#include <memory>
#include <string>

#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/api/diagnosis.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::app {

// All outlive the probe and its calls.
struct PeerProbeDeps {
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  std::shared_ptr<credentials::VerificationObserver> observer;
  base::Clock& clock;
  base::TimerQueue& timers;
};

// How long one layer may take. Names are looked up for as long as the machine's resolver is
// configured to.
inline constexpr absl::Duration kProbeStep = absl::Seconds(3);

// (blocks, about 10 s at most beside the resolver) `peer` has an endpoint. Thread-safe.
api::DialFacts ProbePeer(const PeerProbeDeps& deps, const admin::v1::Peer& peer);

}  // namespace cdgate::app
