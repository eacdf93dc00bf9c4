// Tokens and reply codes as text: prefix, then base64url of
//   one byte, the version; a message of enrolment.proto; four bytes of SHA-256 over both
// The checksum is against slips of copying, not against forgery: that is what proofs are for.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/digest.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/invite.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::invite {
namespace {

using crypto::Certificate;
using DerBundle = google::protobuf::RepeatedPtrField<std::string>;

constexpr char kVersion = 1;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kMaxTextBytes = 32 * 1024;
constexpr size_t kIdCharacters = 16;

absl::Status Malformed(absl::string_view fault) {
  return base::MakeError(base::Reason::kInviteMalformed, fault);
}

std::string Checksum(absl::string_view bytes) {
  return crypto::Sha256(bytes).substr(0, kChecksumBytes);
}

std::string WithoutWhiteSpace(absl::string_view text) {
  std::string out(text);
  out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return absl::ascii_isspace(c); }),
            out.end());
  return out;
}

std::string Encode(absl::string_view prefix, const google::protobuf::Message& message) {
  std::string bytes = absl::StrCat(absl::string_view(&kVersion, 1), message.SerializeAsString());
  absl::StrAppend(&bytes, Checksum(bytes));
  return absl::StrCat(prefix, base::Base64UrlEncode(bytes));
}

// Where the prefix is not `prefix`: what was meant, if that can be guessed.
absl::Status WrongPrefix(absl::string_view text, absl::string_view prefix) {
  if (absl::StartsWith(text, kTokenPrefix)) {
    return Malformed("this is an invite; give it to cdgate peer accept in the invited domain");
  }
  if (absl::StartsWith(text, kReplyPrefix)) {
    return Malformed("this is a reply code; give it to cdgate peer approve in the inviting domain");
  }
  return Malformed(absl::StrCat("the code does not begin with ", prefix));
}

absl::Status Decode(absl::string_view text, absl::string_view prefix,
                    google::protobuf::Message& message) {
  if (text.size() > kMaxTextBytes) return Malformed("the code is too long");
  const std::string code = WithoutWhiteSpace(text);
  if (!absl::StartsWith(code, prefix)) return WrongPrefix(code, prefix);
  const auto bytes = base::Base64UrlDecode(absl::string_view(code).substr(prefix.size()));
  if (!bytes.ok() || bytes->size() <= 1 + kChecksumBytes) {
    return Malformed("the code is damaged or not whole; copy it again, to its end");
  }
  const absl::string_view checked =
      absl::string_view(*bytes).substr(0, bytes->size() - kChecksumBytes);
  if (Checksum(checked) != bytes->substr(checked.size())) {
    return Malformed("the code is damaged or not whole; copy it again, to its end");
  }
  if (checked.front() != kVersion) {
    return Malformed("the code is of a newer release; upgrade this gateway");
  }
  if (!message.ParseFromArray(checked.data() + 1, static_cast<int>(checked.size()) - 1)) {
    return Malformed("the code does not hold what it should");
  }
  return absl::OkStatus();
}

absl::StatusOr<DerBundle> ToDer(absl::string_view bundle_pem) {
  CDGATE_ASSIGN_OR_RETURN(const auto certificates, Certificate::ParsePemChain(bundle_pem));
  DerBundle out;
  for (const Certificate& certificate : certificates) *out.Add() = certificate.ToDer();
  return out;
}

absl::StatusOr<std::string> ToPem(const DerBundle& bundle) {
  if (static_cast<size_t>(bundle.size()) > Certificate::kMaxCertificates) {
    return Malformed("the bundle has too many certificates");
  }
  std::string out;
  for (const std::string& der : bundle) {
    const auto certificate = Certificate::FromDer(der);
    if (!certificate.ok()) return Malformed(certificate.status().message());
    absl::StrAppend(&out, certificate->ToPem());
  }
  return out;
}

bool ValidId(absl::string_view id) {
  return id.size() == kIdCharacters && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
         });
}

// What the inviter tells of itself in place of an answer: held to what a party is held to.
absl::Status CheckOfflinePart(const Token& token) {
  if (token.bundle_pem.empty()) {
    if (token.peers_endpoint.empty()) return absl::OkStatus();
    return Malformed("it tells what only an offline invite does");
  }
  const auto digest = trust::BundleDigest(token.bundle_pem);
  if (!digest.ok() || *digest != token.bundle_digest) {
    return Malformed("its bundle is not the one it names");
  }
  const absl::Status party = CheckParty(InviterOf(token));
  return party.ok() ? party : Malformed(party.message());
}

absl::Status CheckToken(const Token& token) {
  if (!trust::ValidTrustDomain(token.inviter_domain)) return Malformed("its domain is malformed");
  if (!token.endpoint.empty() && !ValidEndpoint(token.endpoint)) {
    return Malformed("its address is malformed");
  }
  if (token.endpoint.empty() && token.bundle_pem.empty()) return Malformed("it has no address");
  if (!token.only_domain.empty() && !trust::ValidTrustDomain(token.only_domain)) {
    return Malformed("the domain it is for is malformed");
  }
  if (token.bundle_digest.size() != crypto::kSha256Bytes || token.secret.size() != kSecretBytes ||
      !ValidId(token.invite_id)) {
    return Malformed("a part of it is malformed");
  }
  if (const absl::Status terms = CheckTerms(token); !terms.ok()) return Malformed(terms.message());
  return CheckOfflinePart(token);
}

// What is as usual is left out, so that most tokens stay short, and as earlier releases make them.
void AddTerms(const Token& token, federation::v1::InviteToken* message) {
  // Earlier releases read the purpose of an offline invite there, and none elsewhere.
  if (!token.bundle_pem.empty()) {
    message->set_purpose(token.purpose);
  } else if (!token.purpose.empty()) {
    message->mutable_terms()->set_purpose(token.purpose);
  }
  for (const std::string& contact : token.contacts) message->mutable_terms()->add_contacts(contact);
  if (token.lifetime == kDefaultLifetime) return;
  message->mutable_terms()->mutable_lifetime()->set_seconds(absl::ToInt64Seconds(token.lifetime));
}

}  // namespace

absl::StatusOr<std::string> EncodeToken(const Token& token) {
  federation::v1::InviteToken message;
  message.set_inviter_domain(token.inviter_domain);
  message.set_endpoint(token.endpoint);
  message.set_bundle_digest(token.bundle_digest);
  message.set_invite_id(token.invite_id);
  message.set_secret(token.secret);
  message.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(token.expires));
  message.set_accepter_domain(token.only_domain);
  message.set_peers_endpoint(token.peers_endpoint);
  AddTerms(token, &message);
  if (!token.bundle_pem.empty()) {
    CDGATE_ASSIGN_OR_RETURN(*message.mutable_bundle(), ToDer(token.bundle_pem));
  }
  return Encode(kTokenPrefix, message);
}

absl::StatusOr<Token> DecodeToken(absl::string_view text) {
  federation::v1::InviteToken message;
  CDGATE_RETURN_IF_ERROR(Decode(text, kTokenPrefix, message));
  Token token;
  token.inviter_domain = message.inviter_domain();
  token.endpoint = message.endpoint();
  token.bundle_digest = message.bundle_digest();
  token.invite_id = message.invite_id();
  token.secret = message.secret();
  token.expires = absl::FromUnixSeconds(message.expire_time().seconds());
  token.only_domain = message.accepter_domain();
  token.peers_endpoint = message.peers_endpoint();
  token.purpose = message.purpose().empty() ? message.terms().purpose() : message.purpose();
  token.contacts = {message.terms().contacts().begin(), message.terms().contacts().end()};
  if (message.terms().has_lifetime()) {
    token.lifetime = absl::Seconds(message.terms().lifetime().seconds());
  }
  token.digest = TokenDigest(text);
  CDGATE_ASSIGN_OR_RETURN(token.bundle_pem, ToPem(message.bundle()));
  if (!message.purpose().empty() && token.bundle_pem.empty()) {
    return Malformed("it tells what only an offline invite does");
  }
  CDGATE_RETURN_IF_ERROR(CheckToken(token));
  return token;
}

absl::Status CheckUsable(const Token& token, absl::string_view domain, absl::Time now) {
  if (now >= token.expires) {
    return base::MakeError(
        base::Reason::kInviteInvalid,
        absl::StrCat("the invite of ", token.inviter_domain, " expired at ",
                     absl::FormatTime(absl::RFC3339_sec, token.expires, absl::UTCTimeZone()),
                     "; ask for a new one"));
  }
  if (token.only_domain.empty() || token.only_domain == domain) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kInviteInvalid,
      absl::StrCat("the invite of ", token.inviter_domain, " is for ", token.only_domain,
                   ", and this gateway is of ", domain, "; ask for one for ", domain));
}

std::string TokenDigest(absl::string_view text) { return crypto::Sha256(WithoutWhiteSpace(text)); }

Binding BindingOf(const Token& token) {
  return {token.invite_id, token.inviter_domain, token.bundle_digest, token.digest};
}

federation::v1::Party InviterOf(const Token& token) {
  federation::v1::Party party;
  party.set_domain(token.inviter_domain);
  party.set_bundle_pem(token.bundle_pem);
  party.set_endpoint(token.peers_endpoint);
  party.set_purpose(token.purpose);
  for (const std::string& contact : token.contacts) party.add_contacts(contact);
  return party;
}

absl::StatusOr<std::string> EncodeReply(const Reply& reply) {
  federation::v1::InviteReply message;
  message.set_invite_id(reply.invite_id);
  message.set_inviter_domain(reply.inviter_domain);
  *message.mutable_party() = reply.party;
  message.mutable_party()->clear_bundle_pem();
  CDGATE_ASSIGN_OR_RETURN(*message.mutable_bundle(), ToDer(reply.party.bundle_pem()));
  message.set_proof(reply.proof);
  return Encode(kReplyPrefix, message);
}

absl::StatusOr<Reply> DecodeReply(absl::string_view text) {
  federation::v1::InviteReply message;
  CDGATE_RETURN_IF_ERROR(Decode(text, kReplyPrefix, message));
  if (!ValidId(message.invite_id()) || !trust::ValidTrustDomain(message.inviter_domain()) ||
      message.proof().size() != crypto::kSha256Bytes) {
    return Malformed("a part of it is malformed");
  }
  Reply reply{message.invite_id(), message.inviter_domain(), message.party(), message.proof()};
  CDGATE_ASSIGN_OR_RETURN(*reply.party.mutable_bundle_pem(), ToPem(message.bundle()));
  const absl::Status party = CheckParty(reply.party);
  if (!party.ok()) return Malformed(party.message());
  return reply;
}

}  // namespace cdgate::invite
