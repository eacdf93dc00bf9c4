// Whether a link may carry events now, and what is said where it may not: to the peer, in the
// GoAway, and to our own operators, as the reason of the link's state. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/link/config.h"
#include "gateway/state/resources.h"

namespace cdgate::manager {

// What it depends on besides the agreement itself.
struct RefusalFacts {
  absl::string_view domain;      // ours
  absl::string_view ended_text;  // EndedText() where the agreement is gone; empty: it is not
  bool draining = false;
  bool started_frozen = false;  // and nobody resumed since
  // The peer broke the protocol again and again, at last by `offence`; zero: it did not.
  absl::Duration suspended_for;
  absl::string_view offence;
  absl::Time now;
};

// None where the link may carry events. Each reason has its own: DRAINING, NO_AGREEMENT, FROZEN,
// AGREEMENT_PENDING, AGREEMENT_EXPIRED, PEER_SUSPENDED.
std::optional<link::Refuse> RefusalOf(const admin::v1::Peer& peer, const RefusalFacts& facts);

// Who ended the agreement with `peer`, and when, for the peer: a domain, no person. Not empty.
std::string EndedText(const state::ResourceSnapshot& resources, absl::string_view domain,
                      absl::string_view peer);

}  // namespace cdgate::manager
