// What the LinkManager remembers of one peer. For link_manager.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/messages.h"
#include "federation/link/pace.h"
#include "federation/manager/redial.h"
#include "federation/manager/suspension.h"
#include "federation/session/peer_metrics.h"
#include "federation/session/session.h"
#include "gateway/base/backoff.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"
#include "gateway/base/types.h"
#include "gateway/rpc/frame_stream.h"

namespace cdgate::manager {

// One peer. Touched on the strand only.
struct PeerLink {
  PeerLink(base::Metrics& registry, const std::string& domain, base::BackoffOptions options)
      : metrics(registry, domain), redial(options) {}

  // Something changed that may have kept it down.
  void BeginAnew() {
    next_try = absl::InfinitePast();
    redial.Reset();
    suspension.Reset();
  }
  void NoteUp(absl::Duration now) {
    redial.OnUp(now);
    suspension.OnUp(now);
  }
  // How long it is not dialled after its link ended like this. `others` and `unit` as Redial's.
  absl::Duration NoteEnd(const link::CloseStream& close, double others, absl::Duration now,
                         double unit) {
    if (IsOffence(close)) {
      suspension.OnOffence(now, absl::StrCat(base::ReasonLabel(close.reason), ": ", close.message));
      if (suspension.left(now) > absl::ZeroDuration()) metrics.suspensions.Add();
    } else {
      suspension.OnEnd(now);
    }
    const bool abused = !close.by_peer && close.reason == base::Reason::kConnectionAbuse;
    if (abused) return redial.OnAbuse(now, unit);
    return redial.OnDown(now, {.asked = close.retry_after, .others = others}, unit);
  }

  // The peer is about to become `next`.
  void EndWhatChanges(const admin::v1::Peer& next) {
    // Another agreement with the same domain: nothing of the one before goes on.
    const bool other = version != 0 && peer.agreement_id() != next.agreement_id();
    if (other) told_ended.clear();
    if (session == nullptr) return;
    if (other) session->End(base::Reason::kNoAgreement, "the agreement was made anew");
    // Dialled to where it is no more, or where we should not dial.
    if (dialled && (peer.endpoint() != next.endpoint() || !next.dial())) {
      session->Drain("how the peer is dialled was changed; the link is made again");
    }
  }

  // A new session was told nothing.
  void ForgetNews() {
    groups.clear();
    trust = nullptr;
    catalogue = nullptr;
  }
  void GiveCatalogue(std::shared_ptr<const federation::v1::Catalogue> now) {
    if (now == nullptr || now == catalogue) return;
    session->SetCatalogue(*now);
    catalogue = std::move(now);
  }

  admin::v1::Peer peer;
  uint64_t version = 0;
  session::PeerMetrics metrics;
  Redial redial;
  Suspension suspension;
  // Of one session at a time.
  const std::shared_ptr<link::Paces> paces = std::make_shared<link::Paces>();

  std::shared_ptr<session::Session> session;  // until its on_done
  uint64_t session_number = 0;
  bool dialled = false;
  bool ended = false;           // the session's link is over, the session not yet
  rpc::FrameStreamPtr waiting;  // accepted while a session was ending
  bool begin_anew = false;
  bool removed = false;
  std::string ended_text;     // `removed`: what the peer is told
  std::string told_ended;     // what the peer said when it ended the agreement; empty: nothing
  bool end_is_timed = false;  // a timer stands at the end of the agreement
  std::string groups;         // that the session was given, serialised
  std::shared_ptr<const federation::v1::TrustUpdate> trust;    // that it was given
  std::shared_ptr<const federation::v1::Catalogue> catalogue;  // the same

  admin::v1::LinkState state = admin::v1::LINK_STATE_DOWN;
  std::string reason;
  std::string message;
  absl::Time since = absl::UnixEpoch();
  absl::Time next_try = absl::InfinitePast();  // monotonic; dial when it has come
  base::Sequence acknowledged_through;
};

}  // namespace cdgate::manager
