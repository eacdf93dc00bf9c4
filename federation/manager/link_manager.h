// The links of one gateway: reconciles those that should be up with those that are.
//
//   manager::LinkManager links(deps);
//   links.Reconcile(*store.Resources());       // at start and after every change
//   links.Accept(peer, stream);                // a peer has dialled us
//   links.Drain(); ... links.Shutdown(absl::Seconds(3));
//
// For each peer there is at most one session. We dial where the peer's resource says so,
// again and again with capped, jittered backoff; what a peer dials is accepted at any
// time. Where both sides dial, the link that the domain that sorts first dialled stays as
// long as it lives; otherwise a new stream replaces the one before, so that a connection
// which died without a word cannot keep its successor out.
//
// A link that should be up and is not has a state, a reason and a metric. A peer that is
// pending, frozen or expired is told so when it dials and is not dialled. An agreement that ends
// while its link is up ends the link at that moment, and one that is renewed brings it up again.
// What a peer said when it ended the agreement stays the reason, whatever dialling it gives
// afterwards.
//
// Everything runs on one strand; status() reads what was published last. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/manager/link_report.h"
#include "federation/session/peer_metrics.h"
#include "federation/session/session.h"
#include "federation/session/session_types.h"
#include "gateway/base/backoff.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/frame_stream.h"
#include "gateway/state/resources.h"

namespace cdgate::manager {

// Opens FederationService.Link at a peer's endpoint.
class LinkDialer {
 public:
  virtual ~LinkDialer() = default;
  // A stream that may still fail; never null. Must not block.
  virtual rpc::FrameStreamPtr Dial(const admin::v1::Peer& peer) = 0;
};

struct LinkManagerDeps {
  session::SessionDeps session;
  base::Metrics& metrics;
  LinkDialer& dialer;
  absl::Duration heartbeat = absl::Seconds(5);
  // Between tries of a peer that stays away (redial.h).
  base::BackoffOptions backoff = {.first = absl::Seconds(1)};
  // No link is made until Unfreeze(): each peer is told FROZEN.
  bool frozen = false;
  // The signed lists of our groups for `peer` (GroupExchange::ListsFor): the same bytes while
  // there is nothing new to tell.
  std::function<federation::v1::Groups(absl::string_view peer)> groups_of = {};
  // What `peer` sent of its own groups (GroupExchange::OnReceived). Must not block.
  std::function<void(absl::string_view peer, const federation::v1::Groups& groups)> on_groups = {};
  // How our domain is to be trusted (TrustExchange::Own): the same object while there is nothing
  // new to tell; null: nothing.
  std::function<std::shared_ptr<const federation::v1::TrustUpdate>()> own_trust = {};
  // What `peer` said of how to trust it (TrustExchange::OnReceived). Must not block.
  std::function<void(absl::string_view peer, const federation::v1::TrustUpdate& update)> on_trust =
      {};
  // What we offer `peer` and ask of it (CatalogueExchange::For): the same object while there is
  // nothing new to tell.
  std::function<std::shared_ptr<const federation::v1::Catalogue>(absl::string_view peer)>
      catalogue_of = {};
  // What `peer` offers and asks for (CatalogueExchange::OnReceived). Must not block.
  std::function<void(absl::string_view peer, federation::v1::Catalogue catalogue)> on_catalogue =
      {};
  // `peer` asks for a count, and answers one (CountExchange). Must not block. Empty: peers are told
  // that we know nothing of counts.
  std::function<void(absl::string_view peer, const federation::v1::CountRequest& request)>
      on_count_request = {};
  std::function<void(absl::string_view peer, const federation::v1::CountAnswer& answer)>
      on_count_answer = {};
  // Certificates of attestors that `peer` sent (AttestorRegistry::Take). Must not block: half a
  // millisecond for each that is new.
  std::function<void(absl::string_view peer, const federation::v1::Attestors& attestors)>
      on_attestors = {};
};

class LinkManager {
 public:
  explicit LinkManager(LinkManagerDeps deps);
  // Calls Shutdown(0).
  ~LinkManager();
  LinkManager(const LinkManager&) = delete;
  LinkManager& operator=(const LinkManager&) = delete;

  // Brings links in step with the peers and policies of `resources`.
  void Reconcile(state::ResourceSnapshotPtr resources);
  // Takes a stream that `peer`, authenticated, has opened.
  void Accept(std::string peer, rpc::FrameStreamPtr stream);
  // Ends the link with `peer` where we dialled it: who is at its other end must not be any
  // more. It is dialled again, and its handshake judges who is there then.
  void EndDialled(std::string peer, base::Reason reason, std::string message);
  // Ends a start with `frozen`; nothing where it was none.
  void Unfreeze();
  // Says goodbye on all links; nothing is dialled or accepted any more.
  void Drain();
  // Waits until all sessions are over, at most `limit`; then ends what is left and
  // waits for that. Not from a task of the executor. Idempotent.
  void Shutdown(absl::Duration limit);

  // Tells `peer` this, a count_request or a count_answer. False where no link with it is up that
  // knows of counts. Whether it arrives is not known.
  bool SendCount(absl::string_view peer, federation::v1::Frame frame) const;
  // Whether SendCount() would be true.
  bool KnowsCounts(absl::string_view peer) const;

  // None where there is no such peer.
  std::optional<LinkReport> Report(absl::string_view peer) const;

 private:
  class Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace cdgate::manager
