// Why nothing crosses with a peer: from what was seen to what is wrong, layer by layer. Pure.
//
//   const admin::v1::DoctorPeerResponse answer = Diagnose(facts);
//   if (!answer.first_failure().empty()) ...
//
// The layers build on each other: name, route, tcp, tls, certificate, clock, agreement, policy,
// link, lag. The first that fails is named with its remedy; those behind it say nothing, because
// what they show would follow from it. Where the peer dials us, this side cannot test the way
// there; then what its attempts have told us speaks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/agreement.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/peering.pb.h"

namespace cdgate::api {

// Clocks further apart than this make ends and certificates mean different times.
inline constexpr absl::Duration kGreatestSkew = absl::Seconds(30);
// Events that wait longer than this on a link that is up are late.
inline constexpr absl::Duration kLateAfter = absl::Seconds(10);

// What dialling the peer has shown, in order. A step behind one that failed is not looked at.
struct DialFacts {
  absl::Status name;
  std::vector<std::string> addresses;
  absl::Status route;
  absl::Status tcp;
  std::string address;  // that was connected to
  absl::Status tls;
  // Who is there, as far as it can be read, and whether we take it for the peer.
  std::string shown_id;
  absl::Time shown_until = absl::InfiniteFuture();
  absl::Status certificate;
  // How the call ended that asked the peer about the agreement, by the credentials of the link.
  absl::Status call;
  std::optional<federation::v1::GetAgreementResponse> theirs;
  absl::Duration skew;  // its clock less ours, where it told
};

// A connection of the peer that was refused here.
struct RefusedFacts {
  absl::Time when;
  std::string reason;  // registered, lower case
  std::string detail;
};

struct PeerPathFacts {
  std::string own_domain;
  absl::Time now;
  absl::Time own_until = absl::InfiniteFuture();  // when our certificate ends
  admin::v1::Peer peer;
  bool started_frozen = false;
  bool exports_stopped = false;
  bool has_policy = false;
  bool exports_something = false;
  bool imports_something = false;
  admin::v1::LinkStatus link;
  uint64_t lag_events = 0;
  absl::Duration lag_age;
  absl::Status import_stall;
  std::optional<DialFacts> dial;        // where we dial it
  std::optional<RefusedFacts> refused;  // the last one of its domain, where it dials us
};

admin::v1::DoctorPeerResponse Diagnose(const PeerPathFacts& facts);

}  // namespace cdgate::api
