#include "federation/manager/enrolment.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using admin::v1::Peer;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp out;
  out.set_seconds(absl::ToUnixSeconds(time));
  return out;
}

absl::StatusOr<std::string> FingerprintOf(absl::string_view bundle_pem) {
  CDGATE_ASSIGN_OR_RETURN(const std::string digest, trust::BundleDigest(bundle_pem));
  return base::Fingerprint(digest);
}

state::ResourceEdit PeerEdit(const Peer& peer, uint64_t expected_version,
                             const std::string& author) {
  state::ResourceEdit edit;
  edit.kind = state::kPeerKind;
  edit.name = peer.domain();
  edit.value = peer.SerializeAsString();
  edit.expected_version = expected_version;
  edit.author = author;
  return edit;
}

state::ResourceEdit InviteEdit(const admin::v1::Invite& invite, uint64_t expected_version,
                               const std::string& author) {
  state::ResourceEdit edit;
  edit.kind = state::kInviteKind;
  edit.name = invite.id();
  edit.value = invite.SerializeAsString();
  edit.expected_version = expected_version;
  edit.author = author;
  return edit;
}

// Whoever calls must hold a key under the bundle it hands over.
absl::Status CheckCaller(const trust::VerifiedPeer& caller, const federation::v1::Party& party,
                         absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const auto store,
                          trust::MakeTrustStore(party.domain(), party.bundle_pem(), {}));
  return trust::VerifyAgainst(*store, party.domain(), caller.leaf_pem, caller.chain_pem,
                              crypto::Purpose::kClient, now)
      .status();
}

absl::Status NotOffline() {
  return base::MakeError(base::Reason::kInvalidArgument,
                         "this release enrols by dialling the inviter only; reply codes and "
                         "--offline are not in it: open the inviter's enrolment listener");
}

absl::Status FingerprintDiffers(absl::string_view domain, absl::string_view is) {
  return base::MakeError(base::Reason::kCertificateUntrusted,
                         absl::StrCat("the fingerprint of ", domain, "'s bundle is ", is,
                                      ", not the one given; compare it with their operator and "
                                      "do not approve while it differs"),
                         {{"fingerprint", std::string(is)}});
}

}  // namespace

federation::v1::Party Enrolment::OurParty(
    const std::string& purpose,
    const google::protobuf::RepeatedPtrField<std::string>& contacts) const {
  federation::v1::Party party;
  party.set_domain(deps_.domain);
  party.set_bundle_pem(deps_.identity.Current()->bundle_pem);
  party.set_endpoint(deps_.peers_endpoint());
  party.set_purpose(purpose);
  *party.mutable_contacts() = contacts;
  return party;
}

Peer Enrolment::PendingPeer(const federation::v1::Party& party, const invite::Agreement& agreement,
                            bool dial) const {
  Peer peer;
  peer.set_domain(party.domain());
  peer.set_agreement_id(agreement.agreement_id);
  peer.set_bundle_pem(party.bundle_pem());
  peer.set_endpoint(party.endpoint());
  peer.set_purpose(party.purpose());
  *peer.mutable_contacts() = party.contacts();
  peer.set_state(admin::v1::PEER_STATE_PENDING);
  *peer.mutable_create_time() = ToTimestamp(deps_.clock.Now());
  *peer.mutable_expire_time() = ToTimestamp(agreement.expires);
  peer.set_agreed_sequence(deps_.store.head().sequence.Next().value());
  peer.set_our_bundle_digest(deps_.identity.Current()->bundle_digest);
  peer.set_dial(dial && !party.endpoint().empty());
  return peer;
}

absl::Status Enrolment::CheckNewPeer(absl::string_view domain) const {
  if (domain == deps_.domain) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           "a domain cannot peer with itself; the invite is this domain's own");
  }
  if (deps_.store.Resources()->Find(state::kPeerKind, domain) == nullptr) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kAlreadyExists,
      absl::StrCat("there is an agreement with ", domain, "; end it with cdgate peer remove first"),
      {{"peer", std::string(domain)}});
}

void Enrolment::CreateInvite(const std::string& author,
                             const admin::v1::CreateInviteRequest& request,
                             Done<admin::v1::CreateInviteResponse> done) {
  const std::string endpoint = deps_.enrolment_endpoint();
  if (endpoint.empty()) {
    return done(base::MakeError(
        base::Reason::kInvalidConfig,
        "this gateway has no enrolment listener; set listeners.enrolment and restart it"));
  }
  const auto identity = deps_.identity.Current();
  invite::InviteRequest wanted;
  wanted.inviter_domain = deps_.domain;
  wanted.endpoint = endpoint;
  wanted.bundle_pem = identity->bundle_pem;
  wanted.id_bytes = deps_.random.Bytes(invite::kIdBytes);
  wanted.secret = deps_.random.Bytes(invite::kSecretBytes);
  if (request.has_ttl()) wanted.ttl = absl::Seconds(request.ttl().seconds());
  wanted.purpose = request.purpose();
  wanted.author = author;
  wanted.only_domain = request.domain();
  auto made = invite::MakeInvite(wanted, deps_.sealer, deps_.clock.Now());
  if (!made.ok()) return done(made.status());

  admin::v1::CreateInviteResponse response;
  response.set_token(made->token);
  response.set_invite_id(made->invite.id());
  *response.mutable_expire_time() = made->invite.expire_time();
  response.set_fingerprint(base::Fingerprint(identity->bundle_digest));
  state::Proposal proposal;
  proposal.resources.push_back(InviteEdit(made->invite, 0, author));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, response](state::Outcome outcome) {
        if (!outcome.status.ok()) return done(outcome.status);
        done(response);
      });
  if (!queued.ok()) done(queued);
}

void Enrolment::HandleEnrol(const trust::VerifiedPeer& caller,
                            const federation::v1::EnrolRequest& request,
                            Done<federation::v1::EnrolResponse> done) {
  const federation::v1::Party& party = request.party();
  const absl::Time now = deps_.clock.Now();
  if (absl::Status status = invite::CheckParty(party); !status.ok()) return done(status);
  if (absl::Status status = CheckCaller(caller, party, now); !status.ok()) return done(status);

  const state::ResourcePtr stored =
      deps_.store.Resources()->Find(state::kInviteKind, request.invite_id());
  std::optional<admin::v1::Invite> found;
  std::string secret;
  if (stored != nullptr) {
    auto parsed = stored->As<admin::v1::Invite>();
    if (!parsed.ok()) return done(parsed.status());
    found = *std::move(parsed);
    // A used invite has no secret any more; Redeem says what that means.
    secret = invite::OpenSecret(*found, deps_.sealer).value_or("");
  }
  const invite::Binding binding{request.invite_id(), deps_.domain,
                                deps_.identity.Current()->bundle_digest};
  const invite::Redemption redemption =
      invite::Redeem(found ? &*found : nullptr, binding, party, request.proof(), deps_.sealer, now);
  absl::Status verdict = redemption.status;
  if (verdict.ok()) verdict = CheckNewPeer(party.domain());
  if (!verdict.ok()) {
    base::LogError(base::LogLevel::kWarning, "enrolment refused", verdict,
                   {{"domain", party.domain()}, {"detail", redemption.detail}});
  }

  state::Proposal proposal;
  // A peer that exists leaves the invite as it was: nothing was redeemed.
  const bool exists = redemption.status.ok() && !verdict.ok();
  if (redemption.changed && !exists) {
    proposal.resources.push_back(InviteEdit(*redemption.changed, stored->version, "enrolment"));
  }
  federation::v1::EnrolResponse response;
  if (verdict.ok()) {
    const invite::Agreement agreement{
        base::Base32Encode(deps_.random.Bytes(16)),
        absl::FromUnixSeconds(absl::ToUnixSeconds(now + kAgreementLifetime))};
    *response.mutable_party() = OurParty(found->purpose(), {});
    auto proof =
        invite::InviterProof(secret, binding, request.proof(), response.party(), agreement);
    if (!proof.ok()) return done(proof.status());
    response.set_proof(*std::move(proof));
    response.set_agreement_id(agreement.agreement_id);
    *response.mutable_expire_time() = ToTimestamp(agreement.expires);
    proposal.resources.push_back(PeerEdit(PendingPeer(party, agreement, false), 0, "enrolment"));
  }
  if (proposal.resources.empty()) return done(verdict);
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, verdict, response](state::Outcome outcome) {
        if (!verdict.ok()) return done(verdict);
        if (!outcome.status.ok()) return done(outcome.status);
        done(response);
      });
  if (!queued.ok()) done(queued);
}

void Enrolment::Accept(const std::string& author, const admin::v1::AcceptInviteRequest& request,
                       Done<admin::v1::AcceptInviteResponse> done) {
  if (request.offline()) return done(NotOffline());
  const auto token = invite::DecodeToken(request.token());
  if (!token.ok()) return done(token.status());
  absl::Status status = invite::CheckNotExpired(*token, deps_.clock.Now());
  if (status.ok()) status = CheckNewPeer(token->inviter_domain);
  if (!status.ok()) return done(status);

  federation::v1::EnrolRequest enrol;
  enrol.set_invite_id(token->invite_id);
  *enrol.mutable_party() = OurParty(request.purpose(), request.contacts());
  const invite::Binding binding{token->invite_id, token->inviter_domain, token->bundle_digest};
  const auto proof = invite::AccepterProof(token->secret, binding, enrol.party());
  if (!proof.ok()) return done(proof.status());
  enrol.set_proof(*proof);

  deps_.dialer.Enrol(
      token->endpoint, token->inviter_domain, enrol,
      [this, author, token = *token, proof = *proof,
       done](absl::StatusOr<federation::v1::EnrolResponse> response) {
        if (!response.ok()) {
          return done(
              base::Annotate(response.status(), absl::StrCat("enrolment at ", token.endpoint)));
        }
        const invite::Agreement agreement{response->agreement_id(),
                                          absl::FromUnixSeconds(response->expire_time().seconds())};
        if (absl::Status checked = invite::CheckInviterProof(token, proof, response->party(),
                                                             agreement, response->proof());
            !checked.ok()) {
          return done(checked);
        }
        StoreAccepted(author, PendingPeer(response->party(), agreement, true), done);
      });
}

void Enrolment::StoreAccepted(const std::string& author, const Peer& peer,
                              Done<admin::v1::AcceptInviteResponse> done) {
  const auto theirs = FingerprintOf(peer.bundle_pem());
  if (!theirs.ok()) return done(theirs.status());
  admin::v1::AcceptInviteResponse response;
  *response.mutable_peer() = peer;
  response.set_peer_fingerprint(*theirs);
  response.set_our_fingerprint(base::Fingerprint(deps_.identity.Current()->bundle_digest));
  state::Proposal proposal;
  proposal.resources.push_back(PeerEdit(peer, 0, author));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, response](state::Outcome outcome) {
        if (!outcome.status.ok()) return done(outcome.status);
        done(response);
      });
  if (!queued.ok()) done(queued);
}

void Enrolment::Approve(const std::string& author, const admin::v1::ApprovePeerRequest& request,
                        Done<Peer> done) {
  if (!request.reply_code().empty()) return done(NotOffline());
  const state::ResourcePtr stored =
      deps_.store.Resources()->Find(state::kPeerKind, request.domain());
  if (stored == nullptr) {
    return done(base::MakeError(
        base::Reason::kNoAgreement,
        absl::StrCat("there is no pending agreement with ", base::Shorten(request.domain()),
                     "; peer by invite and accept first"),
        {{"peer", request.domain()}}));
  }
  auto peer = stored->As<Peer>();
  if (!peer.ok()) return done(peer.status());
  const auto fingerprint = FingerprintOf(peer->bundle_pem());
  if (!fingerprint.ok()) return done(fingerprint.status());
  if (!request.fingerprint().empty() && request.fingerprint() != *fingerprint) {
    return done(FingerprintDiffers(peer->domain(), *fingerprint));
  }
  if (peer->state() == admin::v1::PEER_STATE_APPROVED) return done(*std::move(peer));
  peer->set_state(admin::v1::PEER_STATE_APPROVED);
  peer->set_approved_by(author);
  state::Proposal proposal;
  proposal.resources.push_back(PeerEdit(*peer, stored->version, author));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, peer = *peer](state::Outcome outcome) {
        if (!outcome.status.ok()) return done(outcome.status);
        done(peer);
      });
  if (!queued.ok()) done(queued);
}

}  // namespace cdgate::manager
