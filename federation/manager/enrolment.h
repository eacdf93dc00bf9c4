// How an agreement comes to be: invite, enrol, accept, approve. The rules of tokens and
// proofs are in invite.h; here they meet the store, our own identity and the network.
//
//   inviter                                  accepter
//   CreateInvite ── token, by hand ────────▶ Accept
//   HandleEnrol  ◀── EnrolmentService.Enrol ─┘
//   Approve                                  Approve
//
// After enrolment both sides hold a peer in state PENDING; nothing crosses until each
// side's operator has approved it. Offline nothing is dialled: the token carries what
// HandleEnrol would have answered, Accept gives a reply code, and Approve takes that code in
// and approves in one.
//
//   CreateInvite ── offline token, by hand ─▶ Accept
//   Approve      ◀── reply code, by hand ─────┘ Approve
//
// What changes is committed before it is answered. Calls that meet over one invite are
// judged one after the other: one redeems it, the others see that it is used, and every
// failure counts.
//
// Thread-safe. Run calls on an executor: they check signatures and proofs. Every callback
// runs once, on an unspecified thread.
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
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

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
  base::Executor& executor;  // where what lost a race is judged again
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

  // INVALID_CONFIG where we have no enrolment listener and the invite is not an offline one;
  // INVALID_ARGUMENT naming the field.
  void CreateInvite(const std::string& author, const admin::v1::CreateInviteRequest& request,
                    Done<admin::v1::CreateInviteResponse> done);

  // Deletes an invite. NOT_FOUND; INVITE_INVALID where it was used: then there is a peer.
  void RevokeInvite(const std::string& author, const admin::v1::RevokeInviteRequest& request,
                    Done<admin::v1::RevokeInviteResponse> done);

  // The inviter's side of EnrolmentService.Enrol. `caller`: what the client showed, not
  // verified by the listener: it is checked here against the bundle handed over. INVITE_INVALID
  // whatever is wrong with the invite or the proof; ALREADY_EXISTS for a peer.
  void HandleEnrol(const trust::VerifiedPeer& caller, const federation::v1::EnrolRequest& request,
                   Done<federation::v1::EnrolResponse> done);

  // What a token says, and whether it could be accepted now. INVITE_MALFORMED.
  absl::StatusOr<admin::v1::CheckInviteResponse> CheckInvite(
      const admin::v1::CheckInviteRequest& request) const;

  // Redeems a token: dials the inviter, or makes a reply code, and stores the inviter as a
  // pending peer. INVITE_MALFORMED; INVITE_INVALID for one that expired or is for another domain;
  // INVALID_ARGUMENT where a reply code is wanted and the invite was not made for one;
  // ALREADY_EXISTS; errors of the dialer.
  void Accept(const std::string& author, const admin::v1::AcceptInviteRequest& request,
              Done<admin::v1::AcceptInviteResponse> done);

  // Approves a pending peer for our side; idempotent. Or redeems a reply code and stores the
  // accepter as an approved peer: then INVITE_INVALID says what is wrong, as it is our own
  // operator who asks. FINGERPRINT_DIFFERS where one is given and is another. An error leaves
  // everything as it was, but a wrong proof counts.
  void Approve(const std::string& author, const admin::v1::ApprovePeerRequest& request,
               Done<admin::v1::Peer> done);

 private:
  // What an accepter claims, by a call or by a reply code.
  struct Claim {
    std::string invite_id;
    federation::v1::Party party;
    std::string proof;
    std::string author;     // who stores it
    bool by_reply = false;  // our operator pasted it and so approves it
  };
  // What a good claim makes.
  struct Redeemed {
    admin::v1::Peer peer;
    federation::v1::EnrolResponse response;  // empty by_reply: nothing is answered
  };
  // A claim as it stands now: what is to be committed, and what is to be said then.
  struct Attempt {
    state::Proposal proposal;  // empty: nothing changes
    absl::Status verdict;
    std::string detail;  // for our own log and operator: what is wrong with the invite
    Redeemed redeemed;   // where the verdict is OK
  };

  federation::v1::Party OurParty(
      const std::string& purpose,
      const google::protobuf::RepeatedPtrField<std::string>& contacts) const;
  admin::v1::Peer PendingPeer(const federation::v1::Party& party,
                              const invite::Agreement& agreement, bool dial) const;
  absl::Status CheckNewPeer(absl::string_view domain) const;
  void AcceptByDialling(const std::string& author, const invite::Token& token,
                        const federation::v1::EnrolRequest& enrol,
                        Done<admin::v1::AcceptInviteResponse> done);
  void AcceptByReply(const std::string& author, const invite::Token& token,
                     const federation::v1::EnrolRequest& enrol,
                     Done<admin::v1::AcceptInviteResponse> done);
  void StoreAccepted(const std::string& author, const admin::v1::Peer& peer,
                     const std::string& reply_code, Done<admin::v1::AcceptInviteResponse> done);

  absl::StatusOr<Attempt> Judge(const Claim& claim) const;
  absl::StatusOr<Redeemed> Answer(const Claim& claim, const admin::v1::Invite& invite,
                                  const invite::Binding& binding) const;
  void Redeem(Claim claim, Done<Redeemed> done);
  static absl::Status Refused(const Claim& claim, const Attempt& attempt);
  template <typename T>
  void JudgeAgain(base::Task task, Done<T> done);

  void ApprovePending(const std::string& author, const std::string& domain,
                      const std::string& fingerprint, Done<admin::v1::Peer> done);
  void ApproveReply(const std::string& author, const std::string& code,
                    const std::string& fingerprint, Done<admin::v1::Peer> done);

  const EnrolmentDeps deps_;
};

}  // namespace cdgate::manager
