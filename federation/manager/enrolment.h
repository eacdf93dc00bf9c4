// How an agreement comes to be: invite, enrol, accept, approve. The rules of tokens and
// proofs are in invite.h; here they meet the store, our own identity and the network.
//
//   inviter                                  accepter
//   CreateInvite ── token, by hand ────────▶ Accept
//   HandleEnrol  ◀── EnrolmentService.Enrol ─┘
//   Approve                                  Approve
//
// After enrolment both sides hold a peer in state PENDING; nothing crosses until each
// side's operator has approved it. What changes is committed before it is answered.
//
// Thread-safe. Calls may block on the store's indexes: run them on an executor. Every
// callback runs once, on an unspecified thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "auth/crypto/siv_sealer.h"
#include "auth/trust/verify.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/federation/v1/enrolment.pb.h"
#include "federation/manager/invite.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// How long an agreement lasts unless renewed.
inline constexpr absl::Duration kAgreementLifetime = absl::Hours(24 * 365);

// Calls EnrolmentService.Enrol at an address.
class EnrolDialer {
 public:
  // Answers with the response only where the server's certificate verified as a gateway
  // of `domain` under the bundle in that response.
  using Done = std::function<void(absl::StatusOr<federation::v1::EnrolResponse>)>;
  virtual ~EnrolDialer() = default;
  virtual void Enrol(const std::string& endpoint, const std::string& domain,
                     const federation::v1::EnrolRequest& request, Done done) = 0;
};

// All outlive the Enrolment.
struct EnrolmentDeps {
  std::string domain;
  state::Store& store;
  const credentials::IdentityStore& identity;
  const base::Clock& clock;
  base::Random& random;
  const crypto::SivSealer& sealer;  // of this gateway alone
  EnrolDialer& dialer;
  // Addresses that others reach us under, asked for when one is given out; empty where
  // there is none.
  std::function<std::string()> peers_endpoint;
  std::function<std::string()> enrolment_endpoint;
};

class Enrolment {
 public:
  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;

  explicit Enrolment(EnrolmentDeps deps) : deps_(std::move(deps)) {}

  // INVALID_CONFIG where we have no enrolment listener.
  void CreateInvite(const std::string& author, const admin::v1::CreateInviteRequest& request,
                    Done<admin::v1::CreateInviteResponse> done);

  // The inviter's side of EnrolmentService.Enrol. `caller`: what the client showed, not
  // verified by the listener: it is checked here against the bundle handed over.
  void HandleEnrol(const trust::VerifiedPeer& caller, const federation::v1::EnrolRequest& request,
                   Done<federation::v1::EnrolResponse> done);

  // Redeems a token: dials the inviter and stores it as a pending peer.
  void Accept(const std::string& author, const admin::v1::AcceptInviteRequest& request,
              Done<admin::v1::AcceptInviteResponse> done);

  // Approves a pending peer for our side. Idempotent.
  void Approve(const std::string& author, const admin::v1::ApprovePeerRequest& request,
               Done<admin::v1::Peer> done);

 private:
  federation::v1::Party OurParty(
      const std::string& purpose,
      const google::protobuf::RepeatedPtrField<std::string>& contacts) const;
  admin::v1::Peer PendingPeer(const federation::v1::Party& party,
                              const invite::Agreement& agreement, bool dial) const;
  absl::Status CheckNewPeer(absl::string_view domain) const;
  void StoreAccepted(const std::string& author, const admin::v1::Peer& peer,
                     Done<admin::v1::AcceptInviteResponse> done);

  const EnrolmentDeps deps_;
};

}  // namespace cdgate::manager
