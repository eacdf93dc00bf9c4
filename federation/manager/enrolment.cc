#include "federation/manager/enrolment.h"

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

state::ResourceEdit Edit(const char* kind, const std::string& name,
                         const google::protobuf::MessageLite& value, uint64_t expected_version,
                         const std::string& author) {
  return {.kind = kind,
          .name = name,
          .value = value.SerializeAsString(),
          .expected_version = expected_version,
          .author = author};
}

state::ResourceEdit PeerEdit(const Peer& peer, uint64_t expected_version,
                             const std::string& author) {
  return Edit(state::kPeerKind, peer.domain(), peer, expected_version, author);
}

state::ResourceEdit InviteEdit(const admin::v1::Invite& invite, uint64_t expected_version,
                               const std::string& author) {
  return Edit(state::kInviteKind, invite.id(), invite, expected_version, author);
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

absl::Status FingerprintDiffers(absl::string_view domain, absl::string_view is) {
  return base::MakeError(base::Reason::kFingerprintDiffers,
                         absl::StrCat("the fingerprint of ", domain, "'s bundle is ", is,
                                      ", not the one given; nothing was approved"),
                         {{"fingerprint", std::string(is)}});
}

// `who` is a Peer or a Party; `compared` is what our operator has heard, empty where nothing.
template <typename Who>
absl::Status CheckFingerprint(const Who& who, const std::string& compared) {
  CDGATE_ASSIGN_OR_RETURN(const std::string is, FingerprintOf(who.bundle_pem()));
  if (compared.empty() || compared == is) return absl::OkStatus();
  return FingerprintDiffers(who.domain(), is);
}

absl::Status Exists(absl::string_view domain) {
  return base::MakeError(
      base::Reason::kAlreadyExists,
      absl::StrCat("there is an agreement with ", domain, "; end it with cdgate peer remove first"),
      {{"peer", std::string(domain)}});
}

absl::Status NoListener() {
  return base::MakeError(
      base::Reason::kInvalidConfig,
      "this gateway has no enrolment listener; set listeners.enrolment and restart it, or make "
      "the invite with --offline");
}

absl::Status NobodyDials(absl::string_view inviter) {
  return base::MakeError(base::Reason::kInvalidConfig,
                         absl::StrCat("neither ", inviter,
                                      " nor this gateway has a peers listener, so neither could "
                                      "dial the other; set listeners.peers and restart it"));
}

absl::Status NotMadeOffline(absl::string_view inviter) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("the invite of ", inviter,
                                      " does not carry its bundle; ask for one made with "
                                      "cdgate peer invite --offline, or accept without --offline"));
}

absl::Status DialFailed(const absl::Status& status, const invite::Token& token) {
  std::string where = absl::StrCat("enrolment at ", token.endpoint);
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    absl::StrAppend(&where, " (if it cannot be reached from here, ",
                    token.bundle_pem.empty() ? "ask for an invite made with --offline)"
                                             : "accept the invite with --offline)");
  }
  return base::Annotate(status, where);
}

absl::Status NoAgreement(const std::string& domain) {
  return base::MakeError(base::Reason::kNoAgreement,
                         absl::StrCat("there is no pending agreement with ", base::Shorten(domain),
                                      "; peer by invite and accept first"),
                         {{"peer", domain}});
}

// Our own operator may know what is wrong.
absl::Status ReplyRefused(absl::string_view domain, absl::string_view detail) {
  return base::MakeError(base::Reason::kInviteInvalid,
                         absl::StrCat("the reply code of ", domain, " cannot be used: ", detail,
                                      "; make a new invite with cdgate peer invite --offline"),
                         {{"peer", std::string(domain)}});
}

absl::Status ReplyToAnother(absl::string_view inviter, absl::string_view us) {
  return base::MakeError(base::Reason::kInviteInvalid,
                         absl::StrCat("the reply code answers an invite of ", inviter,
                                      ", and this gateway is of ", us, "; give it to ", inviter));
}

// Another proposal was committed since ours was made.
bool LostRace(const absl::Status& status) {
  const auto reason = base::ReasonOf(status);
  return reason == base::Reason::kEtagMismatch || reason == base::Reason::kAlreadyExists;
}

invite::Agreement AgreementOf(const federation::v1::EnrolResponse& response) {
  return {response.agreement_id(), absl::FromUnixSeconds(response.expire_time().seconds())};
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
  return Exists(domain);
}

// ------------------------------------------------------------------- invites

void Enrolment::CreateInvite(const std::string& author,
                             const admin::v1::CreateInviteRequest& request,
                             Done<admin::v1::CreateInviteResponse> done) {
  const auto identity = deps_.identity.Current();
  invite::InviteRequest wanted;
  wanted.inviter_domain = deps_.domain;
  wanted.endpoint = deps_.enrolment_endpoint();
  wanted.peers_endpoint = deps_.peers_endpoint();
  wanted.bundle_pem = identity->bundle_pem;
  wanted.offline = request.offline();
  wanted.id_bytes = deps_.random.Bytes(invite::kIdBytes);
  wanted.secret = deps_.random.Bytes(invite::kSecretBytes);
  if (request.has_ttl()) wanted.ttl = absl::Seconds(request.ttl().seconds());
  wanted.purpose = request.purpose();
  wanted.author = author;
  wanted.only_domain = request.domain();
  wanted.contacts = {request.contacts().begin(), request.contacts().end()};
  if (request.has_agreement_lifetime()) {
    wanted.agreement_lifetime = absl::Seconds(request.agreement_lifetime().seconds());
  }
  if (wanted.endpoint.empty() && !wanted.offline) return done(NoListener());
  auto made = invite::MakeInvite(wanted, deps_.sealer, deps_.clock.Now());
  if (!made.ok()) return done(made.status());

  admin::v1::CreateInviteResponse response;
  response.set_token(made->token);
  response.set_invite_id(made->invite.id());
  *response.mutable_expire_time() = made->invite.expire_time();
  response.set_fingerprint(base::Fingerprint(identity->bundle_digest));
  *response.mutable_agreement_lifetime() = made->invite.agreement_lifetime();
  state::Proposal proposal;
  proposal.resources.push_back(InviteEdit(made->invite, 0, author));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, response](state::Outcome outcome) {
        if (!outcome.status.ok()) return done(outcome.status);
        done(response);
      });
  if (!queued.ok()) done(queued);
}

void Enrolment::RevokeInvite(const std::string& author,
                             const admin::v1::RevokeInviteRequest& request,
                             Done<admin::v1::RevokeInviteResponse> done) {
  const auto stored = deps_.store.Resources()->Find(state::kInviteKind, request.invite_id());
  if (stored == nullptr) {
    return done(base::MakeError(
        base::Reason::kNotFound,
        absl::StrCat("there is no invite ", base::Shorten(request.invite_id()),
                     "; its id was printed with the token, and is in its -o json")));
  }
  const auto invite = stored->As<admin::v1::Invite>();
  if (!invite.ok()) return done(invite.status());
  if (!invite->redeemed_by().empty()) {
    return done(base::MakeError(
        base::Reason::kInviteInvalid,
        absl::StrCat("the invite was used by ", invite->redeemed_by(),
                     "; end that agreement with cdgate peer remove ", invite->redeemed_by())));
  }
  state::ResourceEdit edit = InviteEdit(*invite, stored->version, author);
  edit.value.clear();
  edit.deleted = true;
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [this, author, request, done](state::Outcome outcome) {
        if (LostRace(outcome.status)) {
          return JudgeAgain([=, this] { RevokeInvite(author, request, done); }, done);
        }
        if (!outcome.status.ok()) return done(outcome.status);
        done(admin::v1::RevokeInviteResponse());
      });
  if (!queued.ok()) done(queued);
}

// ---------------------------------------------------------------- the inviter

absl::StatusOr<Enrolment::Redeemed> Enrolment::Answer(const Claim& claim,
                                                      const admin::v1::Invite& invite,
                                                      const invite::Binding& binding) const {
  Redeemed out;
  if (claim.by_reply) {
    const absl::Time end = absl::FromUnixSeconds(invite.expire_time().seconds());
    out.peer = PendingPeer(
        claim.party, invite::AgreementOfReply(claim.proof, end, invite::LifetimeOf(invite)), true);
    out.peer.set_state(admin::v1::PEER_STATE_APPROVED);
    out.peer.set_approved_by(claim.author);
    return out;
  }
  *out.response.mutable_party() = OurParty(invite.purpose(), invite.contacts());
  out.response.set_agreement_id(base::Base32Encode(deps_.random.Bytes(16)));
  *out.response.mutable_expire_time() = ToTimestamp(deps_.clock.Now() + invite::LifetimeOf(invite));
  const invite::Agreement agreement = AgreementOf(out.response);
  CDGATE_ASSIGN_OR_RETURN(const std::string secret, invite::OpenSecret(invite, deps_.sealer));
  CDGATE_ASSIGN_OR_RETURN(
      *out.response.mutable_proof(),
      invite::InviterProof(secret, binding, claim.proof, out.response.party(), agreement));
  out.peer = PendingPeer(claim.party, agreement, false);
  return out;
}

absl::StatusOr<Enrolment::Attempt> Enrolment::Judge(const Claim& claim) const {
  const auto stored = deps_.store.Resources()->Find(state::kInviteKind, claim.invite_id);
  admin::v1::Invite invite;
  if (stored != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(invite, stored->As<admin::v1::Invite>());
  }
  const invite::Binding binding{claim.invite_id, deps_.domain,
                                deps_.identity.Current()->bundle_digest, invite.token_digest()};
  const invite::Redemption redemption =
      invite::Redeem(stored == nullptr ? nullptr : &invite, binding, claim.party, claim.proof,
                     deps_.sealer, deps_.clock.Now());
  Attempt attempt;
  attempt.verdict = redemption.status.ok() ? CheckNewPeer(claim.party.domain()) : redemption.status;
  // A peer that exists leaves the invite as it was: nothing is redeemed.
  if (redemption.changed && (attempt.verdict.ok() || !redemption.status.ok())) {
    attempt.proposal.resources.push_back(
        InviteEdit(*redemption.changed, stored->version, claim.author));
  }
  attempt.detail = redemption.detail;
  if (!attempt.verdict.ok()) return attempt;
  CDGATE_ASSIGN_OR_RETURN(attempt.redeemed, Answer(claim, invite, binding));
  attempt.proposal.resources.push_back(PeerEdit(attempt.redeemed.peer, 0, claim.author));
  return attempt;
}

void Enrolment::Redeem(Claim claim, Done<Redeemed> done) {
  auto attempt = Judge(claim);
  if (!attempt.ok()) return done(attempt.status());
  if (attempt->proposal.resources.empty()) return done(Refused(claim, *attempt));
  state::Proposal proposal = std::exchange(attempt->proposal, {});
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [this, claim = std::move(claim), attempt = *std::move(attempt),
                            done](const state::Outcome& outcome) {
        if (LostRace(outcome.status)) return JudgeAgain([=, this] { Redeem(claim, done); }, done);
        if (!attempt.verdict.ok()) return done(Refused(claim, attempt));
        if (!outcome.status.ok()) return done(outcome.status);
        done(attempt.redeemed);
      });
  if (!queued.ok()) done(queued);
}

// What is logged, and what whoever claims is told.
absl::Status Enrolment::Refused(const Claim& claim, const Attempt& attempt) {
  base::LogError(base::LogLevel::kWarning, "enrolment refused", attempt.verdict,
                 {{"domain", claim.party.domain()}, {"detail", attempt.detail}});
  if (!claim.by_reply || attempt.detail.empty()) return attempt.verdict;
  return ReplyRefused(claim.party.domain(), attempt.detail);
}

template <typename T>
void Enrolment::JudgeAgain(base::Task task, Done<T> done) {
  if (deps_.executor.TryPost(std::move(task))) return;
  done(base::MakeError(base::Reason::kOverloaded, "too much is queued; try again in a moment"));
}

void Enrolment::HandleEnrol(const trust::VerifiedPeer& caller,
                            const federation::v1::EnrolRequest& request,
                            Done<federation::v1::EnrolResponse> done) {
  const federation::v1::Party& party = request.party();
  absl::Status status = invite::CheckParty(party);
  if (status.ok()) status = CheckCaller(caller, party, deps_.clock.Now());
  if (!status.ok()) return done(status);
  Redeem({.invite_id = request.invite_id(),
          .party = party,
          .proof = request.proof(),
          .author = "enrolment"},
         [done](absl::StatusOr<Redeemed> redeemed) {
           if (!redeemed.ok()) return done(redeemed.status());
           done(std::move(redeemed->response));
         });
}

// --------------------------------------------------------------- the accepter

void Enrolment::Accept(const std::string& author, const admin::v1::AcceptInviteRequest& request,
                       Done<admin::v1::AcceptInviteResponse> done) {
  const auto token = invite::DecodeToken(request.token());
  if (!token.ok()) return done(token.status());
  federation::v1::EnrolRequest enrol;
  enrol.set_invite_id(token->invite_id);
  *enrol.mutable_party() = OurParty(request.purpose(), request.contacts());
  absl::Status status = CheckNewPeer(token->inviter_domain);
  if (status.ok()) status = invite::CheckUsable(*token, deps_.domain, deps_.clock.Now());
  // What the inviter would refuse is refused here, where it can be corrected.
  if (status.ok()) status = invite::CheckParty(enrol.party());
  if (!status.ok()) return done(status);
  auto proof = invite::AccepterProof(token->secret, invite::BindingOf(*token), enrol.party());
  if (!proof.ok()) return done(proof.status());
  enrol.set_proof(*std::move(proof));
  if (request.offline() || token->endpoint.empty()) {
    AcceptByReply(author, *token, enrol, std::move(done));
  } else {
    AcceptByDialling(author, *token, enrol, std::move(done));
  }
}

void Enrolment::AcceptByDialling(const std::string& author, const invite::Token& token,
                                 const federation::v1::EnrolRequest& enrol,
                                 Done<admin::v1::AcceptInviteResponse> done) {
  deps_.dialer.Enrol(
      token.endpoint, token.inviter_domain, enrol,
      [this, author, token, proof = enrol.proof(),
       done](absl::StatusOr<federation::v1::EnrolResponse> response) {
        if (!response.ok()) return done(DialFailed(response.status(), token));
        const invite::Agreement agreement = AgreementOf(*response);
        const absl::Status checked = invite::CheckInviterProof(
            token, proof, response->party(), agreement, response->proof(), deps_.clock.Now());
        if (!checked.ok()) return done(checked);
        StoreAccepted(author, PendingPeer(response->party(), agreement, true), "", done);
      });
}

void Enrolment::AcceptByReply(const std::string& author, const invite::Token& token,
                              const federation::v1::EnrolRequest& enrol,
                              Done<admin::v1::AcceptInviteResponse> done) {
  if (token.bundle_pem.empty()) return done(NotMadeOffline(token.inviter_domain));
  if (token.peers_endpoint.empty() && enrol.party().endpoint().empty()) {
    return done(NobodyDials(token.inviter_domain));
  }
  const auto code =
      invite::EncodeReply({token.invite_id, token.inviter_domain, enrol.party(), enrol.proof()});
  if (!code.ok()) return done(code.status());
  const auto agreement = invite::AgreementOfReply(enrol.proof(), token.expires, token.lifetime);
  StoreAccepted(author, PendingPeer(invite::InviterOf(token), agreement, true), *code,
                std::move(done));
}

void Enrolment::StoreAccepted(const std::string& author, const Peer& peer,
                              const std::string& reply_code,
                              Done<admin::v1::AcceptInviteResponse> done) {
  const auto theirs = FingerprintOf(peer.bundle_pem());
  if (!theirs.ok()) return done(theirs.status());
  admin::v1::AcceptInviteResponse response;
  *response.mutable_peer() = peer;
  response.set_peer_fingerprint(*theirs);
  response.set_our_fingerprint(base::Fingerprint(deps_.identity.Current()->bundle_digest));
  response.set_reply_code(reply_code);
  state::Proposal proposal;
  proposal.resources.push_back(PeerEdit(peer, 0, author));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [done, response](state::Outcome outcome) {
        if (LostRace(outcome.status)) return done(Exists(response.peer().domain()));
        if (!outcome.status.ok()) return done(outcome.status);
        done(response);
      });
  if (!queued.ok()) done(queued);
}

// ------------------------------------------------------------------- consent

void Enrolment::Approve(const std::string& author, const admin::v1::ApprovePeerRequest& request,
                        Done<Peer> done) {
  if (request.has_reply_code()) {
    return ApproveReply(author, request.reply_code(), request.fingerprint(), std::move(done));
  }
  ApprovePending(author, request.domain(), request.fingerprint(), std::move(done));
}

void Enrolment::ApproveReply(const std::string& author, const std::string& code,
                             const std::string& fingerprint, Done<Peer> done) {
  const auto reply = invite::DecodeReply(code);
  if (!reply.ok()) return done(reply.status());
  if (reply->inviter_domain != deps_.domain) {
    return done(ReplyToAnother(reply->inviter_domain, deps_.domain));
  }
  Claim claim{.invite_id = reply->invite_id,
              .party = reply->party,
              .proof = reply->proof,
              .author = author,
              .by_reply = true};
  const absl::Status compared = CheckFingerprint(claim.party, fingerprint);
  if (!compared.ok()) return done(compared);
  Redeem(std::move(claim), [done](absl::StatusOr<Redeemed> redeemed) {
    if (!redeemed.ok()) return done(redeemed.status());
    done(std::move(redeemed->peer));
  });
}

void Enrolment::ApprovePending(const std::string& author, const std::string& domain,
                               const std::string& fingerprint, Done<Peer> done) {
  const state::ResourcePtr stored = deps_.store.Resources()->Find(state::kPeerKind, domain);
  if (stored == nullptr) return done(NoAgreement(domain));
  auto peer = stored->As<Peer>();
  if (!peer.ok()) return done(peer.status());
  const absl::Status compared = CheckFingerprint(*peer, fingerprint);
  if (!compared.ok()) return done(compared);
  if (peer->state() == admin::v1::PEER_STATE_APPROVED) return done(*std::move(peer));
  peer->set_state(admin::v1::PEER_STATE_APPROVED);
  peer->set_approved_by(author);
  state::Proposal proposal;
  proposal.resources.push_back(PeerEdit(*peer, stored->version, author));
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal), [=, this, peer = *std::move(peer)](state::Outcome outcome) {
        if (LostRace(outcome.status)) {
          return JudgeAgain([=, this] { ApprovePending(author, domain, fingerprint, done); }, done);
        }
        if (!outcome.status.ok()) return done(outcome.status);
        done(peer);
      });
  if (!queued.ok()) done(queued);
}

}  // namespace cdgate::manager
