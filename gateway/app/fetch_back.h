// Our own events, fetched back from a peer that has them, verified, and put into the log again.
//
//   CDGATE_ASSIGN_OR_RETURN(const auto response, FetchBack(deps, peer, options));
//
// Each is held against what we signed of it (docs/attestation.md): nobody can give us what we never
// published, nor something else in its place. It becomes an event as it was, of the time and with
// the commitment of then, with a sequence of today; the peer that gave it is not sent it again
// (gateway/event/recovered.h), and those that have it know it by its identity.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/admin/v1/recovery.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/session/attestor_registry.h"
#include "gateway/admission/admission.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"
#include "gateway/state/store.h"

namespace cdgate::app {

// All outlive the call and its stream.
struct FetchBackDeps {
  std::string domain;  // ours
  state::Store& store;
  admission::Admission& admission;
  session::AttestorRegistry& attestors;
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  std::shared_ptr<credentials::VerificationObserver> observer;
  base::Clock& clock;
  base::TimerQueue& timers;
};

struct FetchBackOptions {
  absl::Time accepted_from;  // by our clock of then
  // True: what nobody signed is taken on the peer's word.
  bool unproven = false;
  // Whether to give up, with DRAINING. From the thread that fetches.
  std::function<bool()> stopped = {};
};

// (blocks) Dials `peer`, which has an endpoint. What the peer answers is an error here, as is
// UNREACHABLE, and DEADLINE_EXCEEDED where a page takes more than a minute, ten minutes bring
// nothing of ours, or it takes twelve hours; what was taken before stays, and a second call finds
// it present.
absl::StatusOr<admin::v1::FetchEventsResponse> FetchBack(const FetchBackDeps& deps,
                                                         const admin::v1::Peer& peer,
                                                         const FetchBackOptions& options);

}  // namespace cdgate::app
