// How two domains first meet: invites, replies and their proofs. Pure: no I/O, no clock,
// no randomness of its own.
//
// The inviter makes an invite and hands the token to the other domain's operator, on a
// channel that both trust. The token pins the inviter's bundle by its digest and carries a
// secret. The accepter proves that it has the secret by an HMAC that binds the token, both
// bundles and everything it tells of itself; the inviter answers with the same about itself. So
// neither side's bundle can be exchanged by anyone in between, and a proof is of no use with
// another invite, another party, or in the other direction. docs/security.md has the
// protocol.
//
//   inviter                                    accepter
//   MakeInvite() ── token ──────────────────▶  DecodeToken()
//   Redeem()     ◀── invite id, Party, proof ─  AccepterProof()
//   InviterProof() ── Party, proof, … ───────▶  CheckInviterProof()
//
// Where the inviter cannot be dialled, its token carries all that it would have answered
// (InviteRequest::offline), the accepter prints EncodeReply(), and the inviter's operator
// pastes it: DecodeReply() gives the same three things to Redeem(). Nothing is answered then:
// both sides derive the agreement from the proof (AgreementOfReply), and the channel that carried
// the token vouches for the inviter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/siv_sealer.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/enrolment.pb.h"

namespace cdgate::invite {

inline constexpr char kTokenPrefix[] = "cdgate-invite-";
inline constexpr char kReplyPrefix[] = "cdgate-reply-";
inline constexpr size_t kSecretBytes = 16;
inline constexpr size_t kIdBytes = 10;  // random; 16 characters of base32 as text
inline constexpr uint32_t kMaxFailures = 5;
inline constexpr absl::Duration kDefaultTtl = absl::Hours(24);
inline constexpr absl::Duration kMaxTtl = absl::Hours(24 * 30);
// How long an agreement holds unless it is stated or renewed otherwise, and what may be stated.
inline constexpr absl::Duration kDefaultLifetime = absl::Hours(24 * 365);
inline constexpr absl::Duration kLeastLifetime = absl::Hours(1);
inline constexpr absl::Duration kGreatestLifetime = absl::Hours(24 * 366 * 5);
// An EnrolRequest has at most 8 KiB; so has what can be told in one.
inline constexpr size_t kMaxBundleBytes = 6 * 1024;

// What the token says. It holds the secret: never log it.
struct Token {
  std::string inviter_domain;
  std::string endpoint;       // the inviter's enrolment listener, "host:port"; empty: none
  std::string bundle_digest;  // trust::BundleDigest of the inviter's bundle, 32 bytes
  std::string invite_id;
  std::string secret;       // kSecretBytes
  absl::Time expires;       // whole seconds
  std::string only_domain;  // who may redeem it; empty: any domain
  std::string bundle_pem;   // of that digest; empty where the token was not made offline
  std::string
      peers_endpoint;  // the inviter's peers listener, "host:port"; may be empty; offline only
  // What the inviter states of the agreement: in its words, whom to call there, how long it holds.
  std::string purpose = {};
  std::vector<std::string> contacts = {};
  absl::Duration lifetime = kDefaultLifetime;  // whole seconds
  std::string digest = {};  // TokenDigest of its text; set by DecodeToken, not encoded
};

// SHA-256 over all that a token's text says, white space aside.
std::string TokenDigest(absl::string_view text);

// "cdgate-invite-" and base64url: about 200 characters and what is stated of the agreement, with
// a bundle of one P-256 root about 900. CERTIFICATE_MALFORMED where the bundle does not parse;
// whether the rest is well-formed is checked by DecodeToken.
absl::StatusOr<std::string> EncodeToken(const Token& token);

// White space anywhere is ignored, because mail programs break lines. INVITE_MALFORMED
// where anything is missing, malformed, altered (a checksum tells) or of a newer version.
// Whether it may be used is not checked: see CheckUsable.
absl::StatusOr<Token> DecodeToken(absl::string_view text);

// Whether `domain` may accept it now. INVITE_INVALID where the token is past its expiry, naming
// when that was, or is for another domain, naming which.
absl::Status CheckUsable(const Token& token, absl::string_view domain, absl::Time now);

// What a reply code says.
struct Reply {
  std::string invite_id;
  std::string inviter_domain;
  federation::v1::Party party;  // the accepter
  std::string proof;            // AccepterProof
};

// "cdgate-reply-" and base64url; the bundle travels as DER, so that the code stays short
// (about 1,000 characters with one P-256 root). CERTIFICATE_MALFORMED where the party's bundle
// does not parse.
absl::StatusOr<std::string> EncodeReply(const Reply& reply);
// As DecodeToken. The bundle is PEM again, of the same digest.
absl::StatusOr<Reply> DecodeReply(absl::string_view text);

// "host:port": a DNS name, an IPv4 address or an IPv6 address in brackets, and a port from
// 1 to 65535; at most 261 bytes.
bool ValidEndpoint(absl::string_view text);

// Whether a party says of itself what it must, in bounds: a valid domain, a bundle of that
// domain of at most kMaxBundleBytes, an endpoint "host:port" or none, a purpose of at most
// 500 bytes, at most 10 contacts of at most 200 bytes, all of them UTF-8 without control
// characters. INVALID_ARGUMENT naming the field, CERTIFICATE_MALFORMED for the bundle.
absl::Status CheckParty(const federation::v1::Party& party);

// The same of what a token states of the agreement: INVALID_ARGUMENT naming the field.
absl::Status CheckTerms(const Token& token);

// What both proofs are bound to besides the party: the inviter's side of the invite.
struct Binding {
  std::string invite_id;
  std::string inviter_domain;
  std::string inviter_bundle_digest;  // 32 bytes
  std::string token_digest;           // 32 bytes
};
// As the accepter reads it from the token, which DecodeToken gave.
Binding BindingOf(const Token& token);
// The inviter as an offline token tells of it.
federation::v1::Party InviterOf(const Token& token);

// HMAC-SHA-256 under the secret over the binding and the accepter. CERTIFICATE_MALFORMED
// where the bundle does not parse.
absl::StatusOr<std::string> AccepterProof(absl::string_view secret, const Binding& binding,
                                          const federation::v1::Party& accepter);

// The inviter's answer: over the binding, the accepter's proof, the inviter and what it
// decided.
struct Agreement {
  std::string agreement_id;
  absl::Time expires;  // whole seconds
};
absl::StatusOr<std::string> InviterProof(absl::string_view secret, const Binding& binding,
                                         absl::string_view accepter_proof,
                                         const federation::v1::Party& inviter,
                                         const Agreement& agreement);
// What both sides hold after a reply code, to which nothing is answered: the id comes from the
// accepter's proof, which both have, and the end from the invite's own.
Agreement AgreementOfReply(absl::string_view accepter_proof, absl::Time invite_expires,
                           absl::Duration lifetime);

// For the accepter, who also compares the digest of the inviter's bundle with the pinned one, and
// what it says of the agreement with what the token states: all are done here. `now`: when the
// answer came. INVITE_INVALID where one of them does not fit.
absl::Status CheckInviterProof(const Token& token, absl::string_view accepter_proof,
                               const federation::v1::Party& inviter, const Agreement& agreement,
                               absl::string_view proof, absl::Time now);

// Everything that makes an invite. The caller draws the random bytes.
struct InviteRequest {
  std::string inviter_domain;
  std::string endpoint;        // of our enrolment listener; may be empty with `offline`
  std::string peers_endpoint;  // of our peers listener; may be empty; told with `offline`
  std::string bundle_pem;      // the inviter's own
  bool offline = false;        // the token carries what an answer would have
  std::string id_bytes;        // kIdBytes, random
  std::string secret;          // kSecretBytes, random
  std::optional<absl::Duration> ttl;
  std::string purpose;
  std::string author;
  std::string only_domain;                                // empty: any domain may redeem it
  std::vector<std::string> contacts = {};                 // of ours
  std::optional<absl::Duration> agreement_lifetime = {};  // kDefaultLifetime
};
struct NewInvite {
  admin::v1::Invite invite;  // to be stored; without the secret in the clear
  std::string token;         // to be shown once
};
// INVALID_ARGUMENT for a lifetime outside 1 minute to kMaxTtl, one of the agreement outside
// kLeastLifetime to kGreatestLifetime, a malformed endpoint, domain or contact, or a bundle that is
// too large to be told.
absl::StatusOr<NewInvite> MakeInvite(const InviteRequest& request, const crypto::SivSealer& sealer,
                                     absl::Time now);

// What became of one try to redeem.
struct Redemption {
  // OK, or the error that the caller may see. An unknown, used, dead or expired invite and
  // a wrong proof are one and the same INVITE_INVALID: nobody learns which invites exist.
  absl::Status status;
  // For our own log: which of them it was. Empty where OK.
  std::string detail;
  // The invite as it must be stored now, also on an error: failures counted, or redeemed
  // and its secret erased. Absent where nothing changed.
  std::optional<admin::v1::Invite> changed;
};

// The rules: single use, before its expiry, by the domain it was made for, and dead after
// kMaxFailures wrong proofs. `invite` null: there is none of this id. The caller checks
// CheckParty first, commits `changed` and the new peer in one commit record, and only then
// answers.
Redemption Redeem(const admin::v1::Invite* invite, const Binding& binding,
                  const federation::v1::Party& accepter, absl::string_view proof,
                  const crypto::SivSealer& sealer, absl::Time now);

// How long the agreement of an invite holds.
absl::Duration LifetimeOf(const admin::v1::Invite& invite);

// The secret of an invite that is still open, for InviterProof after Redeem() was OK: read it
// before, the redeemed invite has it no more. INVITE_INVALID where it cannot be opened.
absl::StatusOr<std::string> OpenSecret(const admin::v1::Invite& invite,
                                       const crypto::SivSealer& sealer);

}  // namespace cdgate::invite
