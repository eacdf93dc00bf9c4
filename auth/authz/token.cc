#include "auth/authz/token.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::authz {
namespace {

constexpr absl::string_view kPrefix = "cdgate_";
constexpr size_t kSecretBytes = 32;
constexpr size_t kCheckBytes = 4;
constexpr size_t kEncodedBytes = 48;  // of both, in base64url
constexpr absl::string_view kCheckDomain = "cdgate/token/v1";
constexpr size_t kMaxDescriptionBytes = 1024;

std::string CheckOf(absl::string_view secret) {
  return crypto::Sha256(absl::StrCat(kCheckDomain, secret)).substr(0, kCheckBytes);
}

absl::Status NoToken(absl::string_view why) {
  return base::MakeError(base::Reason::kAccessTokenInvalid, why);
}

absl::Status Invalid(absl::string_view field, absl::string_view fault) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat("token: ", field, " ", fault),
                         {{"field", std::string(field)}});
}

}  // namespace

MintedToken MintToken(base::Random& random) {
  const std::string secret = random.Bytes(kSecretBytes);
  return {absl::StrCat(kPrefix, base::Base64UrlEncode(absl::StrCat(secret, CheckOf(secret)))),
          crypto::Sha256(secret)};
}

absl::StatusOr<std::string> DigestOfToken(absl::string_view text) {
  if (!absl::StartsWith(text, kPrefix)) {
    return NoToken("the bearer token is none of cdgate: it does not begin with cdgate_");
  }
  const absl::string_view encoded = text.substr(kPrefix.size());
  const auto bytes = base::Base64UrlDecode(encoded);
  if (encoded.size() != kEncodedBytes || !bytes.ok()) {
    return NoToken("the bearer token is incomplete or mistyped: 48 characters follow cdgate_");
  }
  const absl::string_view secret = absl::string_view(*bytes).substr(0, kSecretBytes);
  if (CheckOf(secret) != absl::string_view(*bytes).substr(kSecretBytes)) {
    return NoToken("the bearer token is mistyped: its last characters do not fit the others");
  }
  return crypto::Sha256(secret);
}

absl::Status CheckToken(const admin::v1::Token& token) {
  constexpr absl::string_view kName = "is not 1 to 63 lower-case letters, digits and '-'";
  if (!ValidResourceName(token.name())) return Invalid("name", kName);
  if (!ValidResourceName(token.grant())) return Invalid("grant", kName);
  if (token.description().size() > kMaxDescriptionBytes) {
    return Invalid("description", "is longer than 1,024 bytes");
  }
  return absl::OkStatus();
}

Tokens::Tokens(absl::string_view domain, absl::Span<const admin::v1::Token> tokens) {
  by_digest_.reserve(tokens.size());
  for (const admin::v1::Token& token : tokens) {
    if (token.secret_digest().size() != crypto::kSha256Bytes) continue;
    const absl::Time expires = absl::FromUnixSeconds(token.expire_time().seconds()) +
                               absl::Nanoseconds(token.expire_time().nanos());
    by_digest_[token.secret_digest()] = {Principal::Token(domain, token.name(), token.grant()),
                                         expires};
  }
}

absl::StatusOr<Principal> Tokens::Authenticate(absl::string_view bearer, absl::Time now) const {
  CDGATE_ASSIGN_OR_RETURN(const std::string digest, DigestOfToken(bearer));
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) {
    return NoToken("the bearer token is unknown: it was revoked, or is of another gateway");
  }
  const Entry& entry = found->second;
  if (now < entry.expires) return entry.principal;
  return base::MakeError(
      base::Reason::kAccessTokenExpired,
      absl::StrCat(entry.principal.id, " expired at ",
                   absl::FormatTime(absl::RFC3339_sec, entry.expires, absl::UTCTimeZone()),
                   "; have an operator make a new one"),
      {{"principal", entry.principal.id}});
}

}  // namespace cdgate::authz
