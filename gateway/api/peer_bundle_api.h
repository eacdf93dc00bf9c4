// Setting a peer's trust bundle by hand, over gRPC: CheckPeerBundle, SetPeerBundle.
//
//   PeerBundleApi bundles({.domain = "alpha.example", .store = store, .trust = registry,
//                          .gate = gate, .clock = clock, .pool = pool,
//                          .applied = [this] { ApplyResources(); }});
//   CDGATE_RETURN_IF_ERROR(bundles.Register(router));
//
// What is set is on disk and in force when it is answered, and connections that stand under a
// root that was dropped end as soon as they are verified again. BUNDLE_REFUSED
// (federation/manager/bundle_by_hand.h); INVALID_ARGUMENT for our own domain, whose bundle is a
// file; NOT_FOUND, AGREEMENT_PENDING, FINGERPRINT_DIFFERS, ETAG_MISMATCH, APPROVAL_REQUIRED,
// errors of Store::Propose. What is refused leaves everything as it was.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/admin/v1/trust.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/manager/bundle_by_hand.h"
#include "gateway/api/trust_api.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// Thread-safe; outlives the router's server.
class PeerBundleApi {
 public:
  explicit PeerBundleApi(TrustApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  // A change, and what it is based on.
  struct Judged {
    manager::BundleChange change;
    const char* kind = state::kPeerKind;  // or kOriginKind: there is no agreement
    admin::v1::Peer peer;
    uint64_t peer_version = 0;
    storage::v1::PeerTrust held;
    uint64_t held_version = 0;  // 0: nothing is held besides the bundle
  };
  absl::StatusOr<Judged> Judge(const std::string& peer,
                               const admin::v1::PeerBundle& candidate) const;
  // The peer, or the origin that it is or becomes.
  static absl::Status FindHeld(const state::ResourceSnapshot& resources, const std::string& domain,
                               Judged* out);
  absl::Duration Grace() const;
  admin::v1::PeerBundleChange Shown(const Judged& judged) const;
  absl::StatusOr<admin::v1::CheckPeerBundleResponse> Check(
      const admin::v1::CheckPeerBundleRequest& request) const;
  void Set(const rpc::Call& call, const admin::v1::SetPeerBundleRequest& request,
           const rpc::Reply<admin::v1::SetPeerBundleResponse>& reply);
  state::Proposal ProposalOf(Judged judged, const std::string& author) const;

  const TrustApiDeps deps_;
};

}  // namespace cdgate::api
