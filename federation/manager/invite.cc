#include "federation/manager/invite.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::invite {
namespace {

using admin::v1::Invite;
using federation::v1::Party;

constexpr size_t kMaxEndpointBytes = 261;  // a DNS name, a colon, a port
constexpr size_t kMaxPurposeBytes = 500;
constexpr size_t kMaxContacts = 10;
constexpr size_t kMaxContactBytes = 200;
// Of an answer, which has 8 KiB at most: our bundle, purpose and contacts.
constexpr size_t kMaxToldBytes = 7 * 1024;
constexpr size_t kAgreementIdBytes = 16;
constexpr absl::Duration kMinTtl = absl::Minutes(1);
// By how much the clocks of two domains, and an answer on its way, may move an end.
constexpr absl::Duration kEndSlack = absl::Hours(1);

// What tells the two proofs from each other, and from whatever else a key is used for.
constexpr absl::string_view kAccepterLabel = "cdgate/enrol/v1/accepter";
constexpr absl::string_view kInviterLabel = "cdgate/enrol/v1/inviter";
constexpr absl::string_view kAgreementLabel = "cdgate/agreement/v1";
constexpr absl::string_view kSealLabel = "cdgate/invite-secret/v1/";

absl::Status InvalidField(absl::string_view field, absl::string_view fault) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat(field, " ", fault),
                         {{"field", std::string(field)}});
}

// All that a stranger is told, whatever it was.
absl::Status InviteInvalid() {
  return base::MakeError(
      base::Reason::kInviteInvalid,
      "the invite is unknown, used, expired or its secret is wrong; ask for a new one");
}

// No control character, neither of ASCII nor of Latin 1 (C2 80 to C2 9F): these texts are
// shown on the terminals of those who approve. That they are UTF-8, protobuf has checked.
bool IsPlainText(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x20 || c == 0x7F) return false;
    if (c == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}
bool IsAddressCharacter(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == '.' ||
         c == ':';
}

// Each field with its length before it, so that no two lists of fields give the same bytes.
void AppendField(std::string& out, absl::string_view field) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(field.size() >> shift & 0xFF));
  }
  out.append(field.data(), field.size());
}

void AppendBinding(std::string& out, const Binding& binding) {
  AppendField(out, binding.invite_id);
  AppendField(out, binding.inviter_domain);
  AppendField(out, binding.inviter_bundle_digest);
  AppendField(out, binding.token_digest);
}

// By the digest of its bundle: a reply code carries the certificates in another form.
absl::Status AppendParty(std::string& out, const Party& party) {
  CDGATE_ASSIGN_OR_RETURN(const std::string digest, trust::BundleDigest(party.bundle_pem()));
  AppendField(out, party.domain());
  AppendField(out, digest);
  AppendField(out, party.endpoint());
  AppendField(out, party.purpose());
  AppendField(out, absl::StrCat(party.contacts_size()));
  for (const std::string& contact : party.contacts()) AppendField(out, contact);
  return absl::OkStatus();
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

absl::Status CheckPurpose(absl::string_view field, absl::string_view purpose) {
  if (purpose.size() <= kMaxPurposeBytes && IsPlainText(purpose)) return absl::OkStatus();
  return InvalidField(field, "has at most 500 bytes and no control characters");
}

template <typename Texts>
absl::Status CheckContacts(absl::string_view field, const Texts& contacts) {
  if (static_cast<size_t>(contacts.size()) > kMaxContacts) {
    return InvalidField(field, "are at most 10");
  }
  for (const std::string& contact : contacts) {
    if (contact.size() <= kMaxContactBytes && IsPlainText(contact)) continue;
    return InvalidField(field, "have at most 200 bytes and no control characters");
  }
  return absl::OkStatus();
}

absl::Status CheckLifetime(absl::Duration lifetime) {
  if (lifetime >= kLeastLifetime && lifetime <= kGreatestLifetime) return absl::OkStatus();
  return InvalidField("agreement_lifetime", "is at least 1 hour and at most 5 years");
}

std::string SealLabel(absl::string_view id) { return absl::StrCat(kSealLabel, id); }

absl::Status CheckRequest(const InviteRequest& request, absl::Duration ttl) {
  if (!trust::ValidTrustDomain(request.inviter_domain)) {
    return InvalidField("domain", "of the inviter is malformed");
  }
  if (request.id_bytes.size() != kIdBytes || request.secret.size() != kSecretBytes) {
    return base::MakeError(base::Reason::kInternal, "random bytes of the wrong number");
  }
  if (request.endpoint.empty() && !request.offline) {
    return InvalidField("endpoint", "is needed: the other domain has to dial something");
  }
  for (const std::string& endpoint : {request.endpoint, request.peers_endpoint}) {
    if (endpoint.empty() || ValidEndpoint(endpoint)) continue;
    return InvalidField("endpoint",
                        absl::StrCat("\"", base::Shorten(endpoint), "\" is not host:port"));
  }
  if (request.bundle_pem.size() > kMaxBundleBytes) {
    return InvalidField("bundle", "of our own domain has more than 6 KiB; remove old CAs from it");
  }
  if (ttl < kMinTtl || ttl > kMaxTtl) {
    return InvalidField("ttl", "is at least 1 minute and at most 30 days");
  }
  if (!request.only_domain.empty() && (!trust::ValidTrustDomain(request.only_domain) ||
                                       request.only_domain == request.inviter_domain)) {
    return InvalidField("domain", absl::StrCat("\"", base::Shorten(request.only_domain),
                                               "\" is not that of another domain"));
  }
  CDGATE_RETURN_IF_ERROR(CheckPurpose("purpose", request.purpose));
  CDGATE_RETURN_IF_ERROR(CheckContacts("contacts", request.contacts));
  size_t told = request.bundle_pem.size() + request.purpose.size();
  for (const std::string& contact : request.contacts) told += contact.size();
  if (told > kMaxToldBytes) {
    return InvalidField("contacts",
                        "have with the purpose and the bundle of our own domain more than 7 KiB");
  }
  return CheckLifetime(request.agreement_lifetime.value_or(kDefaultLifetime));
}

// Who made the token answers, and says of the agreement what our operator was shown. A token of an
// earlier release states nothing.
absl::Status CheckAsStated(const Token& token, const Party& inviter, const Agreement& agreement,
                           absl::Time now) {
  const bool same_purpose = token.purpose.empty() || token.purpose == inviter.purpose();
  const bool same_contacts =
      token.contacts.empty() || std::equal(token.contacts.begin(), token.contacts.end(),
                                           inviter.contacts().begin(), inviter.contacts().end());
  const bool same_end = agreement.expires <= now + token.lifetime + kEndSlack;
  if (same_purpose && same_contacts && same_end) return absl::OkStatus();
  return base::MakeError(base::Reason::kInviteInvalid,
                         absl::StrCat(token.inviter_domain, " answers with ",
                                      !same_end      ? "a later end of the agreement"
                                      : same_purpose ? "other contacts"
                                                     : "another purpose",
                                      " than its invite states; ask for a new one"));
}

Redemption Refused(std::string detail) { return {InviteInvalid(), std::move(detail), {}}; }

// One more failure; the last one takes the secret with it.
Redemption Failed(const Invite& invite, absl::Status status, std::string detail) {
  Invite changed = invite;
  changed.set_failures(invite.failures() + 1);
  if (changed.failures() >= kMaxFailures) changed.clear_sealed_secret();
  return {std::move(status), std::move(detail), std::move(changed)};
}

// Empty where the invite can still be redeemed.
std::string WhyClosed(const Invite& invite, absl::Time now) {
  if (!invite.redeemed_by().empty()) {
    return absl::StrCat("the invite was used by ", invite.redeemed_by());
  }
  if (invite.failures() >= kMaxFailures) return "the invite is dead after too many wrong proofs";
  const absl::Time end = absl::FromUnixSeconds(invite.expire_time().seconds());
  return now < end ? "" : absl::StrCat("the invite expired at ", TimeText(end));
}

}  // namespace

bool ValidEndpoint(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (text.size() > kMaxEndpointBytes || colon == absl::string_view::npos || colon == 0) {
    return false;
  }
  const absl::string_view port = text.substr(colon + 1);
  uint32_t number = 0;
  if (!std::all_of(port.begin(), port.end(), [](char c) { return absl::ascii_isdigit(c); }) ||
      port.empty() || port.front() == '0' || !absl::SimpleAtoi(port, &number) || number > 65535) {
    return false;
  }
  const absl::string_view host = text.substr(0, colon);
  if (host.front() == '[') {
    return host.size() > 3 && host.back() == ']' &&
           std::all_of(host.begin() + 1, host.end() - 1, IsAddressCharacter);
  }
  return std::all_of(host.begin(), host.end(), IsHostCharacter);
}

absl::Status CheckParty(const Party& party) {
  if (!trust::ValidTrustDomain(party.domain())) {
    return InvalidField("party.domain",
                        absl::StrCat("\"", base::Shorten(party.domain()), "\" is not a domain"));
  }
  if (party.bundle_pem().size() > kMaxBundleBytes) {
    return InvalidField("party.bundle_pem", "has more than 6 KiB");
  }
  const auto store = trust::MakeTrustStore(party.domain(), party.bundle_pem(), {});
  if (!store.ok()) return base::Annotate(store.status(), "party.bundle_pem");
  if (!party.endpoint().empty() && !ValidEndpoint(party.endpoint())) {
    return InvalidField("party.endpoint",
                        absl::StrCat("\"", base::Shorten(party.endpoint()), "\" is not host:port"));
  }
  CDGATE_RETURN_IF_ERROR(CheckPurpose("party.purpose", party.purpose()));
  return CheckContacts("party.contacts", party.contacts());
}

absl::Status CheckTerms(const Token& token) {
  CDGATE_RETURN_IF_ERROR(CheckPurpose("purpose", token.purpose));
  CDGATE_RETURN_IF_ERROR(CheckContacts("contacts", token.contacts));
  return CheckLifetime(token.lifetime);
}

absl::StatusOr<std::string> AccepterProof(absl::string_view secret, const Binding& binding,
                                          const Party& accepter) {
  std::string bytes;
  AppendField(bytes, kAccepterLabel);
  AppendBinding(bytes, binding);
  CDGATE_RETURN_IF_ERROR(AppendParty(bytes, accepter));
  return crypto::HmacSha256(secret, bytes);
}

absl::StatusOr<std::string> InviterProof(absl::string_view secret, const Binding& binding,
                                         absl::string_view accepter_proof, const Party& inviter,
                                         const Agreement& agreement) {
  std::string bytes;
  AppendField(bytes, kInviterLabel);
  AppendBinding(bytes, binding);
  AppendField(bytes, accepter_proof);
  CDGATE_RETURN_IF_ERROR(AppendParty(bytes, inviter));
  AppendField(bytes, agreement.agreement_id);
  AppendField(bytes, absl::StrCat(absl::ToUnixSeconds(agreement.expires)));
  return crypto::HmacSha256(secret, bytes);
}

Agreement AgreementOfReply(absl::string_view accepter_proof, absl::Time invite_expires,
                           absl::Duration lifetime) {
  std::string bytes;
  AppendField(bytes, kAgreementLabel);
  AppendField(bytes, accepter_proof);
  const std::string id = crypto::Sha256(bytes).substr(0, kAgreementIdBytes);
  return {base::Base32Encode(id), invite_expires + lifetime};
}

absl::Status CheckInviterProof(const Token& token, absl::string_view accepter_proof,
                               const Party& inviter, const Agreement& agreement,
                               absl::string_view proof, absl::Time now) {
  CDGATE_RETURN_IF_ERROR(CheckParty(inviter));
  CDGATE_ASSIGN_OR_RETURN(const std::string digest, trust::BundleDigest(inviter.bundle_pem()));
  CDGATE_ASSIGN_OR_RETURN(
      const std::string expected,
      InviterProof(token.secret, BindingOf(token), accepter_proof, inviter, agreement));
  const bool same_domain = inviter.domain() == token.inviter_domain;
  const bool same_bundle = crypto::ConstantTimeEquals(digest, token.bundle_digest);
  if (same_domain && same_bundle && crypto::ConstantTimeEquals(expected, proof)) {
    return CheckAsStated(token, inviter, agreement, now);
  }
  return base::MakeError(
      base::Reason::kInviteInvalid,
      absl::StrCat("what answered is not the gateway of ", token.inviter_domain,
                   " that made the invite",
                   same_bundle ? "" : ": its bundle is not the one that the invite names"));
}

absl::StatusOr<NewInvite> MakeInvite(const InviteRequest& request, const crypto::SivSealer& sealer,
                                     absl::Time now) {
  const absl::Duration ttl = request.ttl.value_or(kDefaultTtl);
  CDGATE_RETURN_IF_ERROR(CheckRequest(request, ttl));
  Token token;
  token.inviter_domain = request.inviter_domain;
  token.endpoint = request.endpoint;
  CDGATE_ASSIGN_OR_RETURN(token.bundle_digest, trust::BundleDigest(request.bundle_pem));
  token.invite_id = base::Base32Encode(request.id_bytes);
  token.secret = request.secret;
  token.expires = absl::FromUnixSeconds(absl::ToUnixSeconds(now + ttl));
  token.only_domain = request.only_domain;
  token.purpose = request.purpose;
  token.contacts = request.contacts;
  token.lifetime =
      absl::Trunc(request.agreement_lifetime.value_or(kDefaultLifetime), absl::Seconds(1));
  if (request.offline) {
    token.bundle_pem = request.bundle_pem;
    token.peers_endpoint = request.peers_endpoint;
  }

  NewInvite out;
  CDGATE_ASSIGN_OR_RETURN(out.token, EncodeToken(token));
  out.invite.set_token_digest(TokenDigest(out.token));
  out.invite.set_id(token.invite_id);
  out.invite.set_secret_digest(crypto::Sha256(request.secret));
  out.invite.set_sealed_secret(sealer.Seal(request.secret, SealLabel(token.invite_id)));
  out.invite.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(token.expires));
  out.invite.set_purpose(request.purpose);
  out.invite.set_author(request.author);
  out.invite.set_domain(request.only_domain);
  for (const std::string& contact : request.contacts) out.invite.add_contacts(contact);
  out.invite.mutable_agreement_lifetime()->set_seconds(absl::ToInt64Seconds(token.lifetime));
  return out;
}

absl::Duration LifetimeOf(const Invite& invite) {
  return invite.has_agreement_lifetime() ? absl::Seconds(invite.agreement_lifetime().seconds())
                                         : kDefaultLifetime;
}

absl::StatusOr<std::string> OpenSecret(const Invite& invite, const crypto::SivSealer& sealer) {
  const auto secret = sealer.Open(invite.sealed_secret(), SealLabel(invite.id()));
  if (secret.ok() && crypto::ConstantTimeEquals(crypto::Sha256(*secret), invite.secret_digest())) {
    return *secret;
  }
  return base::MakeError(base::Reason::kInviteInvalid,
                         "the invite's secret cannot be read: it was used, or sealed elsewhere");
}

Redemption Redeem(const Invite* invite, const Binding& binding, const Party& accepter,
                  absl::string_view proof, const crypto::SivSealer& sealer, absl::Time now) {
  if (invite == nullptr) return Refused("there is no such invite");
  std::string closed = WhyClosed(*invite, now);
  if (!closed.empty()) return Refused(std::move(closed));
  const auto secret = OpenSecret(*invite, sealer);
  if (!secret.ok()) return Refused(std::string(secret.status().message()));
  const auto expected = AccepterProof(*secret, binding, accepter);
  if (!expected.ok()) return {expected.status(), std::string(expected.status().message()), {}};
  if (!crypto::ConstantTimeEquals(*expected, proof)) {
    return Failed(
        *invite, InviteInvalid(),
        "the proof is wrong: the token or the reply was altered on its way, or our bundle "
        "is not the one the token names any more");
  }
  // From here on the caller has the secret and may know more.
  if (!invite->domain().empty() && invite->domain() != accepter.domain()) {
    return Failed(*invite,
                  base::MakeError(base::Reason::kInviteInvalid,
                                  absl::StrCat("the invite is for the domain ", invite->domain())),
                  absl::StrCat("the invite is for the domain ", invite->domain(), ", not for ",
                               accepter.domain()));
  }
  Invite redeemed = *invite;
  redeemed.set_redeemed_by(accepter.domain());
  redeemed.clear_sealed_secret();
  return {absl::OkStatus(), "", std::move(redeemed)};
}

}  // namespace cdgate::invite
